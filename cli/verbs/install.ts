/** netmoor install: puts executable, launcher, names, units, hook, example network and completions in place. */
import { canExecute, carryOut, isChange } from '../install/carry-out.ts';
import { enableUnits, wantedUnits } from '../install/enable.ts';
import { stopEngineOf } from '../install/engine.ts';
import { DEFAULT_CNI_BIN, DEFAULT_PREFIX } from '../install/layout.ts';
import { originOf } from '../install/origin.ts';
import type { Origin } from '../install/origin.ts';
import { askedOf, prepare } from '../install/prepare.ts';
import type { Asked } from '../install/prepare.ts';
import { systemdRuns } from '../install/systemd.ts';
import { formatInstall, viewOf } from '../install/view.ts';
import type { Report, Verb, VerbContext, VerbList } from '../verb.ts';

function notesOf({ layout }: Asked, { launcher }: Origin): string[] {
  return launcher === undefined
    ? [`there is no launcher beside the executable: the names lead to ${layout.own}/netmoor itself`]
    : [];
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
    const wanted = wantedUnits(engine, before);
    const enabled = wanted.filter((unit) => before?.enabled.includes(unit) === true);
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
    problems.push(...enableUnits(wanted, { layout, before, changed: steps.some(isChange) }));
    if (!systemdRuns() && before !== undefined && steps.some(isChange))
      problems.push(...stopEngineOf(`${layout.own}/netmoor`, context.world));
    if (!canExecute(`${layout.own}/netmoor`))
      problems.push(
        `programs in ${layout.own} cannot be started: is it mounted noexec? choose another --prefix`,
      );
    if (engine && wanted.length === 0)
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
      { name: 'prefix', value: 'DIR', about: `default: where this one is installed, or ${DEFAULT_PREFIX}` },
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
