/** Plugins by way of the engine, against the kernel's own account: many at once, beside one-shot processes, by whom. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { SOCKET, askStatus, callOf, drive, failures, holdings, hostPid, startEngine } from './engine-bed.ts';
import type { Driven } from './engine-bed.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { Host, Place } from './harness.ts';

const skip = lacking() ?? false;

const DRIVER = fileURLToPath(new URL('engine-driver.ts', import.meta.url));
const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };

async function containers(host: Host, count: number): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  for (let i = 0; i < count; i++) places.set(`c${i}`, await host.container(`c${i}`));
  return places;
}

/** The IPv4 addresses of eth0 in each, as the kernel has them. */
async function addresses(places: ReadonlyMap<string, Place>): Promise<string[]> {
  const found: string[] = [];
  for (const place of places.values()) {
    const [link] = await place.ip('address', 'show', 'dev', 'eth0');
    for (const { family, local } of link?.addr_info ?? []) if (family === 'inet') found.push(local);
  }
  return found;
}

function addressesOf({ answers }: Driven): string[] {
  return answers.flatMap((answer) =>
    answer !== null && 'stdout' in answer && answer.stdout !== ''
      ? (JSON.parse(answer.stdout) as { ips: { address: string }[] }).ips
          .map(({ address }) => address.replace(/\/.*/, ''))
          .filter((address) => address.includes('.'))
      : [],
  );
}

t.test('fifty containers at once', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 50);
    const engine = await startEngine(host);
    const all = (command: 'ADD' | 'DEL') => [...places.keys()].map((name) => callOf(command, name, CONFIG));
    await drive(host, [callOf('ADD', 'c0', CONFIG)]);
    await drive(host, [callOf('DEL', 'c0', CONFIG)]);
    const before = await host.snapshot({ ignoreFiles: /netmoor/ });
    const added = await drive(host, all('ADD'));
    t.same(failures(added), []);
    const real = await addresses(places);
    t.equal(new Set(real).size, 50, 'each has an address of its own');
    t.same(addressesOf(added), real, 'the one that it was told');
    const ports = await host.ip('link', 'show', 'type', 'veth');
    t.equal(ports.filter(({ master }) => master !== undefined).length, 50);
    t.same(failures(await drive(host, all('DEL'))), []);
    const after = await host.snapshot({ ignoreFiles: /netmoor/ });
    t.same(without(after, 'processes'), without(before, 'processes'), 'nothing is left');
    t.equal((await host.must(['ls', '/run/netmoor/requests'])).trim(), '', 'no notes either');
    t.match((await askStatus(host)).requests, { served: 102, failed: 0, running: 0, waiting: 0 });
    await engine.stop();
  });
});

t.test('the engine and processes of their own at once on one network', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 24);
    const engine = await startEngine(host);
    const names = [...places.keys()];
    const byEngine = names.filter((_, i) => i % 2 === 0);
    const byProcess = names.filter((_, i) => i % 2 === 1);
    const both = async (command: 'ADD' | 'DEL', swap: boolean): Promise<void> => {
      const [left, right] = swap ? [byProcess, byEngine] : [byEngine, byProcess];
      const [driven, ...answers] = await Promise.all([
        drive(
          host,
          left.map((name) => callOf(command, name, CONFIG)),
        ),
        ...right.map(async (name) =>
          host.cni('bridge-nat', command, {
            config: CONFIG,
            containerId: name,
            ifname: 'eth0',
            netns: `/run/netns/${name}`,
          }),
        ),
      ]);
      t.same(failures(driven), []);
      t.same(
        answers.filter(({ code }) => code !== 0),
        [],
        command,
      );
    };
    for (let round = 0; round < 3; round++) {
      await both('ADD', false);
      t.equal(new Set(await addresses(places)).size, 24, 'each has an address of its own');
      await both('DEL', true);
      const links = await host.ip('link', 'show', 'type', 'veth');
      t.equal(links.filter(({ ifname }) => ifname !== 'uplink').length, 0, 'nothing is left');
    }
    await engine.stop();
  });
});

