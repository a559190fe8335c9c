/** The Debian package, made by dpkg-deb (deb(5), Debian Policy chapters 5 to 10). */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { completions } from '../install/completion/files.ts';
import type { CompletionPlaces } from '../install/completion/files.ts';
import { VERBS } from '../netmoor.ts';
import { copyrightFile } from './copyright.ts';
import { layOut } from './entry.ts';
import type { Entry } from './entry.ts';
import { documents, examples, hooksD, pluginNames, programs, units } from './layout.ts';
import { manPages } from './man/pages.ts';
import { DEBIAN_ARCHITECTURES, must } from './release.ts';
import type { Release } from './release.ts';

const BIN = '/usr/bin';
const DOC = 'usr/share/doc/netmoor';
const MAINTAINER = 'netmoor contributors <netmoor@invalid>';

/** Debian's zsh has a directory for packages; site-functions it has only below /usr/local. */
const COMPLETIONS: CompletionPlaces = {
  bash: 'usr/share/bash-completion/completions',
  fish: 'usr/share/fish/vendor_completions.d',
  zsh: 'usr/share/zsh/vendor-completions',
};

const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/** As `gzip -9n`: no name, no time. */
function compressed(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

function changelog({ version, epoch }: Release): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `netmoor (${version}) unstable; urgency=medium\n\n  * See README.md.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** Links where people, runtimes and hooks.d look for programs; what they lead to lies in one directory. */
function links(): Entry[] {
  return [
    { path: 'usr/bin/netmoor', link: '../lib/netmoor/netmoor' },
    { path: 'usr/bin/netmoor-hook', link: '../lib/netmoor/launcher' },
    ...pluginNames().map((name) => ({ path: `usr/lib/cni/${name}`, link: '../netmoor/launcher' })),
  ];
}

export async function debEntries(release: Release): Promise<Entry[]> {
  const { target } = release;
  const pages = await manPages(release);
  const completionFiles = await completions(VERBS, COMPLETIONS);
  return [
    ...programs(target, 'usr/lib/netmoor'),
    ...links(),
    ...units('usr/lib/systemd/system', BIN).filter(({ path }) => !path.includes('.d/')),
    ...units(`${DOC}/examples/systemd`, BIN).filter(({ path }) => path.includes('.d/')),
    ...hooksD('usr/share/containers/oci/hooks.d', BIN),
    ...examples(`${DOC}/examples`, BIN),
    ...documents(DOC),
    ...pages.map(({ file, section, text }) => ({
      path: `usr/share/man/man${section}/${file}.gz`,
      content: compressed(text),
    })),
    ...completionFiles.map(({ path, text }) => ({ path, content: text })),
    { path: `${DOC}/copyright`, content: copyrightFile(target.arch) },
    { path: `${DOC}/changelog.gz`, content: compressed(changelog(release)) },
  ];
}

function bytesOf(entry: Entry): Uint8Array | undefined {
  if ('link' in entry) return undefined;
  return 'copyOf' in entry ? readFileSync(entry.copyOf) : Buffer.from(entry.content);
}

/** Bytes, of which dpkg wants KiB: each file and each link counts as one at least (Policy 5.6.20). */
function installedSize(entries: readonly Entry[]): number {
  return entries.reduce(
    (sum, entry) => sum + Math.max(1, Math.ceil((bytesOf(entry)?.length ?? 0) / 1024)),
    0,
  );
}

/** What it is linked with: versions of glibc and libstdc++ that the executable names symbols of (a test compares). */
const LIBRARIES = 'libc6 (>= 2.28), libgcc-s1 (>= 3.0), libstdc++6 (>= 6)';

function control({ version, target }: Release, entries: readonly Entry[]): string {
  // For x86-64 the build takes it out.
  const depends = target.arch === 'x64' ? LIBRARIES : `${LIBRARIES}, libatomic1 (>= 4.8)`;
  return `Package: netmoor
Version: ${version}
Architecture: ${DEBIAN_ARCHITECTURES[target.arch]}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedSize(entries)}
Depends: ${depends}
Suggests: podman | containerd | cri-o, containernetworking-plugins
Section: admin
Priority: optional
Description: moors containers to the network
 CNI plugins (bridge-nat, macvlan-v6, dhcp-ipam), an OCI hook and a command
 over one lease store: bridges with NAT and published ports, hosts of their
 own on the LAN, addresses from DHCP. They speak netlink to the kernel.
`;
}

function digests(entries: readonly Entry[]): string {
  const lines = entries.flatMap((entry) => {
    const bytes = bytesOf(entry);
    return bytes === undefined ? [] : [`${createHash('md5').update(bytes).digest('hex')}  ${entry.path}\n`];
  });
  return lines.toSorted((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1)).join('');
}

/** Writes netmoor_VERSION_ARCH.deb into `out`; its path. `compression`: options of dpkg-deb. */
export async function makeDeb(
  release: Release,
  out: string,
  compression: readonly string[] = ['-Zxz', '-z4'],
): Promise<string> {
  const { epoch, target, version } = release;
  const file = join(out, `netmoor_${version}_${DEBIAN_ARCHITECTURES[target.arch]}.deb`);
  const work = join(out, '.deb');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const entries = await debEntries(release);
  const scripts = SCRIPTS.map((name) => ({
    path: `DEBIAN/${name}`,
    copyOf: join(import.meta.dirname, 'debian', name),
    mode: 0o755,
  }));
  const about = [
    { path: 'DEBIAN/control', content: control(release, entries) },
    // For postinst's loopback (deb-triggers(5)).
    { path: 'DEBIAN/triggers', content: 'interest-noawait /usr/lib/cni\n' },
    { path: 'DEBIAN/md5sums', content: digests(entries) },
  ];
  layOut([...entries, ...scripts, ...about], work, epoch);
  must('dpkg-deb', ['--root-owner-group', ...compression, '--build', work, file], {
    SOURCE_DATE_EPOCH: String(epoch),
  });
  rmSync(work, { recursive: true });
  return file;
}
