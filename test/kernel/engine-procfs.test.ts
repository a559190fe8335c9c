/** Settings below /proc/sys/net as an engine writes them, by a procfs of its own. */
import t from 'tap';
import { callOf, drive, startEngine } from './engine-bed.ts';
import { lacking, withHost } from './harness.ts';
import { Network } from './moorings.ts';

const skip = lacking() ?? false;

const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat', isGateway: true };

t.test('what is read-only stays so, with the engine as without', { skip }, async (t) => {
  await withHost(t, async (host) => {
    for (const name of ['c1', 'c2']) await host.container(name);
    const network = new Network(host, CONFIG);
    await network.container('c0');
    await host.shell('mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys');
    const alone = await network.run('ADD', 'c1');
    t.not(alone.code, 0, 'a process by itself cannot write them');
    const engine = await startEngine(host);
    const { answers } = await drive(host, [callOf('ADD', 'c2', CONFIG)]);
    t.match(answers, [{ exitCode: alone.code }], 'nor can the engine');
    const [answer] = answers;
    const told = answer !== null && answer !== undefined && 'stdout' in answer ? answer.stdout : '';
    t.equal((JSON.parse(told) as { code: number }).code, alone.json?.code);
    await engine.stop();
  });
});
