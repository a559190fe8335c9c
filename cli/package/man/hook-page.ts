/** netmoor-hook(8), of the text of its --help. */
import { USAGE } from '../../../hooks/oci/usage.ts';
import { escaped, list, option, prose, words } from './mdoc.ts';
import type { Item, Page } from './mdoc.ts';

/** "  --name VALUE   what it does", further lines further in; undefined for other lines. */
function itemOf(line: string): Item | undefined {
  const match = /^ {2}--(\S+) (\S+)(?: +(.*))?$/.exec(line);
  if (match === null) return undefined;
  const [, name = '', value = '', about = ''] = match;
  return { head: option(name, value), about };
}

function paragraph(block: string): string {
  const lines = block.split('\n').filter((line) => line !== '');
  const first = lines.findIndex((line) => line.startsWith('  --'));
  if (first === -1) return prose(block);
  const intro = lines.slice(0, first).join(' ');
  const items = lines.slice(first).flatMap((line) => itemOf(line) ?? []);
  if (items.length !== lines.length - first) throw new Error('the hook describes an option in another way');
  return `${intro === '' ? '' : prose(intro)}${list(items)}`;
}

const FRAGMENT = {
  hooks: {
    createRuntime: [{ path: '/usr/bin/netmoor-hook', args: ['netmoor-hook'] }],
    poststop: [{ path: '/usr/bin/netmoor-hook', args: ['netmoor-hook'] }],
  },
};

export function hookPage(): Page {
  // The first block is the command line.
  const [, ...blocks] = USAGE.trimEnd().split('\n\n');
  return {
    name: 'netmoor-hook',
    section: 8,
    about: 'gives OCI containers their networks',
    synopsis: `.Nm\n.Op Ar STAGE\n.Op Ar ${words('FLAG')} ...\n`,
    sections: [
      ['DESCRIPTION', blocks.map(paragraph).join('.Pp\n')],
      [
        'EXAMPLES',
        `${prose('In config.json of a bundle:')}.Bd -literal\n${escaped(JSON.stringify(FRAGMENT, undefined, 2))}\n.Ed\n`,
      ],
    ],
    seeAlso: [
      ['netmoor', 1],
      ['runc', 8],
      ['oci-hooks', 5],
    ],
  };
}
