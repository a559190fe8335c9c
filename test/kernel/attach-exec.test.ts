/** netmoor exec: programs in the network of a container. */
import t from 'tap';
import { attach, must, netmoor, NETMOOR } from './attach-bed.ts';
import { lacking, withHost } from './harness.ts';
import { refused } from './netmoor-command.ts';
import { naming } from '../naming.ts';
import { inEveryForm, nodeOptions } from '../node-options.ts';

const HASH = '0123456789abcdef'.repeat(4);

t.setTimeout(180_000);

const skip = lacking() ?? false;

t.test('exec', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await attach(host, '--create', 'web', '--id', HASH, '--name', 'front');
    const inside = await host.at('/run/netns/web').must(['readlink', '/proc/self/ns/net']);
    for (const name of ['web', 'front', HASH, HASH.slice(0, 12)]) {
      t.equal(await must(host, 'exec', name, '--', 'readlink', '/proc/self/ns/net'), inside, name);
    }
    t.equal(
      await host.must([NETMOOR, 'exec', 'web', '--', 'cat'], { input: 'through stdin' }),
      'through stdin',
    );
    t.match(await netmoor(host, 'exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'), {
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    t.match(await netmoor(host, 'exec', 'web', '--', 'sh', '-c', 'kill -TERM $$'), { signal: 'SIGTERM' });
    t.equal(
      await must(host, 'exec', 'web', '--', 'sh', '-c', 'yes | head -n 1'),
      'y\n',
      'SIGPIPE ends a writer',
    );
    t.equal(
      await must(host, 'exec', 'web', '--', 'sh', '-c', 'printf %s "$1"', 'sh', '--json $(id)'),
      '--json $(id)',
      'arguments are passed as they are',
    );
    for (const form of inEveryForm(nodeOptions())) {
      const printed = await must(host, 'exec', 'web', '--', 'printf', '%s\\n', ...form);
      t.strictSame(printed.trimEnd().split('\n'), form, 'options of Node.js, too');
    }
    t.match(await must(host, 'exec', 'web', '--', 'env'), /^HOME=\/root$/m, 'the environment, too');
    t.same((await must(host, 'exec', 'web', '--', 'ls', '/sys/class/net')).trim().split('\n'), [
      'eth0',
      'lo',
    ]);
    const namespace = await host.must(['readlink', '/proc/1/ns/net']);
    t.not(inside, namespace);
    t.notOk(
      (await host.must(['cat', '/proc/mounts'])).includes('/etc/resolv.conf'),
      'mounts of the host stay as they are',
    );
  });
});

t.test('files of /etc/netns/NAME take the place of those in /etc', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await attach(host, '--create', 'web');
    await attach(host, '--create', 'db');
    host.write('/etc/netns/web/resolv.conf', 'nameserver 192.0.2.53\n');
    host.write('/etc/netns/web/no-such-file-in-etc', '');
    const hosts = await host.must(['cat', '/etc/resolv.conf']);
    t.equal(await must(host, 'exec', 'web', '--', 'cat', '/etc/resolv.conf'), 'nameserver 192.0.2.53\n');
    t.equal(await must(host, 'exec', 'db', '--', 'cat', '/etc/resolv.conf'), hosts);
    t.equal(await host.must(['cat', '/etc/resolv.conf']), hosts);
  });
});

t.test('what cannot be executed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await attach(host, '--create', 'web', '--name', 'same');
    await attach(host, '--create', 'web2', '--name', 'same');
    host.write('/run/text', 'no program', 0o644);
    /** Arguments, exit status, CNI code, and what the error names. */
    const cases: [string[], number, number, ...string[]][] = [
      [[], 2, 7, 'CONTAINER', 'COMMAND'],
      [['web'], 2, 7, 'web', 'COMMAND'],
      [['web', 'ip', 'link'], 2, 7, 'ip'],
      [['wob', '--', 'true'], 1, 3, '"wob"', 'web'],
      [['same', '--', 'true'], 1, 7, '"same"', '2'],
      [['webb', '--', 'true'], 1, 3, '"webb"', 'web'],
      [['../web', '--', 'true'], 1, 3, '"../web"'],
      [['web', '--', 'no-such-program'], 1, 5, 'no-such-program'],
      [['web', '--', '/run/text'], 1, 106, '/run/text', 'EACCES'],
    ];
    for (const [args, exit, code, ...things] of cases)
      t.match(await refused(host, 'exec', ...args), { exit, code, text: naming(...things) }, args.join(' '));
    await host.must(['ip', 'netns', 'delete', 'web']);
    t.match(
      await refused(host, 'exec', 'web', '--', 'true'),
      { exit: 1, code: 3 },
      'a container that is gone',
    );
  });
});