/** Asks for the status as somebody, by socat; what comes back. */
async function askAs(host: Host, ...as: string[]): Promise<string> {
  const body = JSON.stringify({ protocol: 1, version: '0', kind: 'status' });
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  const input = Buffer.concat([header, Buffer.from(body)]);
  const argv = [...as, 'socat', '-t', '5', '-', `UNIX-CONNECT:${SOCKET}`];
  const { stdout, stderr } = await host.run(argv, { input });
  return `${stdout.slice(stdout.indexOf('{'))}${stderr}`;
}

t.test('IPAM plugins: those of others as processes, our own', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 12);
    const engine = await startEngine(host);
    const ipam = { type: 'host-local', subnet: '10.99.0.0/24' };
    const all = (command: 'ADD' | 'DEL', config: typeof CONFIG, program = config.type) =>
      [...places.keys()].map((name) => ({ ...callOf(command, name, config), program }));
    const delegated = { ...CONFIG, cniVersion: '1.0.0', ipam };
    t.same(failures(await drive(host, all('ADD', delegated))), []);
    const real = await addresses(places);
    t.equal(new Set(real).size, 12);
    t.ok(
      real.every((address) => address.startsWith('10.99.0.')),
      String(real),
    );
    t.same(failures(await drive(host, all('DEL', delegated))), []);
    const own = { ...CONFIG, type: 'bridge', ipam: { type: 'netmoor', subnet: '10.98.0.0/24' } };
    const leased = await drive(host, all('ADD', own, 'netmoor'));
    t.same(failures(leased), []);
    t.equal(new Set(addressesOf(leased)).size, 12);
    const { plugins = 0, tasks = 0 } = (await askStatus(host)).threads ?? {};
    t.ok(plugins >= 1 && plugins <= 4, `${plugins} threads for main plugins, as one comes on`);
    t.ok(tasks >= 1 && tasks <= 2, `${tasks} for those that they ask`);
    t.same(failures(await drive(host, all('DEL', own, 'netmoor'))), []);
    await engine.stop();
  });
});

/** An IPAM plugin of others that writes a file, as host-local does for each address. */
const WRITER = `#!/bin/sh
touch /run/plugins/$CNI_COMMAND
echo '{"cniVersion":"1.0.0","ips":[{"address":"10.97.0.2/24"}]}'`;

t.test(
  'files: those of IPAM plugins of others as a service makes them, ours for root',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      host.write('/run/plugins/writer', WRITER, 0o755);
      const engine = await startEngine(host);
      const config = { ...CONFIG, cniVersion: '1.0.0', ipam: { type: 'writer' } };
      const call = callOf('ADD', 'c1', config);
      const added = await drive(host, [
        { ...call, environment: { ...call.environment, CNI_PATH: '/run/plugins' } },
      ]);
      t.same(failures(added), []);
      t.equal((await host.must(['stat', '-c', '%a', '/run/plugins/ADD'])).trim(), '644');
      const directories = ['/run/netmoor', '/var/lib/cni/netmoor'];
      t.equal((await host.must(['stat', '-c', '%a', ...directories])).trim(), '700\n700');
      const open = await host.must([
        'find',
        ...directories,
        '-type',
        'f',
        '-perm',
        '/077',
        '-printf',
        '%f %m\n',
      ]);
      t.match(open, /^(koffi-[0-9a-f]+\.node 755\n)?$/, 'but the native module');
      await engine.stop();
    });
  },
);

