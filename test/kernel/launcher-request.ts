/** What a launcher sends (lib/engine/launcher-frame.ts), as of this process. */
import { LAUNCHER_HEADER_BYTES, MAGIC } from '../../lib/engine/launcher-frame.ts';
import { VERSION, ownNamespaces } from '../../lib/engine/request.ts';

export interface LaunchedCall {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** What may be otherwise than it is. */
export interface Claims {
  readonly version?: string;
  readonly executable?: string;
  readonly namespaces?: ReturnType<typeof ownNamespaces>;
}

export function launcherFrame(
  { program, environment, stdin }: LaunchedCall,
  { version = VERSION, executable = '/nowhere/netmoor', namespaces = ownNamespaces() }: Claims = {},
): Buffer {
  const { netns, mntns, pidns, userns } = namespaces;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const texts = [version, program, netns, mntns, pidns, userns, executable, '0'];
  texts.push(`${variables.length}`, ...variables);
  const body = Buffer.concat([Buffer.from(texts.map((text) => `${text}\0`).join('')), Buffer.from(stdin)]);
  const header = Buffer.alloc(LAUNCHER_HEADER_BYTES);
  header.write(MAGIC);
  header.writeUInt32BE(body.length, MAGIC.length);
  return Buffer.concat([header, body]);
}
