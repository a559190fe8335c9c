/** The executable on hosts that are not as they should be: what it reads and lays down outside its own file. */
import { join } from 'node:path';
import t from 'tap';
import { NODE_FLAGS } from '../../cli/build/flags.ts';
import { BIN, NODE, ROOT, STAGES } from '../../cli/build/paths.ts';
import { findPlugin } from './harness-cni.ts';
import { lacking, withHost } from './harness.ts';
import type { CniAnswer, CniCommand, Host } from './harness.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

const STORE = '/var/lib/deep/store';
const ipam = { subnet: '10.77.0.0/24', dataDir: STORE };
const CONFIG = { cniVersion: '1.1.0', name: 'net1', type: 'bridge-nat', ipam };

async function call(host: Host, command: CniCommand, umask = '022'): Promise<CniAnswer> {
  return host.cni(['sh', '-c', `umask ${umask}; exec ${findPlugin('bridge-nat')}`], command, {
    config: CONFIG,
    containerId: 'c1',
    ifname: 'eth0',
    netns: '/run/netns/c1',
  });
}

t.test('a broken /etc/ssl/openssl.cnf is nothing to us', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    host.write('/etc/ssl/openssl.cnf', 'garbage [[[');
    for (const command of ['ADD', 'DEL'] as const)
      t.match(await call(host, command), { code: 0, stderr: '' });
  });
});

/** What nobody may execute from: a tmpfs of that kind, or a directory that can only be read. */
const NOEXEC_VAR = 'mount -t tmpfs -o mode=755,noexec tmpfs /var';
const NOEXEC_RUN = 'mount -o remount,noexec /run';
const NOEXEC_MEMORY = 'mount -t tmpfs -o noexec tmpfs /dev/shm';
const READ_ONLY_BIN = `mount --bind ${BIN} ${BIN}\nmount -o remount,bind,ro ${BIN}`;

t.test('the native module is laid down where it can be loaded', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await host.shell(NOEXEC_VAR);
    for (const command of ['ADD', 'DEL'] as const)
      t.match(await call(host, command), { code: 0, stderr: '' });
    t.match(await host.shell('ls /run/netmoor/native'), /^koffi-/);
  });
});

t.test('the native module beside the executable', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await host.shell(
      `${NOEXEC_VAR}\n${NOEXEC_RUN}\nmkdir -p /opt/cni/bin\ncp ${BIN}/bridge-nat /opt/cni/bin/`,
    );
    const { code } = await host.cni(['/opt/cni/bin/bridge-nat'], 'DEL', {
      config: CONFIG,
      containerId: 'c1',
      ifname: 'eth0',
    });
    t.equal(code, 0);
    t.match(await host.shell('ls /opt/cni/bin/.netmoor-native'), /^koffi-/);
  });
});

t.test('where the native module cannot be loaded, an answer says so', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await host.shell(`${NOEXEC_VAR}\n${NOEXEC_RUN}\n${READ_ONLY_BIN}\n${NOEXEC_MEMORY}`);
    const { code, json, stderr } = await call(host, 'ADD');
    t.match({ code, stderr }, { code: 1, stderr: '' });
    t.match(json, { cniVersion: '1.1.0', code: 5, details: naming('noexec') });
  });
});

t.test('permissions do not depend on the umask', { skip }, async (t) => {
  for (const umask of ['000', '077']) {
    await withHost(t, async (host) => {
      await host.container('c1');
      await host.shell('rm -rf /var/lib/cni /run/netmoor');
      t.equal((await call(host, 'ADD', umask)).code, 0, `umask ${umask}`);
      const expected = [
        '755 /run/netmoor',
        '755 /run/netmoor/stores',
        '755 /var/lib/deep',
        '700 /var/lib/deep/store',
        '600 /var/lib/deep/store/leases.db',
        '755 /var/lib/cni',
        '700 /var/lib/cni/netmoor',
        '755 /var/lib/cni/netmoor/native',
      ];
      const paths = expected.map((line) => line.slice(4)).join(' ');
      t.equal(await host.shell(`stat -c "%a %n" ${paths}`), `${expected.join('\n')}\n`);
      t.equal(
        await host.shell('find /var/lib/deep /var/lib/cni /run/netmoor ! -type l -perm /022'),
        '',
        'nothing for all to write',
      );
    });
  }
});

t.test('a rehearsal that fails makes no code cache', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell('mount -t tmpfs -o ro tmpfs /var/lib');
    for (const { name } of STAGES) {
      const argv = ['unshare', '--net', NODE, ...NODE_FLAGS, join(ROOT, 'cli/build/rehearse.ts'), name];
      const { code, stderr } = await host.run(argv);
      t.equal(code, 1);
      t.match(stderr, naming('ADD', '"code": 5'));
    }
  });
});