t.test('only root is served', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const engine = await startEngine(host);
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    t.match(await askAs(host), /"report"/, 'root');
    t.match(await askAs(host, ...nobody), /Permission denied/, 'the path is closed');
    await host.shell(`chmod 755 /run/netmoor; chmod 666 ${SOCKET}`);
    t.match(await askAs(host, ...nobody), /"not-root"/, 'and so is the door behind it');
    t.match(
      await askAs(host, ...nobody, 'unshare', '--user', '--map-root-user', '--'),
      /"not-root"/,
      'a root of his own',
    );
    t.match(await askAs(host, 'setpriv', '--reuid=1000', '--clear-groups', '--'), /"not-root"/);
    t.match((await askStatus(host)).requests, { refused: 3 });
    await engine.stop();
  });
});

t.test('only those who see the same network and files are served', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const container = await host.container('c1');
    const engine = await startEngine(host);
    const input = JSON.stringify([callOf('ADD', 'c1', CONFIG)]);
    const from = async (place: Place, ...how: string[]): Promise<Driven> =>
      JSON.parse(await place.must([...how, process.execPath, DRIVER], { input }));
    const refused = { answers: [{ refused: { kind: 'other-namespace' } }] };
    t.match(await from(container), refused, 'another network');
    t.match(await from(host, 'unshare', '--mount', '--'), refused, 'other mounts');
    t.match(await from(host), { answers: [{ exitCode: 0 }] });
    await engine.stop();
  });
});

t.test('what one asks after another is flat: descriptors, threads, memory', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 25);
    const engine = await startEngine(host);
    const pid = await hostPid(host);
    const round = async (): Promise<void> => {
      for (const command of ['ADD', 'CHECK', 'DEL'] as const) {
        const config = command === 'CHECK' ? { ...CONFIG, cniVersion: '1.0.0' } : CONFIG;
        const driven = await drive(
          host,
          [...places.keys()].map((name) => callOf(command, name, config)),
        );
        // Without prevResult CHECK is an error of the caller: those must leave nothing either.
        if (command !== 'CHECK') t.same(failures(driven), []);
      }
    };
    for (let i = 0; i < 4; i++) await round();
    const first = await holdings(host, pid);
    for (let i = 0; i < 7; i++) await round();
    const last = await holdings(host, pid);
    t.comment(JSON.stringify({ first, last }));
    t.ok(last.fds <= first.fds + 8, `descriptors: ${first.fds}, then ${last.fds}`);
    t.equal(last.threads, first.threads);
    t.ok(last.rss - first.rss < 60_000, `KiB: ${first.rss}, then ${last.rss}`);
    await engine.stop();
  });
});

t.test('the lease store replaced under a running engine', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 2);
    const engine = await startEngine(host);
    t.same(failures(await drive(host, [callOf('ADD', 'c0', CONFIG)])), []);
    t.same(failures(await drive(host, [callOf('DEL', 'c0', CONFIG)])), []);
    await host.shell('rm -rf /var/lib/cni/netmoor');
    t.same(failures(await drive(host, [callOf('ADD', 'c1', CONFIG)])), []);
    const seen = await host.cni('bridge-nat', 'ADD', {
      config: CONFIG,
      containerId: 'c0',
      ifname: 'eth0',
      netns: '/run/netns/c0',
    });
    t.equal(seen.code, 0);
    t.equal(new Set(await addresses(places)).size, 2, 'both know of each other');
    await engine.stop();
  });
});

t.test('hanging clients keep nobody from being served', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const places = await containers(host, 3);
    const engine = await startEngine(host);
    const script = `for i in $(seq 60); do socat -u EXEC:'sleep 60' UNIX-CONNECT:${SOCKET} & done; wait`;
    const hanging = host.start(['sh', '-c', script]);
    await until(async () => ((await askStatus(host)).connections ?? 0) > 60, 'they hang', 20_000);
    t.same(
      failures(
        await drive(
          host,
          [...places.keys()].map((name) => callOf('ADD', name, CONFIG)),
        ),
      ),
      [],
    );
    await until(async () => (await askStatus(host)).connections === 1, 'they are sent away', 20_000);
    await hanging.stop();
    await engine.stop();
  });
});
