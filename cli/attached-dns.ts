/**
 * What becomes of name servers and the like once a namespace is attached: the files that they go to, or a word that
 * they do not.
 */
import { stageBelow } from '../hooks/oci/staged-file.ts';
import { errorText } from '../lib/base/errors.ts';
import { cachedAttachments } from '../lib/cni/lists/cache.ts';
import type { Attached } from '../lib/cni/lists/several.ts';
import { resolvConfText } from '../lib/cni/resolv-conf.ts';
import type { World } from '../lib/cni/world.ts';
import type { Container } from './attaching.ts';
import { refreshResolvConf, resolvConfOf, settingsOf } from './netns-resolv-conf.ts';

interface Around {
  readonly world: World;
  readonly note: (line: string) => void;
  /** The root directory of the container, where its own resolv.conf is to be written. */
  readonly root: string | undefined;
}

function writeBelow(root: string, { containerId }: Container, world: World): void {
  const text = resolvConfText(settingsOf(cachedAttachments(containerId, world), world));
  stageBelow(root, 'etc/resolv.conf', text, 'root').commit();
}

function attempt(what: string, note: Around['note'], work: () => void): void {
  try {
    work();
  } catch (error) {
    note(`${what} is not written: ${errorText(error)}`);
  }
}

/**
 * Puts the settings where programs of the container look for them. What cannot be done is noted: the networks work
 * without.
 */
export function applyDns(
  container: Container,
  attached: readonly Attached[],
  { world, note, root }: Around,
): void {
  const asked = Object.keys(container.dns).length > 0;
  const said = asked || attached.some(({ result }) => Object.keys(result.dns).length > 0);
  const file = resolvConfOf(container.netns);
  if (asked && file === undefined && root === undefined) {
    note(
      '--dns: no file is written, for the namespace has no name; ' +
        'attach it by --create or --netns NAME, or give its --root',
    );
  }
  attempt(file ?? '', note, () => {
    const outcome = refreshResolvConf(container.netns, said, world);
    if (asked && outcome === 'kept') note(`--dns: ${file} is there already, and is left as it is`);
  });
  if (root !== undefined && said)
    attempt(`${root}/etc/resolv.conf`, note, () => writeBelow(root, container, world));
}

/** After detaching. */
export function withdrawDns(path: string, { world, note }: Omit<Around, 'root'>): void {
  attempt(resolvConfOf(path) ?? '', note, () => void refreshResolvConf(path, false, world));
}
