/** What is asked for, and what is to be done for it; nothing has been changed when it is refused. */
import { dirname } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { VerbContext, VerbList } from '../verb.ts';
import { isChange } from './carry-out.ts';
import { completions } from './completion/files.ts';
import { placeOf } from './disk.ts';
import { judge } from './judge.ts';
import type { Conflict, Step } from './judge.ts';
import { DEFAULT_CNI_BIN, LOOPBACK, PLUGINS, layoutOf, notForPluginsAlone, readNames } from './layout.ts';
import type { Layout } from './layout.ts';
import { readManifest } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import type { Origin } from './origin.ts';
import { planOf } from './plan.ts';
import { defaultPrefix, hookDirectory, requireWritable, shadowsOf, wantsNetwork } from './surroundings.ts';
import type { Shadow } from './surroundings.ts';

/** What an earlier installation was asked for holds until somebody asks for something else. */
export interface Asked {
  readonly layout: Layout;
  readonly before: InstalledManifest | undefined;
  readonly names: readonly string[];
  readonly engine: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
}

export function askedOf({ switches, values }: VerbContext): Asked {
  const prefix = values.get('prefix')?.[0] ?? defaultPrefix();
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

export interface Prepared {
  readonly steps: readonly Step[];
  readonly shadows: readonly Shadow[];
}

export async function prepare(asked: Asked, origin: Origin, verbs: VerbList): Promise<Prepared> {
  const { layout, before, names, engine, force } = asked;
  const wanted = planOf(
    {
      layout,
      names,
      engine,
      hooks: hookDirectory(before),
      network: wantsNetwork(before),
      completions: await completions(verbs, layout.completions),
    },
    origin,
  );
  // Links may lead where the paths do not say.
  if (new Set(wanted.map(({ path }) => placeOf(path))).size < wanted.length)
    throw notForPluginsAlone(layout.cniBin);
  const judgements = wanted.map((each) => judge(each, before, force));
  const shadows = shadowsOf([...PLUGINS, ...new Set([LOOPBACK, ...names])], layout.cniBin, layout.own);
  const steps = judgements.flatMap((each) => ('step' in each ? [each.step] : []));
  const conflicts = judgements.flatMap((each) => ('conflict' in each ? [each.conflict] : []));
  requireWritable([layout.own]);
  refuse([...conflicts, ...newShadows(asked, shadows)]);
  requireWritable(steps.filter(isChange).map((step) => dirname(step.wanted.path)));
  return { steps, shadows };
}
