/** Tar archives: sorted, of root, at one time, compressed without a name or time. */
import { join } from 'node:path';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { ROOT } from '../build/paths.ts';
import { completions } from '../install/completion/files.ts';
import type { CompletionPlaces } from '../install/completion/files.ts';
import { VERBS } from '../netmoor.ts';
import { copyrightFile } from './copyright.ts';
import { layOut } from './entry.ts';
import type { Entry } from './entry.ts';
import { documents, examples, hooksD, pluginNames, programs, units } from './layout.ts';
import { manPages } from './man/pages.ts';
import { must } from './release.ts';
import type { Release } from './release.ts';

const BIN = '/usr/local/bin';

/** Below it as below /usr/local/share; fish's as below /etc. */
const COMPLETIONS: CompletionPlaces = {
  bash: 'completions/bash-completion/completions',
  fish: 'completions/fish/completions',
  zsh: 'completions/zsh/site-functions',
};

const ARCHIVE = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner'];

/** Packs `entries` below the directory `top` to `file`, by way of the folder `work`. */
export function pack(
  entries: readonly Entry[],
  top: string,
  file: string,
  work: string,
  { epoch }: Release,
): void {
  rmSync(work, { recursive: true, force: true });
  layOut(entries, join(work, top), epoch);
  const archive = file.replace(/\.gz$/, '');
  must('tar', [...ARCHIVE, `--mtime=@${epoch}`, '-C', work, '-cf', archive, top]);
  if (archive !== file) must('gzip', ['-n', '-f', '-6', archive]);
  rmSync(work, { recursive: true });
}

function installNote({ version }: Release): string {
  const names = pluginNames().join(' ');
  const byHand = `    mkdir -p /usr/local/lib/netmoor /opt/cni/bin
    install netmoor launcher /usr/local/lib/netmoor/
    ln -s ../lib/netmoor/netmoor /usr/local/bin/netmoor
    ln -s ../lib/netmoor/launcher /usr/local/bin/netmoor-hook
    for name in ${names}; do
        ln -s /usr/local/lib/netmoor/launcher /opt/cni/bin/$name   # Debian's podman and containerd: /usr/lib/cni
    done
    install -m 644 units/*.service units/*.socket /etc/systemd/system/
    systemctl daemon-reload; systemctl enable --now netmoor-engine.socket
    install -D -m 644 hooks.d/99-netmoor.json /usr/share/containers/oci/hooks.d/99-netmoor.json
    cp -r completions/bash-completion completions/zsh /usr/local/share/; cp -r completions/fish /etc/
`;
  return `netmoor ${version}

As root:

    ./netmoor install

"./netmoor install --help" says what it takes. By hand it is

${byHand}
Networks are files in /etc/cni/net.d: see examples/networks, and README.md.
`;
}

/** Everything of the self-contained archive, below its one directory. */
export async function tarballEntries(release: Release): Promise<Entry[]> {
  const { target } = release;
  return [
    ...programs(target, '.'),
    ...units('units', BIN),
    ...hooksD('hooks.d', BIN),
    ...examples('examples', BIN),
    ...documents('.').filter(
      ({ path }) => !/\/(bridge-nat|macvlan-v6|dhcp-ipam|netmoor-hook)\.md$/.test(path),
    ),
    ...documents('doc').filter(({ path }) => !/\/(README|SECURITY)\.md$/.test(path)),
    ...(await manPages(release)).map(({ file, section, text }) => ({
      path: `man/man${section}/${file}`,
      content: text,
    })),
    ...(await completions(VERBS, COMPLETIONS)).map(({ path, text }) => ({ path, content: text })),
    { path: 'LICENSE', content: readFileSync(join(ROOT, 'LICENSE')) },
    { path: 'COPYRIGHT', content: copyrightFile(target.arch) },
    { path: 'INSTALL', content: installNote(release) },
  ];
}

/** Writes netmoor-VERSION-linux-ARCH.tar.gz into `out`; its path. */
export async function makeTarball(release: Release, out: string, extension = '.tar.gz'): Promise<string> {
  const top = `netmoor-${release.version}-linux-${release.target.arch}`;
  mkdirSync(out, { recursive: true });
  const file = join(out, `${top}${extension}`);
  pack(await tarballEntries(release), top, file, join(out, '.tarball'), release);
  return file;
}
