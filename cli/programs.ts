/**
 * The programs in the one executable, by the name it is started under. Each names its modules without loading them.
 * This list is also what `npm run build` leaves in dist/bin; of main plugins, plugins/kinds.ts has the list.
 */
import { runPlugin } from '../lib/cni/entry.ts';
import { KINDS } from '../plugins/kinds.ts';
import type { Listed } from '../plugins/kinds.ts';
import { STAND_INS } from './stand-ins.ts';

export interface Invocation {
  /** The arguments behind the program's name. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Answers, and ends the process. */
export type Program = (invocation: Invocation) => Promise<never>;

/** A main plugin that wants addresses of netmoor's store starts it as the IPAM plugin of that name. */
const netmoor: Program = async ({ args, environment }) => {
  if (environment['CNI_COMMAND'])
    return runPlugin(async () => (await import('../plugins/netmoor-ipam/main.ts')).netmoorIpam);
  return (await import('./netmoor.ts')).runNetmoor(args, environment);
};

/** For container runtimes, which list it among a container's hooks. */
const netmoorHook: Program = async (invocation) => (await import('../hooks/oci/main.ts')).runHook(invocation);

/** A main plugin. */
const mainPlugin =
  (load: () => Promise<Listed>): Program =>
  () =>
    runPlugin(async () => (await load()).plugin);

/** What containerd and CRI-O start no pod without. */
const loopback: Program = () => runPlugin(async () => (await import('../plugins/loopback/main.ts')).loopback);

/** An IPAM plugin, for main plugins of any origin. */
const dhcpIpam: Program = () => runPlugin(async () => (await import('../plugins/dhcp-ipam/main.ts')).plugin);

export const PROGRAMS: ReadonlyMap<string, Program> = new Map([
  ...[...KINDS].map(([name, load]): [string, Program] => [name, mainPlugin(load)]),
  ['dhcp-ipam', dhcpIpam],
  ['loopback', loopback],
  ['netmoor', netmoor],
  ['netmoor-hook', netmoorHook],
]);

/** Node.js itself, which runs netmoor from its source. */
const INTERPRETER = 'node';

/** A program that says which names there are. */
const stranger =
  (name: string): Program =>
  async (invocation) =>
    (await import('./unknown-name.ts')).unknownName(name, [...PROGRAMS.keys(), ...STAND_INS.keys()])(
      invocation,
    );

function programNamed(name: string): Program | undefined {
  const standIn = STAND_INS.get(name);
  return PROGRAMS.get(name) ?? (standIn && (() => runPlugin(standIn)));
}

/** The program of the first name that has one. */
export function programOf(names: readonly string[]): Program {
  const known = names.map(programNamed).find((program) => program !== undefined);
  if (known !== undefined) return known;
  const file = names.at(-1) ?? '';
  return file === INTERPRETER ? netmoor : stranger(file);
}
