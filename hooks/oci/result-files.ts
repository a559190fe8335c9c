/**
 * The results for whoever started the container: `result-file` (JSON), `ip-file` (the first address alone). They
 * replace only what this hook wrote before, whatever name was chosen for them, and go with the container.
 */
import { closeSync, fstatSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, isAbsolute } from 'node:path';
import { NetmoorError, isErrno } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import { encodeResult } from '../../lib/cni/encode-result.ts';
import { isJsonObject } from '../../lib/cni/json.ts';
import { containerAddresses } from '../../lib/cni/lists/host-map.ts';
import { quote } from '../../lib/cni/quote.ts';
import { CURRENT_VERSION } from '../../lib/cni/versions.ts';
import { portsJson } from '../../lib/cni/port-mappings.ts';
import {
  closeDirectory,
  entryOf,
  openDirectory,
  openDirectoryBelow,
  openFileBelow,
} from '../../lib/system/in-root.ts';
import type { HookConfig } from './config.ts';
import { discardAll, stageBelow } from './staged-file.ts';
import type { StagedFile } from './staged-file.ts';
import type { NamedResult } from './texts.ts';

/** Where a path leads: an absolute one (from a flag) to its directory, any other into the bundle. */
interface Place {
  readonly directory: string;
  readonly path: string;
}

type Recognise = (text: string) => boolean;

function placeOf(path: string, bundle: string): Place {
  return isAbsolute(path) ? { directory: dirname(path), path: basename(path) } : { directory: bundle, path };
}

export function resultText(containerId: string, results: readonly NamedResult[]): string {
  const networks = results.map(({ network, ifname, result, ports }) => ({
    network,
    ifname,
    result: encodeResult(result, CURRENT_VERSION),
    ...(ports.length > 0 ? { ports: portsJson(ports) } : {}),
  }));
  return `${JSON.stringify({ containerId, networks }, undefined, 2)}\n`;
}

/** Undefined when no network gave an address. */
export function addressText(results: readonly NamedResult[]): string | undefined {
  const [address] = results.flatMap(({ result }) => containerAddresses(result));
  return address === undefined ? undefined : `${address}\n`;
}

function isResult(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && Object.keys(value).join() === 'containerId,networks';
  } catch {
    return false;
  }
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text.trimEnd());
    return true;
  } catch {
    return false;
  }
}

/** What is there now; undefined when nothing is. */
function contentOf({ directory, path }: Place): string | undefined {
  let root: number | undefined;
  try {
    root = openDirectory(directory);
    const fd = openFileBelow(root, path, 'read', 'beneath');
    try {
      if (!fstatSync(fd).isFile()) throw new NetmoorError('io', `${quote(path)} is no regular file`);
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  } finally {
    if (root !== undefined) closeDirectory(root);
  }
}

function stage(place: Place, text: string, isOurs: Recognise): StagedFile {
  let present: string | undefined;
  try {
    present = contentOf(place);
  } catch (error) {
    throw new NetmoorError('io', `${quote(place.path)} is in use for something else`, 'name another file', {
      cause: error,
    });
  }
  if (present !== undefined && !isOurs(present)) {
    throw new NetmoorError(
      'io',
      `${quote(place.path)} is there, and was not written by this hook`,
      'name another file, or remove it',
    );
  }
  return stageBelow(place.directory, place.path, text, 'beneath');
}

/** Stages what is asked for. Throws NetmoorError('io'). */
export function stageResultFiles(
  config: HookConfig,
  bundle: string,
  containerId: string,
  results: readonly NamedResult[],
): StagedFile[] {
  const staged: StagedFile[] = [];
  const address = addressText(results);
  try {
    if (config.resultFile !== undefined)
      staged.push(stage(placeOf(config.resultFile, bundle), resultText(containerId, results), isResult));
    if (config.ipFile !== undefined && address !== undefined)
      staged.push(stage(placeOf(config.ipFile, bundle), address, isAddress));
    return staged;
  } catch (error) {
    discardAll(staged);
    throw error;
  }
}

function removeOurs(place: Place, isOurs: Recognise): void {
  const present = contentOf(place);
  if (present === undefined || !isOurs(present)) return;
  const root = openDirectory(place.directory);
  try {
    const parent = openDirectoryBelow(root, dirname(place.path), 'beneath');
    try {
      rmSync(entryOf(parent, basename(place.path)), { force: true });
    } finally {
      closeDirectory(parent);
    }
  } finally {
    closeDirectory(root);
  }
}

/** Removes what `stageResultFiles` wrote; a bundle that is gone took it along. */
export function removeResultFiles(
  { resultFile, ipFile }: Pick<HookConfig, 'resultFile' | 'ipFile'>,
  bundle: string,
): void {
  if (resultFile !== undefined) removeOurs(placeOf(resultFile, bundle), isResult);
  if (ipFile !== undefined) removeOurs(placeOf(ipFile, bundle), isAddress);
}
