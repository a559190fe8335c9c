/** Files written into a container and its bundle: where they land, and where nobody gets them to land. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import type { Bundle, Mount } from '../../hooks/oci/bundle.ts';
import { stageContainerFile } from '../../hooks/oci/container-files.ts';
import { removeResultFiles, stageResultFiles } from '../../hooks/oci/result-files.ts';
import { hostsText } from '../../hooks/oci/texts.ts';
import { combineDns, dnsOn, resolvConfText, usableInContainer } from '../../lib/cni/resolv-conf.ts';
import { RESULT } from './cni-fakes.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { naming } from '../naming.ts';

interface Ground {
  readonly root: string;
  readonly bundle: Bundle;
  readonly rootfs: string;
  /** A file outside, that must stay as it is. */
  readonly victim: string;
}

function ground(t: Test, mounts: readonly Mount[] = []): Ground {
  const root = mkdtempSync(join(tmpdir(), 'netmoor-files-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const directory = join(root, 'bundle');
  const rootfs = join(directory, 'rootfs');
  mkdirSync(join(rootfs, 'etc'), { recursive: true });
  const victim = join(root, 'victim');
  writeFileSync(victim, 'precious');
  return { root, rootfs, victim, bundle: { directory, rootfs, hasNetworkNamespace: true, mounts } };
}

const NAMED = [{ network: 'front', ifname: 'eth0', result: RESULT, ports: [] }];
const CONFIG = { networks: [], dns: {}, files: [], resultFile: 'net.json', ipFile: '.ip' };

function write(bundle: Bundle, text = 'new\n', id = 'c1'): void {
  const staged = stageContainerFile('resolv.conf', text, bundle, id);
  staged.commit();
  staged.discard();
}

t.test('a file of the root file system is replaced', async (t) => {
  const { bundle, rootfs } = ground(t);
  writeFileSync(join(rootfs, 'etc/resolv.conf'), 'old', { mode: 0o600 });
  const staged = stageContainerFile('resolv.conf', 'new\n', bundle, 'c1');
  t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), 'old', 'not before it is committed');
  staged.commit();
  t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), 'new\n');
  t.equal(lstatSync(join(rootfs, 'etc/resolv.conf')).mode & 0o777, 0o644);
  t.strictSame(readdirSync(join(rootfs, 'etc')), ['resolv.conf']);
});

t.test('what is discarded leaves no trace', async (t) => {
  const { bundle, rootfs } = ground(t);
  stageContainerFile('hosts', 'new\n', bundle, 'c1').discard();
  t.strictSame(readdirSync(join(rootfs, 'etc')), []);
});

t.test('an image without /etc', async (t) => {
  const { bundle, rootfs } = ground(t);
  rmSync(join(rootfs, 'etc'), { recursive: true });
  write(bundle);
  t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), 'new\n');
});

t.test('whatever the umask, everybody in the container can read it', async (t) => {
  const { bundle, rootfs } = ground(t);
  rmSync(join(rootfs, 'etc'), { recursive: true });
  const umask = process.umask(0o077);
  try {
    write(bundle);
    for (const staged of stageResultFiles(CONFIG, bundle.directory, 'c1', NAMED)) staged.commit();
  } finally {
    process.umask(umask);
  }
  t.equal(lstatSync(join(rootfs, 'etc')).mode & 0o777, 0o755);
  t.equal(lstatSync(join(rootfs, 'etc/resolv.conf')).mode & 0o777, 0o644);
  t.equal(lstatSync(join(bundle.directory, '.ip')).mode & 0o777, 0o644);
});

