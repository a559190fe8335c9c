/** The program without Node.js, for hosts that have a new enough one of their distribution's. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT, STAGES, START, WORKER } from '../build/paths.ts';
import { PROGRAMS } from '../programs.ts';
import { copyrightFile } from './copyright.ts';
import type { Entry } from './entry.ts';
import { documents } from './layout.ts';
import type { Release } from './release.ts';
import { pack } from './tarball.ts';

function assets({ target }: Release): Entry[] {
  return [
    ...[START, WORKER, ...STAGES.map(({ source }) => source)].map((copyOf) => ({
      path: `lib/${basename(copyOf)}`,
      copyOf,
    })),
    // V8 takes code caches from its very own version alone.
    ...STAGES.map(({ cache }) => ({ path: `lib/${basename(cache)}`, content: '' })),
    { path: 'lib/koffi.node', copyOf: target.koffi },
    { path: 'lib/koffi.id', copyOf: join(target.work, 'koffi.id') },
    { path: 'lib/on-node.cjs', copyOf: join(import.meta.dirname, 'on-node.cjs') },
  ];
}

/** Writes netmoor-VERSION-bundle-linux-ARCH.tar.gz into `out`; its path. */
export function makeBundle(release: Release, out: string): string {
  const top = `netmoor-${release.version}-bundle-linux-${release.target.arch}`;
  const names = [...PROGRAMS.keys()].filter((name) => name !== 'netmoor');
  const entries: Entry[] = [
    { path: 'netmoor', copyOf: join(import.meta.dirname, 'on-node.sh'), mode: 0o755 },
    ...names.map((name) => ({ path: name, link: 'netmoor' })),
    ...assets(release),
    ...documents('.').filter(({ path }) => path === './README.md'),
    { path: 'LICENSE', content: readFileSync(join(ROOT, 'LICENSE')) },
    { path: 'COPYRIGHT', content: copyrightFile() },
  ];
  const file = join(out, `${top}.tar.gz`);
  pack(entries, top, file, join(out, '.bundle'), release);
  return file;
}
