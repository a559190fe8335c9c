/**
 * What would be waited for without end, met by the executables: FIFOs where files are expected, a lock that is never
 * given back.
 */
import t from 'tap';
import { FORWARDING, stateOf } from './attach-bed.ts';
import { OWN_PLUGINS } from './harness-cni.ts';
import { lacking, until, withHost } from './harness.ts';
import type { Host } from './harness.ts';
import { refused } from './netmoor-command.ts';
import { naming } from '../naming.ts';

t.setTimeout(120_000);

const skip = lacking() ?? false;

/** Whoever opens it waits for its other end; a process is killed here after 30 seconds, and the test fails. */
const FIFO = '/run/fifo';

t.test('a FIFO in the place of a namespace or of resolv.conf', { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      await host.container('c1');
      await host.shell(`mkfifo ${FIFO}`);
      const before = await stateOf(host);
      const call = { containerId: 'c1', ifname: 'eth0' };
      const config = { cniVersion: '1.0.0', name: 'net', type: 'bridge-nat' };
      const wrong = await host.cni('bridge-nat', 'ADD', { ...call, config, netns: FIFO });
      t.match(wrong, { code: 1, json: { code: 4 } });
      const gone = await host.cni('bridge-nat', 'DEL', { ...call, config, netns: FIFO });
      t.equal(gone.code, 0, 'DEL needs no namespace');
      const ipam = { subnet: '10.77.0.0/24', resolvConf: FIFO };
      const unread = await host.cni('bridge-nat', 'ADD', {
        ...call,
        config: { ...config, ipam },
        netns: '/run/netns/c1',
      });
      t.match(unread, { code: 1, json: { code: 5 } });
      t.match(await refused(host, 'attach', '--netns', FIFO), { exit: 1, code: 4, text: naming(FIFO) });
      await until(async () => {
        t.same(await stateOf(host), before);
        return true;
      }, 'nothing is left');
    },
    FORWARDING,
  );
});

/** Keeps the map of names locked until stopped. */
async function holdLock(host: Host): Promise<() => Promise<void>> {
  await host.shell('mkdir -p /run/netmoor');
  const holder = host.start([
    'flock',
    '--no-fork',
    '/run/netmoor/hosts.lock',
    'sh',
    '-c',
    'echo locked; exec sleep infinity',
  ]);
  await holder.until(() => holder.output.includes('locked'), 'lock');
  return () => holder.stop();
}

t.test('the lock of the map of names is never given back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const release = await holdLock(host);
    const { place, stop } = await host.processContainer('c1');
    const pid = Number(place.netnsPath.split('/')[2]);
    const state = JSON.stringify({
      ociVersion: '1.0.2',
      id: 'c1',
      status: 'created',
      pid,
      bundle: '/run/nowhere',
    });
    const failed = await host.run([`${OWN_PLUGINS}/netmoor-hook`], { input: state });
    t.match(failed, { code: 1, stderr: naming('error 11:', '/run/netmoor/hosts.lock') });
    t.same(
      (await place.ip('link', 'show')).map(({ ifname }) => ifname),
      ['lo'],
      'the container is not attached',
    );
    await release();
    t.match(await host.run([`${OWN_PLUGINS}/netmoor-hook`], { input: state }), { code: 0, stderr: '' });
    await stop();
  });
});