t.test('links in the root file system', async (t) => {
  await t.test('the file itself is one: it is replaced, what it names is not', async (t) => {
    const { bundle, rootfs, victim } = ground(t);
    for (const target of [victim, '../../../../victim', '../run/resolv.conf', 'resolv.conf']) {
      rmSync(join(rootfs, 'etc/resolv.conf'), { force: true });
      symlinkSync(target, join(rootfs, 'etc/resolv.conf'));
      write(bundle);
      t.ok(lstatSync(join(rootfs, 'etc/resolv.conf')).isFile(), target);
      t.equal(readFileSync(victim, 'utf8'), 'precious');
    }
  });

  await t.test('the directory is one: it leads where it leads inside the container', async (t) => {
    const { bundle, rootfs, root, victim } = ground(t);
    rmSync(join(rootfs, 'etc'), { recursive: true });
    mkdirSync(join(rootfs, 'usr/etc'), { recursive: true });
    mkdirSync(join(root, 'elsewhere'));
    symlinkSync('/usr/etc', join(rootfs, 'etc'));
    write(bundle);
    t.equal(readFileSync(join(rootfs, 'usr/etc/resolv.conf'), 'utf8'), 'new\n');
    for (const target of [
      join(root, 'elsewhere'),
      '../../elsewhere',
      '/../../elsewhere',
      '/proc/1/root/etc',
      'nowhere',
    ]) {
      rmSync(join(rootfs, 'etc'));
      symlinkSync(target, join(rootfs, 'etc'));
      t.throws(() => write(bundle), { kind: 'io', message: naming('"etc/resolv.conf"') }, target);
      t.strictSame(readdirSync(join(root, 'elsewhere')), [], target);
    }
    t.equal(readFileSync(victim, 'utf8'), 'precious');
  });

  await t.test('the draft is one', async (t) => {
    const { bundle, rootfs, victim } = ground(t);
    symlinkSync(victim, join(rootfs, 'etc/.netmoor-resolv.conf'));
    write(bundle);
    t.equal(readFileSync(victim, 'utf8'), 'precious');
    t.equal(readFileSync(join(rootfs, 'etc/resolv.conf'), 'utf8'), 'new\n');
    t.strictSame(readdirSync(join(rootfs, 'etc')), ['resolv.conf']);
  });
});

t.test('a directory in the place of the file is refused', async (t) => {
  const { bundle, rootfs } = ground(t);
  mkdirSync(join(rootfs, 'etc/resolv.conf'));
  t.throws(() => write(bundle), { kind: 'io', message: naming('"etc/resolv.conf"') });
  t.strictSame(readdirSync(join(rootfs, 'etc')), ['resolv.conf']);
});

