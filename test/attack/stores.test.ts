/** Several lease stores on one host: found without being named, sharing a bridge, and one of them broken. */
import t from 'tap';
import type { Test } from 'tap';
import { lacking, withHost, world } from '../kernel/harness.ts';
import type { CniJson, Host } from '../kernel/harness.ts';
import { asked, netmoor } from '../kernel/netmoor-command.ts';
import { bridgeComment } from '../../lib/nftables/owner.ts';
import {
  VICTIM,
  callFor,
  contents,
  dump,
  must,
  reaches,
  removeContainer,
  run,
  stopped,
  stoppedNetmoor,
} from './attack-bed.ts';

const skip = lacking() ?? false;
t.setTimeout(200_000);
t.jobs = 3;

const FAR = '/opt/leases';

/** A network on the bridge quay whose addresses begin at .`first`; both families. */
function onQuay(name: string, first: number, ipam: object = {}): object {
  const range = (subnet: string, prefix: string) => [
    { subnet, rangeStart: `${prefix}${first}`, rangeEnd: `${prefix}${first + 9}` },
  ];
  const ranges = [range('10.78.0.0/24', '10.78.0.'), range('fd00:78::/64', 'fd00:78::')];
  return { name, bridge: 'quay', ipam: { ranges, ...ipam } };
}

const NEAR = onQuay('near', 10);
const OTHER = onQuay('far', 30, { dataDir: FAR });

/** Sets that hold elements of the bridge itself. */
async function bridgeSets(host: Host, bridge: string): Promise<string[]> {
  const mark = JSON.stringify({ comment: bridgeComment(bridge) }).slice(1, -1);
  return (await host.nft())
    .flatMap(({ set, map }) => [set, map])
    .flatMap((set) => (set && JSON.stringify(set['elem'] ?? []).includes(mark) ? [String(set['name'])] : []));
}

/** Its gateway, and the world behind it, which is reached by the shared elements alone. */
async function works(t: Test, host: Host, container: string, result: CniJson): Promise<void> {
  t.ok(await reaches(host, container, result), `${container} reaches its gateway`);
  for (const address of [world.internet4, world.internet6]) {
    const ping = ['ip', 'netns', 'exec', container, 'ping', '-c', '1', '-W', '5', address];
    t.match(await host.run(ping), { code: 0 }, `${container} reaches ${address}`);
  }
}

t.test('DEL that does not know the dataDir of the ADD', { skip, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    const far = callFor('c1', OTHER);
    const { dataDir: _, ...ipam } = (OTHER as { ipam: { dataDir: string } }).ipam;
    const unknowing = callFor('c1', { ...OTHER, ipam });
    await host.container('c1');
    await must(host, 'ADD', far);
    await must(host, 'DEL', far);
    const before = await dump(host);
    for (const netns of ['/run/netns/c1', '']) {
      await must(host, 'ADD', far);
      t.match(await run(host, 'DEL', { ...unknowing, netns }), { code: 0, stdout: '' });
      t.same(await dump(host), before, 'the host is as it was');
      t.match(await contents(host, FAR), { attachments: [], networks: [], problems: [] });
    }
  });
});

for (const [title, first, second] of [
  ['the usual store first', NEAR, OTHER],
  ['the named store first', OTHER, NEAR],
] as const) {
  t.test(`two stores on one bridge, ${title}`, { skip, buffered: true }, async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      await host.container('c2');
      await must(host, 'ADD', callFor('c1', first));
      const sets = await bridgeSets(host, 'quay');
      t.ok(sets.includes('bridges') && sets.some((name) => name.startsWith('inside')), sets.join(', '));
      await must(host, 'DEL', callFor('c1', first));
      const before = await dump(host);
      await must(host, 'ADD', callFor('c1', first));
      const result = await must(host, 'ADD', callFor('c2', second));
      await must(host, 'DEL', callFor('c1', first));
      t.same(await bridgeSets(host, 'quay'), sets, 'the elements of the bridge are all there still');
      await works(t, host, 'c2', result);

      const failed = await host.cni(
        [process.execPath, VICTIM, 'attach: recorded', 'throws'],
        'ADD',
        callFor('c1', first),
      );
      t.match(failed, { code: 1, json: { code: 999 } }, 'an ADD that fails at its last step');
      t.same(await bridgeSets(host, 'quay'), sets, 'takes none of them along');
      await works(t, host, 'c2', result);

      await must(host, 'ADD', callFor('c1', first));
      await removeContainer(host, 'c1');
      t.match(await asked(host, 'gc'), { yes: true, view: { garbage: [{ kind: 'attachment' }] } });
      t.same(await bridgeSets(host, 'quay'), sets, 'nor does netmoor gc');
      await works(t, host, 'c2', result);

      await host.container('c1');
      await must(host, 'DEL', callFor('c2', second));
      t.same(await dump(host), before, 'the last of both takes all of it');
    });
  });
}

