/** netmoor(1), of what `netmoor help` is made of. */
import { COMMON_OPTIONS } from '../../arguments.ts';
import type { Option, Verb, VerbList } from '../../verb.ts';
import { list, option, prose, words } from './mdoc.ts';
import type { Item, Page } from './mdoc.ts';

function itemOf({ name, value, about, repeated = false }: Option): Item {
  const again = repeated ? ' May be given several times.' : '';
  return { head: option(name, value), about: `${about.replace(/\.?$/, '.')}${again}` };
}

/** "[status|stop]" without the brackets, which the macros write. */
function operandOf(operand: string): string {
  const optional = /^\[(.*)\](…?)$/.exec(operand);
  return optional === null ? ` Ar ${words(operand)}` : ` Oo Ar ${words(`${optional[1]}${optional[2]}`)} Oc`;
}

function section(name: string, { about, operand, command, options }: Verb): string {
  const usage = [
    `.Nm netmoor Cm ${words(name)}`,
    operand === undefined ? '' : operandOf(operand),
    options.length === 0 ? '' : ' Op Ar OPTIONS',
    command === undefined ? '' : ` Fl \\- Ar ${words(command)}`,
  ].join('');
  return `.Ss ${words(name)}\n${usage}\n.Pp\n${prose(about)}${list(options.map(itemOf))}`;
}

const FILES: readonly Item[] = [
  { head: 'Pa /etc/cni/net.d', about: 'The networks.' },
  {
    head: 'Pa /var/lib/cni/netmoor/leases.db',
    about: 'Who holds which address and port; what taking it down needs.',
  },
  { head: 'Pa /run/netmoor/engine.sock', about: 'Where the engine listens.' },
];

const STATUS =
  '0: it is done. 1: it failed, or the answer is no. 2: the command line makes no sense. Errors are a line that says ' +
  'what failed, and one that says what to do about it; with --json, an object with code, msg and details.';

/** Verbs in the order of the list. */
export async function netmoorPage(verbs: VerbList): Promise<Page> {
  const names = Object.keys(verbs);
  const sections: string[] = [];
  for (const name of names) {
    const verb = await verbs[name]?.load();
    if (verb !== undefined) sections.push(section(name, verb));
  }
  return {
    name: 'netmoor',
    section: 1,
    about: 'moors containers to the network',
    synopsis: '.Nm\n.Ar VERB\n.Op Ar OPTIONS\n',
    sections: [
      [
        'DESCRIPTION',
        prose(
          'Attaches network namespaces to networks, shows who is attached where, and puts right what is not as it should be.',
        ) +
          '.Pp\n' +
          prose('All verbs know these options:') +
          list(COMMON_OPTIONS.map(itemOf)),
      ],
      ['VERBS', sections.join('')],
      ['FILES', list(FILES)],
      ['EXIT STATUS', prose(STATUS)],
    ],
    seeAlso: [
      ['bridge-nat', 8],
      ['dhcp-ipam', 8],
      ['macvlan-v6', 8],
      ['netmoor-hook', 8],
    ],
  };
}