t.test('mounts', async (t) => {
  await t.test('a file of the bundle that is mounted there is overwritten in place', async (t) => {
    const { bundle } = ground(t);
    const source = join(bundle.directory, 'resolv.conf');
    writeFileSync(source, 'something longer than the new text');
    const before = lstatSync(source).ino;
    write({ ...bundle, mounts: [{ destination: '/etc/resolv.conf', source }] });
    t.equal(readFileSync(source, 'utf8'), 'new\n');
    t.equal(lstatSync(source).ino, before, 'the mount still shows it');
  });

  await t.test("a runtime's own file for this container too", async (t) => {
    const { bundle, root } = ground(t);
    const id = 'a1'.repeat(32);
    for (const place of [`vfs-containers/${id}/userdata`, `io.containerd.grpc.v1.cri/sandboxes/${id}`]) {
      mkdirSync(join(root, place), { recursive: true });
      const source = join(root, place, 'resolv.conf');
      writeFileSync(source, 'old');
      write({ ...bundle, mounts: [{ destination: '/etc/resolv.conf', source }] }, 'new\n', id);
      t.equal(readFileSync(source, 'utf8'), 'new\n', place);
    }
  });

  await t.test("a directory that only has the container's id for a name is not its own", async (t) => {
    const { bundle, root } = ground(t);
    const hash = 'a1'.repeat(32);
    const places: [string, string][] = [
      ['etc', 'etc'],
      ['c1', 'vfs-containers/c1/userdata'],
      [hash, hash],
      [hash, `vfs-containers/${hash}`],
      [hash, `elsewhere/${hash}/userdata`],
    ];
    for (const [id, place] of places) {
      mkdirSync(join(root, place), { recursive: true });
      const source = join(root, place, 'resolv.conf');
      writeFileSync(source, 'precious');
      const mounts = [{ destination: '/etc/resolv.conf', source }];
      t.throws(
        () => write({ ...bundle, mounts }, 'new\n', id),
        { kind: 'bad-config', message: naming('/etc/resolv.conf') },
        place,
      );
      t.equal(readFileSync(source, 'utf8'), 'precious');
    }
  });

  await t.test("the host's own files are nobody's, whatever the bundle", async (t) => {
    const { bundle } = ground(t);
    const before = readFileSync('/etc/hosts', 'utf8');
    const mounts = [{ destination: '/etc/hosts', source: '/etc/hosts' }];
    const stage = (changes: Partial<Bundle>): void =>
      stageContainerFile('hosts', before, { ...bundle, ...changes }, 'etc').discard();
    for (const directory of ['/', '/etc'])
      t.throws(
        () => stage({ directory, mounts }),
        { kind: 'bad-config', message: naming('"/etc/hosts"') },
        directory,
      );
    t.throws(() => stage({ rootfs: '/' }), { kind: 'bad-config', message: naming('/') });
    t.equal(readFileSync('/etc/hosts', 'utf8'), before);
  });

  await t.test("what is not the container's own is refused", async (t) => {
    const { bundle, victim, root } = ground(t);
    symlinkSync(victim, join(bundle.directory, 'link'));
    symlinkSync(root, join(bundle.directory, 'up'));
    mkdirSync(join(bundle.directory, 'folder'));
    const mounts: [string, Mount, ErrorKind, string][] = [
      ["the host's file", { destination: '/etc/resolv.conf', source: victim }, 'bad-config', victim],
      [
        'a link in the bundle',
        { destination: '/etc/resolv.conf', source: join(bundle.directory, 'link') },
        'io',
        '"link"',
      ],
      [
        'a link on the way',
        { destination: '/etc/resolv.conf', source: join(bundle.directory, 'up/victim') },
        'io',
        '"up/victim"',
      ],
      [
        'a directory',
        { destination: '/etc/resolv.conf', source: join(bundle.directory, 'folder') },
        'io',
        'EISDIR',
      ],
      ['a directory over it', { destination: '/etc', source: '/etc' }, 'bad-config', '"/etc"'],
      ['a file system over it', { destination: '/etc' }, 'bad-config', '/etc'],
    ];
    for (const [name, mount, kind, thing] of mounts)
      t.throws(() => write({ ...bundle, mounts: [mount] }), { kind, message: naming(thing) }, name);
    t.equal(readFileSync(victim, 'utf8'), 'precious');
  });

  await t.test('the last mount decides', async (t) => {
    const { bundle } = ground(t);
    const source = join(bundle.directory, 'resolv.conf');
    writeFileSync(source, '');
    write({ ...bundle, mounts: [{ destination: '/etc' }, { destination: '/etc/resolv.conf', source }] });
    t.equal(readFileSync(source, 'utf8'), 'new\n');
    t.throws(
      () =>
        write({ ...bundle, mounts: [{ destination: '/etc/resolv.conf', source }, { destination: '/etc' }] }),
      { kind: 'bad-config', message: naming('/etc/resolv.conf') },
    );
  });
});

