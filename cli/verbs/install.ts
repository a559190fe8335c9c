/** netmoor install: puts executable, launcher, names, units, hook, example network and completions in place. */
import { dirname } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { InstallOutput } from '../../schemas/compiled/cli-install.js';
import { completions } from '../install/completion/files.ts';
import { canExecute, carryOut, isChange, obsolete } from '../install/carry-out.ts';
import { judge } from '../install/judge.ts';
import type { Conflict, Step } from '../install/judge.ts';
import {
  DEFAULT_CNI_BIN,
  DEFAULT_PREFIX,
  LOOPBACK,
  PLUGINS,
  layoutOf,
  readNames,
} from '../install/layout.ts';
import type { Layout } from '../install/layout.ts';
import { isUntouched, readManifest } from '../install/manifest.ts';
import type { InstalledManifest } from '../install/manifest.ts';
import { originOf } from '../install/origin.ts';
import type { Origin } from '../install/origin.ts';
import { planOf } from '../install/plan.ts';
import type { Entry } from '../install/plan.ts';
import { look } from '../install/disk.ts';
import { hookDirectory, requireWritable, shadowsOf, wantsNetwork } from '../install/surroundings.ts';
import type { Shadow } from '../install/surroundings.ts';
import { enableUnits, wantedUnits } from '../install/enable.ts';
import { stopEngineOf } from '../install/engine.ts';
import { systemdRuns } from '../install/systemd.ts';
import type { Report, Verb, VerbContext, VerbList } from '../verb.ts';

/** What an earlier installation was asked for holds until somebody asks for something else. */
interface Asked {
  readonly layout: Layout;
  readonly before: InstalledManifest | undefined;
  readonly names: readonly string[];
  readonly engine: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
}

function askedOf({ switches, values }: VerbContext): Asked {
  const prefix = values.get('prefix')?.[0] ?? DEFAULT_PREFIX;
  const { manifest } = layoutOf(prefix, DEFAULT_CNI_BIN);
  const force = switches.has('force');
  const before = manifestAt(manifest, force);
  const cniBin = values.get('cni-bin')?.[0] ?? before?.cniBin ?? DEFAULT_CNI_BIN;
  return {
    layout: layoutOf(prefix, cniBin),
    before,
    names: readNames([...(values.get('names') ?? []), ...(before?.names ?? [])]),
    engine: switches.has('engine') || before?.engine === true,
    force,
    dryRun: switches.has('dry-run'),
  };
}

function manifestAt(path: string, force: boolean): InstalledManifest | undefined {
  try {
    return readManifest(path);
  } catch (error) {
    if (force && error instanceof NetmoorError && error.kind === 'io') return undefined;
    throw error;
  }
}

/** Newly asked for, and runtimes may find them elsewhere: which one they take is no more for us to say. */
function newShadows({ before, force, names }: Asked, shadows: readonly Shadow[]): Conflict[] {
  if (force) return [];
  const fresh = names.filter((name) => before?.names.includes(name) !== true);
  return shadows
    .filter(({ name }) => fresh.includes(name))
    .map(({ name, path }) => ({
      path,
      why: `a plugin ${name} is there, which ours would shadow, or be shadowed by`,
    }));
}

function refuse(conflicts: readonly Conflict[]): void {
  if (conflicts.length === 0) return;
  const all = conflicts.map(({ path, why }) => `${path}: ${why}`).join('; ');
  const advice = conflicts.some(({ final }) => final)
    ? 'nothing was changed; move it away'
    : 'nothing was changed; --force installs ours all the same: what is in the way is kept as NAME.before-netmoor, ' +
      'and uninstall brings it back';
  throw new NetmoorError('io', `not installed: ${all}`, advice);
}

interface Prepared {
  readonly steps: readonly Step[];
  readonly shadows: readonly Shadow[];
}

async function prepare(asked: Asked, origin: Origin, verbs: VerbList): Promise<Prepared> {
  const { layout, before, names, engine, force } = asked;
  const wanted = planOf(
    {
      layout,
      names,
      engine,
      hooks: hookDirectory(before),
      network: wantsNetwork(before),
      completions: await completions(verbs, layout),
    },
    origin,
  );
  const judgements = wanted.map((each) => judge(each, before, force));
  const shadows = shadowsOf([...PLUGINS, ...new Set([LOOPBACK, ...names])], layout.cniBin, layout.own);
  const steps = judgements.flatMap((each) => ('step' in each ? [each.step] : []));
  const conflicts = judgements.flatMap((each) => ('conflict' in each ? [each.conflict] : []));
  requireWritable([layout.own]);
  refuse([...conflicts, ...newShadows(asked, shadows)]);
  requireWritable(steps.filter(isChange).map((step) => dirname(step.wanted.path)));
  return { steps, shadows };
}