t.test(
  'a store that is new on the bridge while the last of another leaves',
  { skip, buffered: true },
  async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      await host.container('c2');
      await must(host, 'ADD', callFor('c1', NEAR));
      await stopped(host, 'DEL', callFor('c1', NEAR), 'detach: interfaces seen to', async (last) => {
        const result = await must(host, 'ADD', callFor('c2', OTHER));
        t.match(await last.resume(), { code: 0, stdout: '' });
        await works(t, host, 'c2', result);
      });
      t.match(await asked(host, 'check'), { yes: true });
    });
  },
);

t.test('a store that is new while netmoor gc looks at the others', { skip, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await host.container('c2');
    await must(host, 'ADD', callFor('c1', NEAR));
    await removeContainer(host, 'c1');
    await stoppedNetmoor(host, ['gc', '--json'], 'detach: forgotten', async (gc) => {
      const result = await must(host, 'ADD', callFor('c2', OTHER));
      t.match(await gc.resume(), { code: 0, json: { garbage: [{ what: 'near/c1/eth0' }], failures: [] } });
      await works(t, host, 'c2', result);
    });
    t.match(await asked(host, 'check'), { yes: true });
    t.match(await asked(host, 'gc'), { view: { garbage: [] } });
  });
});

t.test('one store under two names', { skip, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`mkdir ${FAR}; ln -s ${FAR} /opt/alias`);
    await host.container('c1');
    await host.container('c2');
    const other = onQuay('far', 30, { dataDir: '/opt/alias' });
    await must(host, 'ADD', callFor('c1', OTHER));
    await must(host, 'DEL', callFor('c1', OTHER));
    const before = await dump(host);
    await must(host, 'ADD', callFor('c1', OTHER));
    const result = await must(host, 'ADD', callFor('c2', other));
    t.match(await run(host, 'DEL', callFor('c1', OTHER)), { code: 0, stderr: '' });
    await works(t, host, 'c2', result);
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c2' }], 'is listed once');
    t.match(await asked(host, 'gc'), { yes: true, view: { garbage: [] } });
    t.match(await run(host, 'DEL', callFor('c2', other)), { code: 0, stderr: '' });
    t.same(await dump(host), before, 'the host is as it was');
  });
});

t.test('a store that cannot be read', { skip, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await host.container('c2');
    const result = await must(host, 'ADD', callFor('c1', NEAR));
    await must(host, 'ADD', callFor('c2', OTHER));
    const ruleset = await host.nft();
    await host.shell(
      `cd ${FAR}; rm -f leases.db-wal leases.db-shm; head -c 20000 /dev/zero | tr '\\0' x > leases.db`,
    );
    for (const verb of ['ls', 'leases', 'networks', 'show']) {
      const { code, out, err } = await netmoor(host, verb);
      t.match(
        { code, out, err },
        { code: 0, out: /near|10\.78\.0\.10/, err: /\/opt\/leases/ },
        `${verb} shows the rest`,
      );
      t.match(
        await netmoor(host, verb, '--data-dir', FAR),
        { code: 1, out: '', err: /leases/ },
        `${verb} of it alone`,
      );
    }
    const { yes, view } = await asked(host, 'check');
    t.notOk(yes, 'check says no');
    t.match(view, {
      ok: false,
      attachments: [{ containerId: 'c1', differences: [] }],
      store: [/\/opt\/leases/],
    });
    const failures = [{ problem: /\/opt\/leases/ }];
    t.match(await asked(host, 'gc', '--dry-run'), { yes: false, view: { garbage: [], failures } });
    t.match(await asked(host, 'gc'), { yes: false, view: { garbage: [], failures } });
    t.same(await host.nft(), ruleset, 'gc takes nothing that the unread one may account for');
    await removeContainer(host, 'c1');
    const garbage = [{ kind: 'attachment', what: 'near/c1/eth0' }];
    t.match(
      await asked(host, 'gc'),
      { yes: false, view: { garbage, failures } },
      'but the dead of the others',
    );
    t.ok(await reaches(host, 'c2', result), 'what the unread one has still works');
    await host.container('c1');
    await must(host, 'ADD', callFor('c1', NEAR));
    await must(host, 'DEL', callFor('c1', NEAR));
    t.ok(await reaches(host, 'c2', result), 'after the last of the others, too');
  });
});