t.test('results in the bundle', async (t) => {
  const { bundle } = ground(t);
  const directory = bundle.directory;
  for (const staged of stageResultFiles(CONFIG, directory, 'c1', NAMED)) staged.commit();
  t.equal(readFileSync(join(directory, '.ip'), 'utf8'), '10.1.0.2\n');
  const written = JSON.parse(readFileSync(join(directory, 'net.json'), 'utf8')) as object;
  t.match(written, {
    containerId: 'c1',
    networks: [
      {
        network: 'front',
        ifname: 'eth0',
        result: { cniVersion: '1.1.0', ips: [{ address: '10.1.0.2/16' }] },
      },
    ],
  });
  for (const staged of stageResultFiles(CONFIG, directory, 'c1', NAMED)) staged.commit();
  removeResultFiles(CONFIG, directory);
  t.strictSame(readdirSync(directory), ['rootfs']);
  removeResultFiles(CONFIG, directory);
  removeResultFiles(CONFIG, '/nowhere/at/all');
});

t.test('results that would replace something else', async (t) => {
  const { bundle, root, victim } = ground(t);
  const { directory } = bundle;
  writeFileSync(join(directory, 'config.json'), '{"ociVersion":"1.0.2"}');
  mkdirSync(join(directory, 'folder'));
  symlinkSync(root, join(directory, 'up'));
  symlinkSync(victim, join(directory, 'link'));
  for (const file of ['config.json', 'folder', 'up/x', 'link', 'none/x', 'rootfs']) {
    for (const key of ['resultFile', 'ipFile']) {
      t.throws(
        () => stageResultFiles({ networks: [], dns: {}, files: [], [key]: file }, directory, 'c1', NAMED),
        { kind: 'io', message: naming(`"${file}"`) },
        file,
      );
    }
    try {
      removeResultFiles({ resultFile: file, ipFile: file }, directory);
    } catch {
      // Refused is as good as passed over.
    }
  }
  t.same(readdirSync(directory).sort(), ['config.json', 'folder', 'link', 'rootfs', 'up']);
  t.equal(readFileSync(victim, 'utf8'), 'precious');
  t.strictSame(readdirSync(root).sort(), ['bundle', 'victim']);
});

t.test('one that cannot be written discards the other', async (t) => {
  const { bundle } = ground(t);
  t.throws(() => stageResultFiles({ ...CONFIG, ipFile: 'none/ip' }, bundle.directory, 'c1', NAMED), {
    kind: 'io',
    message: naming('"none/ip"'),
  });
  t.strictSame(readdirSync(bundle.directory), ['rootfs']);
});

t.test('texts', async (t) => {
  t.equal(
    resolvConfText({ nameservers: ['9.9.9.9'], search: ['a', 'b'], options: ['ndots:2'] }),
    'search a b\nnameserver 9.9.9.9\noptions ndots:2\n',
  );
  t.match(
    hostsText(['10.1.0.2', 'fd00::2'], 'web.example.org'),
    /^127\.0\.0\.1\tlocalhost\n(.*\n)10\.1\.0\.2\tweb\.example\.org web\nfd00::2\tweb\.example\.org web\n$/,
  );
  t.match(hostsText(['10.1.0.2'], 'web'), /\n10\.1\.0\.2\tweb\n$/);
  t.strictSame(usableInContainer({ nameservers: ['127.0.0.53', '::1', '9.9.9.9'], search: ['a'] }), {
    nameservers: ['9.9.9.9'],
    search: ['a'],
  });
  t.strictSame(usableInContainer({ nameservers: ['127.0.0.53'] }), {});
  const linkLocal = { nameservers: ['fe80::1', 'fe80::2%eth7', 'fd00::1', '9.9.9.9'], search: ['a'] };
  t.strictSame(dnsOn('eth1', linkLocal), {
    nameservers: ['fe80::1%eth1', 'fe80::2%eth7', 'fd00::1', '9.9.9.9'],
    search: ['a'],
  });
  t.strictSame(dnsOn('eth1', {}), {});
  const combined = combineDns([
    { search: ['mine'] },
    { nameservers: ['1.1.1.1'], domain: 'net' },
    { nameservers: ['2.2.2.2'], options: ['rotate'] },
  ]);
  t.strictSame(combined, { nameservers: ['1.1.1.1'], search: ['mine'], options: ['rotate'] });
});