function notesOf({ layout }: Asked, { launcher }: Origin): string[] {
  return launcher === undefined
    ? [`there is no launcher beside the executable: the names lead to ${layout.own}/netmoor itself`]
    : [];
}

/** What an earlier installation had, and this one has not. */
function formerStep(entry: Entry, before: InstalledManifest | undefined): InstallOutput['steps'][number] {
  const { path, purpose } = entry;
  const found = look(path);
  if (found === undefined || isUntouched(before, entry, found)) return { path, purpose, action: 'remove' };
  return { path, purpose, action: 'leave', why: 'it was changed since it was installed' };
}

function viewOf(asked: Asked, origin: Origin, { steps, shadows }: Prepared): InstallOutput {
  const { layout, before, dryRun } = asked;
  return {
    prefix: layout.prefix,
    cniBin: layout.cniBin,
    dryRun,
    launcher: origin.launcher !== undefined,
    steps: [
      ...steps.map(({ wanted: { path, purpose, content }, action, why }) => ({
        path,
        purpose,
        action,
        ...(content.kind === 'link' ? { target: content.target } : {}),
        ...(why === undefined ? {} : { why }),
      })),
      ...obsolete(before, steps).map((entry) => formerStep(entry, before)),
    ],
    shadows: [...shadows],
    notes: [],
  };
}

const DID: Readonly<Record<InstallOutput['steps'][number]['action'], readonly [string, string]>> = {
  write: ['wrote', 'would write'],
  replace: ['replaced', 'would replace'],
  aside: ['replaced', 'would replace'],
  keep: ['is there', 'is there'],
  leave: ['left', 'would leave'],
  remove: ['removed', 'would remove'],
};

export function formatInstall({ dryRun, steps, shadows, notes }: InstallOutput): string {
  const lines = [
    ...steps.map(({ action, path, target, why }) => {
      const arrow = target === undefined ? '' : ` -> ${target}`;
      return `${DID[action][dryRun ? 1 : 0]} ${path}${arrow}${why === undefined ? '' : ` (${why})`}`;
    }),
    ...shadows.map(
      ({ name, path }) => `another ${name} is ${path}: the runtime's search path says which one counts`,
    ),
    ...notes,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

async function install(verbs: VerbList, context: VerbContext): Promise<Report> {
  const asked = askedOf(context);
  const { layout, before, names, engine, dryRun } = asked;
  const origin = originOf();
  const prepared = await prepare(asked, origin, verbs);
  const notes = notesOf(asked, origin);
  const problems: string[] = [];
  const view = viewOf(asked, origin, prepared);
  if (!dryRun) {
    const { steps } = prepared;
    const enabled = wantedUnits(engine, before);
    const { prefix, cniBin } = layout;
    const manifest = {
      version: 1 as const,
      netmoor: origin.version,
      prefix,
      cniBin,
      names: [...names],
      engine,
      enabled,
    };
    carryOut({ layout, steps, before, manifest });
    problems.push(...enableUnits(enabled, { before, changed: steps.some(isChange) }));
    if (!systemdRuns() && before !== undefined && steps.some(isChange))
      problems.push(...stopEngineOf(`${layout.own}/netmoor`, context.world));
    if (!canExecute(`${layout.own}/netmoor`))
      problems.push(
        `programs in ${layout.own} cannot be started: is it mounted noexec? choose another --prefix`,
      );
    if (engine && enabled.length === 0)
      notes.push('systemd does not run here: have your service manager run "netmoor engine"');
  }
  const json = { ...view, notes: [...notes, ...problems] };
  return { json, text: () => formatInstall(json), failed: problems.length > 0 };
}

export function installOf(verbs: VerbList): Verb {
  return {
    about:
      'Puts netmoor in place: executable and launcher once, in PREFIX/lib/netmoor, with names that lead to them; units ' +
      'of systemd, the hook for podman, completions, and an example network where none is configured. Running it again ' +
      'upgrades. What it has written is on record, and what is not its own is not overwritten.',
    options: [
      { name: 'cni-bin', value: 'DIR', about: `where runtimes look for plugins, default ${DEFAULT_CNI_BIN}` },
      { name: 'prefix', value: 'DIR', about: `default ${DEFAULT_PREFIX}` },
      { name: 'engine', about: 'have the engine run all the time' },
      {
        name: 'names',
        value: 'LIST',
        repeated: true,
        about: "serve these of the reference's plugins as well: bridge,host-local,loopback",
      },
      { name: 'force', about: 'put it in the place of what is there, which is kept' },
      { name: 'dry-run', about: 'say what would be written, and change nothing' },
    ],
    run: async (context) => install(verbs, context),
  };
}
