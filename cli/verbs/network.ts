/** netmoor network migrate: rewrites a network of the reference's plugins for netmoor's. */
import { resolve } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';
import type { World } from '../../lib/cni/world.ts';
import { listOf, migrate } from '../migrate/migration.ts';
import type { Migration } from '../migrate/migration.ts';
import { replaceKeeping } from '../migrate/replacing.ts';
import { parseStrictly } from '../migrate/strict-json.ts';
import type { Change } from '../migrate/telling.ts';
import { unified } from '../migrate/unified.ts';
import { requireValid } from '../migrate/validity.ts';
import { printable } from '../text-width.ts';
import { UsageError } from '../verb.ts';
import type { Report, Verb, VerbContext } from '../verb.ts';

/** schemas/cli-network.schema.json */
export interface MigrationView {
  readonly file: string;
  readonly changed: boolean;
  readonly written: boolean;
  /** Where the old file is, once it is written. */
  readonly backup?: string;
  readonly changes: readonly Change[];
  /** As of `diff -u`, of both as they would be laid out now. */
  readonly diff: string;
  readonly document: JsonObject;
}

function read(file: string, { files }: World): Buffer {
  const content = files.read(file);
  if (content === undefined) throw new NetmoorError('io', `there is no file ${quote(file)}`, 'name another');
  return content;
}

/** Laid out as the file was: with its indentation, a tab or spaces. */
function layOut(document: JsonObject, before: string): string {
  const [, indent = '  '] = /^[{[]\s*?\n([ \t]+)\S/.exec(before.trimStart()) ?? [];
  return `${JSON.stringify(document, undefined, indent)}\n`;
}

function describe({ plugin, key, change, text }: Change): string {
  const what = key === undefined ? plugin : `${plugin} ${key}`;
  return change === 'meaning' ? `${what}: ${text}` : `${what} ${change}: ${text}`;
}

function section(title: string, changes: readonly Change[]): string {
  const lines = changes.map((change) => `  ${printable(describe(change))}\n`).join('');
  return lines === '' ? '' : `\n${title}\n${lines}`;
}

export function formatMigration(view: MigrationView): string {
  const { file, changed, changes, backup, diff } = view;
  if (!changed) return `${file}: nothing to change\n`;
  const isMeaning = ({ change }: Change): boolean => change === 'meaning';
  const end =
    backup === undefined
      ? '\nnothing is written; --write does it\n'
      : `\n${file} is rewritten; what it was is in ${backup}\n`;
  return [
    diff,
    section(
      'what changes',
      changes.filter((change) => !isMeaning(change)),
    ),
    section('what it means from now on', changes.filter(isMeaning)),
    end,
  ].join('');
}

function viewOf(file: string, content: Buffer, migration: Migration): MigrationView & { after: string } {
  const text = content.toString();
  const { document, changes, changed } = migration;
  const after = layOut(document, text);
  const before = layOut(parseStrictly(content, file), text);
  const diff = unified(before, after, [file, `${file} (migrated)`]);
  return { file, changed, written: false, changes, diff, document, after };
}

async function migrateFile(name: string, { world, kinds, switches }: VerbContext): Promise<Report> {
  const file = resolve(name);
  const content = read(file, world);
  const migration = migrate(parseStrictly(content, quote(file)), file);
  await requireValid(listOf(migration.document, file), kinds);
  const { after, ...view } = viewOf(file, content, migration);
  const write = switches.has('write') && view.changed;
  const backup = write ? replaceKeeping(file, content, after, () => read(file, world)) : undefined;
  const json: MigrationView = { ...view, written: write, ...(backup === undefined ? {} : { backup }) };
  return { json, text: () => formatMigration(json) };
}

export const verb: Verb = {
  about:
    'migrate FILE: says what a configuration of the plugins bridge (with host-local, portmap, firewall, bandwidth, ' +
    'tuning, sbr) or macvlan becomes with bridge-nat or macvlan-v6, what changes and what changes in meaning. With ' +
    '--write it replaces the file, and keeps what it was as FILE.before-netmoor.',
  operand: 'migrate FILE',
  manyOperands: true,
  options: [{ name: 'write', about: 'replace the file' }],
  run(context) {
    const [what, file, surplus] = context.operands;
    const usage = 'write netmoor network migrate FILE';
    if (what !== 'migrate')
      throw new UsageError(
        what === undefined ? 'network: what is to be done?' : `network does not know ${what}`,
        `${usage}; "netmoor networks" lists them`,
      );
    if (file === undefined) throw new UsageError('network migrate needs a file', usage);
    if (surplus !== undefined)
      throw new UsageError(`network migrate does not know what to do with ${surplus}`, usage);
    return migrateFile(file, context);
  },
};
