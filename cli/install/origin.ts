/** What is installed from: the executable that runs, and what lies beside it. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import { nativeModule } from '../../lib/system/native-asset.ts';
import type { Assets } from '../../lib/system/native-asset.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { textsOf } from './texts.ts';
import type { Texts } from './texts.ts';

export interface Origin {
  readonly version: string;
  readonly executable: string;
  /** Undefined: there is none. */
  readonly launcher: string | undefined;
  readonly native: { readonly name: string; readonly content: Buffer };
  readonly texts: Texts;
}

/** Beside the executable: of an installation, of an unpacked tarball; or where the build leaves it. */
function launcherOf(executable: string): string | undefined {
  const places = [join(dirname(executable), 'launcher'), join(dirname(executable), '../build/launcher')];
  return places.find((path) => existsSync(path));
}

/** Throws NetmoorError('not-available') when what runs is no single executable. */
export function originOf(): Origin {
  const sea = process.getBuiltinModule('node:sea') as Assets & { isSea(): boolean };
  if (!sea.isSea())
    throw new NetmoorError(
      'not-available',
      'netmoor runs from its source, which cannot be installed',
      'build the executable, and run that: npm run build, then dist/bin/netmoor install',
    );
  const executable = realpathSync(process.execPath);
  return {
    version: packageJson.version,
    executable,
    launcher: launcherOf(executable),
    native: nativeModule(sea),
    texts: textsOf(sea),
  };
}
