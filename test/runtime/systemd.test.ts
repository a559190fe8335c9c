/**
 * The systemd examples under a real systemd: a namespace unit, a service in it, and virtual private servers run by
 * runc.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { lackingFor } from './lacking.ts';
import { HOST4, Machine, busyboxRoot } from './systemd-machine.ts';
import { serve, until, withHost } from '../kernel/harness.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'systemd-analyze', 'runc', 'busybox', 'socat', 'jq', 'dbus-daemon');

const EXAMPLES = new URL('../../hooks/oci/examples/', import.meta.url);

/** The part of config.json that all of them share, as it is shipped. */
const SHARED = JSON.parse(readFileSync(new URL('vps-hooks.json', EXAMPLES), 'utf8')) as object;

/** The file of a server, with everything in it that the example has. */
function envOf(name: string, ip: string, ports: string): string {
  const changes = new Map([
    ['VPS_NAME', name],
    ['VPS_IP', ip],
    ['VPS_PORTS', ports],
  ]);
  const example = readFileSync(new URL('vps.env', EXAMPLES), 'utf8');
  return example.replace(
    /^(\w+)=(.*)$/gm,
    (_, key: string, value: string) => `${key}=${changes.get(key) ?? value}`,
  );
}

/** Ends at the signal that systemd would shut down at. */
const INIT = 'trap "exit 0" 37; httpd -f -p 22 -h /root & wait';

/** What the bundle's config.json has otherwise than `runc spec` writes it. */
function vpsConfig(name: string): object {
  return {
    hostname: name,
    process: { terminal: false, args: ['/bin/sh', '-c', INIT] },
    root: { readonly: false },
    ...SHARED,
  };
}

/** A bundle for vps@.service. */
function vps(name: string, env: string): string {
  return `(
mkdir -p var/lib/vps/${name}
cd var/lib/vps/${name}
${busyboxRoot('rootfs')}
echo 'this is ${name}' > rootfs/root/index.html
cat > vps.env <<'end'
${env}end
runc spec
echo '${JSON.stringify(vpsConfig(name))}' > changes.json
jq -s '.[0] * .[1]' config.json changes.json > merged.json
mv merged.json config.json
)
`;
}

const PREPARE = `
mkdir -p srv/web
echo 'this is web' > srv/web/index.html
echo 'NETMOOR_OPTIONS=--port 8080:80 --dns 192.0.2.53' > etc/netmoor/web.env
${vps('alpha', envOf('alpha', '172.18.0.11', '22011:22'))}
${vps('beta', envOf('beta', '172.18.0.12', '22012:22'))}
`;

async function attachments(machine: Machine): Promise<object[]> {
  return JSON.parse(await machine.must('netmoor', 'ls', '--json')) as object[];
}

async function service(t: Test, machine: Machine): Promise<void> {
  await machine.must('systemctl', 'start', 'webserver@web');
  t.equal(await machine.property('netns@web', 'ActiveState'), 'active');
  t.match(await attachments(machine), [
    { network: 'netmoor', containerId: 'web', netns: '/run/netns/web', ports: [{ hostPort: 8080 }] },
  ]);
  const first = await machine.property('webserver@web', 'MainPID');
  t.not(
    await machine.must('readlink', `/proc/${first}/ns/net`),
    await machine.must('readlink', '/proc/1/ns/net'),
  );
  t.equal(await machine.fetch(8080), 'this is web\n');
  t.match(await machine.must('cat', `/proc/${first}/root/etc/resolv.conf`), /^nameserver 192\.0\.2\.53$/m);
  await machine.must('netmoor', 'exec', 'web', '--', 'busybox', 'nc', HOST4, '80', '-e', 'true');

  await machine.must('kill', '-9', first);
  await until(
    async () => !['0', first].includes(await machine.property('webserver@web', 'MainPID')),
    'the service is there again',
    10_000,
  );
  // The process is there before it listens.
  await until(
    async () => (await machine.fetch(8080)) === 'this is web\n',
    'the new process answers in the same network',
  );

  await machine.must('systemctl', 'stop', 'webserver@web');
  await until(
    async () => (await machine.property('netns@web', 'ActiveState')) === 'inactive',
    'the namespace is gone with its last user',
    10_000,
  );
  t.strictSame(await attachments(machine), []);
  t.equal((await machine.must('ls', '/run/netns')).trim(), '');
  t.equal((await machine.run(['ls', '/etc/netns'])).code, 2, 'and so is its resolv.conf');
  t.equal(await machine.fetch(8080), undefined);
}

async function servers(t: Test, machine: Machine): Promise<void> {
  await machine.must('systemctl', 'start', 'vps@alpha', 'vps@beta');
  for (const [name, port] of [
    ['alpha', 22011],
    ['beta', 22012],
  ] as const) {
    const seen = await until(async () => machine.fetch(port), `${name} answers`, 20_000);
    t.equal(seen, `this is ${name}\n`);
  }
  const names = await machine.must('cat', '/run/netmoor/hosts');
  t.match(names, /^172\.18\.0\.11\talpha\t/m, 'a proxy on the host finds them by name');
  t.match(names, /^172\.18\.0\.12\tbeta\t/m);
  t.match(await machine.must('cat', '/var/lib/vps/alpha/rootfs/etc/hosts'), /172\.18\.0\.11\s+alpha/);
  t.equal(await machine.must('cat', '/var/lib/vps/beta/.ip'), '172.18.0.12\n');
  await machine.must('systemctl', 'restart', 'vps@alpha');
  const again = await until(async () => machine.fetch(22011), 'alpha answers again', 20_000);
  t.equal(again, 'this is alpha\n', 'under the same address');
  const killed = await machine.property('vps@beta', 'MainPID');
  await machine.must('systemctl', 'kill', '--signal=KILL', 'vps@beta');
  const restarted = async () => !['0', killed].includes(await machine.property('vps@beta', 'MainPID'));
  await until(restarted, 'beta is started again after a crash', 20_000);
  t.equal(await until(async () => machine.fetch(22012), 'beta answers again', 20_000), 'this is beta\n');
  await machine.must('systemctl', 'stop', 'vps@alpha', 'vps@beta');
  t.strictSame(await attachments(machine), []);
  t.equal(await machine.fetch(22011), undefined);
}

t.test('under systemd', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await serve(host, 'tcp', 80);
    const machine = await Machine.boot(host, PREPARE);
    await t.test('the unit files are correct', async (t) => {
      const units = ['netns@web', 'webserver@web', 'vps@alpha', 'systemd-nspawn@web'].map(
        (name) => `${name}.service`,
      );
      const verified = await machine.run(['systemd-analyze', 'verify', '--man=no', ...units]);
      t.match(verified, { code: 0, stderr: '', stdout: '' });
    });
    await t.test('a service in a namespace of its own', (t) => service(t, machine));
    await t.test('virtual private servers', (t) => servers(t, machine));
  });
});
