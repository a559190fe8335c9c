/** Which settings of the kernel an administrator lets networks tune: the file of the reference tuning plugin. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { Files } from '../../../lib/cni/world.ts';
import type { Tuning } from './tuning.ts';

/** Where the reference looks for what an administrator allows, one regular expression a line. */
const ALLOWLIST = '/etc/cni/tuning/allowlist.conf';

function patternsOf(text: string): RegExp[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return new RegExp(line);
      } catch (cause) {
        throw new NetmoorError(
          'bad-config',
          `${ALLOWLIST} holds ${quote(line)}, which is no regular expression`,
          'correct that line',
          { cause },
        );
      }
    });
}

/** Throws NetmoorError('bad-config') for a setting that the host's administrator does not allow. */
export function refuseUnlisted({ sysctl }: Tuning, files: Files): void {
  const list = sysctl.length > 0 ? files.read(ALLOWLIST) : undefined;
  if (list === undefined) return;
  const patterns = patternsOf(list.toString());
  const refused = sysctl
    .map(({ key }) => key.replaceAll('/', '.'))
    .find((key) => !patterns.some((p) => p.test(key)));
  if (refused === undefined) return;
  throw new NetmoorError(
    'bad-config',
    `sysctl ${refused} is not allowed on this host`,
    `${ALLOWLIST} says which are`,
  );
}
