/** Somebody holds the lease store, and does not let go of it: whoever needs it is told to try again. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import type { CniAnswer, CniCommand } from '../kernel/harness.ts';
import { BRIDGE_NAT, Network } from '../kernel/moorings.ts';
import { asked, NETMOOR } from '../kernel/netmoor-command.ts';
import { kill, resume, stop } from './signals.ts';

const skip = lacking() ?? false;
t.setTimeout(180_000);
/** Beyond the patience of one who waits for the store. */
const DEADLINE_MS = 90_000;

const HOLD = `const { DatabaseSync } = require('node:sqlite');
const db = new DatabaseSync('/var/lib/cni/netmoor/leases.db');
db.exec('BEGIN IMMEDIATE');
console.log('held');
setInterval(() => {}, 1000);`;

t.test('every verb says so, and works when it is let go', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host);
    for (const name of ['c1', 'c2', 'dead1', 'dead2']) await network.container(name);
    await host.container('c3');
    await host.shell('ip netns delete dead1; ip netns delete dead2');
    const holder = host.start([process.execPath, '-e', HOLD]);
    await holder.until(() => holder.output.includes('held'), 'the lock');
    await stop(holder);
    const none = { 'cni.dev/valid-attachments': [{ containerID: 'c2', ifname: 'eth0' }] };
    const call = (command: CniCommand, containerId: string, more: object = {}): Promise<CniAnswer> =>
      host.cni([BRIDGE_NAT], command, {
        config: { ...network.config, ...more },
        containerId,
        ifname: 'eth0',
        netns: `/run/netns/${containerId}`,
        deadlineMs: DEADLINE_MS,
      });
    const all = { 'cni.dev/valid-attachments': [] };
    const command = host.run([NETMOOR, 'gc', '--json'], { deadlineMs: DEADLINE_MS });
    const answers = await Promise.all([call('ADD', 'c3'), call('DEL', 'c2'), call('GC', '', all)]);
    t.equal((await command).stdout.match(/is held/g)?.length, 1, 'the command, too');
    for (const { json } of answers) t.match(json, { code: 11, msg: /is held by process \d+, "node/ });
    t.equal(answers[2].json?.msg?.match(/is held/g)?.length, 1, 'GC waits once, however many there are');
    t.equal((await asked(host, 'ls')).view.length, 4, 'reading needs no lock');
    kill(holder);
    await resume(holder);
    await holder.end();
    t.match(await network.whole('GC', none), { code: 0 });
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c2' }]);
    t.match(await network.run('DEL', 'c2'), { code: 0 });
    t.match(await network.run('ADD', 'c3'), { code: 0 });
    await network.del('c3');
  });
});
