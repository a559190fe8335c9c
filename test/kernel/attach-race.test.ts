/** Two `attach --create NAME` at once, over and over: whoever fails takes nothing from the one that succeeds. */
import t from 'tap';
import { FORWARDING, attach, detach, netmoor, stateOf } from './attach-bed.ts';
import type { Attached } from './attach-bed.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host } from './harness.ts';

t.setTimeout(120_000);

const skip = lacking() ?? false;

/** Rounds are added until this much time has passed. */
const BUDGET_MS = 9_000;
const FEWEST_ROUNDS = 5;

async function rounds(round: () => Promise<void>): Promise<number> {
  const end = performance.now() + BUDGET_MS;
  let count = 0;
  for (; count < FEWEST_ROUNDS || performance.now() < end; count++) await round();
  return count;
}

/** The interfaces of the namespace of that name, and its inode; undefined when there is none. */
async function namespace(host: Host): Promise<{ inode: string; links: string[] } | undefined> {
  const script = "stat -c %i /run/netns/web; ip -n web -o link show | cut -d' ' -f2";
  const { code, stdout } = await host.run(['sh', '-euc', script]);
  const [inode = '', ...links] = stdout.trim().split('\n');
  return code === 0 ? { inode, links: links.map((link) => link.replace(/[@:].*/, '')) } : undefined;
}

t.test('the same network: one succeeds, and keeps what it has', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      // Neither has to make what stays for good.
      await attach(host, '--create', 'web');
      await detach(host, '--netns', 'web', '--delete');
      const before = await stateOf(host);
      const failures: string[] = [];
      const once = () => netmoor(host, 'attach', '--json', '--create', 'web');
      const count = await rounds(async () => {
        const outcomes = await Promise.all([once(), once()]);
        const successes = outcomes.filter(({ code }) => code === 0);
        if (successes.length !== 1) failures.push(JSON.stringify(outcomes));
        const there = await namespace(host);
        if (there?.links.includes('eth0') !== true)
          failures.push(`reported as attached, there is ${JSON.stringify(there)}`);
        await detach(host, '--netns', 'web', '--delete');
        if ((await namespace(host)) !== undefined) failures.push('one namespace was over another');
      });
      t.strictSame(failures, [], `${count} rounds`);
      await until(async () => {
        t.same(await stateOf(host), before);
        return true;
      }, 'nothing is left');
    },
    FORWARDING,
  );
});

t.test('one that fails beside one that succeeds', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const failures: string[] = [];
      const count = await rounds(async () => {
        const [wrong, right] = await Promise.all([
          netmoor(host, 'attach', '--create', 'web', 'nowhere'),
          netmoor(host, 'attach', '--json', '--create', 'web'),
        ]);
        if (wrong.code === 0 || right.code !== 0) failures.push(JSON.stringify([wrong, right]));
        const attached = right.code === 0 ? (JSON.parse(right.stdout) as Attached[]) : [];
        const there = await namespace(host);
        if (attached.length !== 1 || there?.links.includes('eth0') !== true)
          failures.push(`reported as attached, there is ${JSON.stringify(there)}`);
        await netmoor(host, 'detach', '--netns', 'web', '--delete');
      });
      t.strictSame(failures, [], `${count} rounds`);
    },
    FORWARDING,
  );
});

t.test('what is made by one name is not taken away by another of that name', { skip }, async (t) => {
  await withHost(t, async (host) => {
    // The plugin puts another namespace in the place of the one that was made, then fails.
    const script = `#!/bin/sh
cat > /dev/null
[ "$CNI_COMMAND" = ADD ] || exit 0
ip netns delete web
ip netns add web
exit 1
`;
    host.write('/opt/cni/bin/swap', script, 0o755);
    const list = { cniVersion: '1.0.0', name: 'swap', plugins: [{ type: 'swap' }] };
    host.write('/etc/cni/net.d/swap.conflist', JSON.stringify(list));
    t.match(await netmoor(host, 'attach', '--create', 'web', 'swap'), { code: 1 });
    t.ok(await namespace(host), 'that of somebody else stays');
  });
});
