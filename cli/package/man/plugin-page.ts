/** The pages of the plugins, of the schemas that their configurations are held against. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../build/paths.ts';
import { list, prose, words } from './mdoc.ts';
import type { Item, Page } from './mdoc.ts';

interface Property {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly $ref?: string;
}

interface Schema {
  readonly description: string;
  readonly properties: Readonly<Record<string, Property>>;
}

/** Keys of the protocol have an empty schema: they mean what the specification says. */
function isOwn([, property]: readonly [string, Property]): boolean {
  return Object.keys(property).length > 0;
}

function typeOf({ type, enum: values }: Property): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(', ');
  return type === undefined ? '' : [type].flat().join(' or ');
}

function itemOf([name, property]: readonly [string, Property]): Item {
  const type = typeOf(property);
  return {
    head: `Cm ${words(name)}${type === '' ? '' : ` Pq ${words(type)}`}`,
    about: property.description ?? '',
  };
}

export interface PluginText {
  readonly name: string;
  /** For NAME. */
  readonly about: string;
  /** The key of a configuration that names the plugin. */
  readonly example: object;
}

export function pluginPage({ name, about, example }: PluginText): Page {
  const schema = JSON.parse(readFileSync(join(ROOT, `schemas/${name}.schema.json`), 'utf8')) as Schema;
  const keys = Object.entries(schema.properties).filter(isOwn);
  const protocol = Object.entries(schema.properties).filter((entry) => !isOwn(entry));
  const reserved = protocol.map(([key]) => key).join(', ');
  const text = JSON.stringify(example, undefined, 2).replaceAll('\\', '\\e');
  return {
    name,
    section: 8,
    about,
    synopsis: `.Ev CNI_COMMAND=ADD|DEL|CHECK|STATUS|GC|VERSION\n.Nm\n.Pf < Ar configuration\n`,
    sections: [
      [
        'DESCRIPTION',
        `${prose(`A plugin of the Container Network Interface: a container runtime starts it, with variables and a configuration on standard input. ${schema.description}`)}`,
      ],
      [
        'CONFIGURATION',
        list(keys.map(itemOf)) +
          (reserved === '' ? '' : `.Pp\n${prose(`As the specification has it: ${reserved}.`)}`),
      ],
      ['EXAMPLES', `.Bd -literal\n${text}\n.Ed\n`],
    ],
    seeAlso: [['netmoor', 1]],
  };
}
