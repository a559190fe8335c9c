/** The programs and verbs whose starts are looked at: each with what has to be there for it, and is gone afterwards. */
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { plainEnvironment } from '../kernel/harness-process.ts';
import { world } from '../kernel/harness.ts';
import type { Contender } from './contender.ts';
import type { Job, Step } from './spawner.ts';

/** Puts something in the place of the executable. */
export type Change = (step: Step) => Step;

export interface Start {
  readonly what: string;
  readonly run: (contender: Contender, change: Change) => Promise<void>;
}

type Verb = 'ADD' | 'CHECK' | 'DEL';

/** ADD, CHECK and DEL of one container by what `stepOf` gives; `verb` is the one that is changed. */
async function live(
  contender: Contender,
  verb: Verb,
  change: Change,
  stepOf: (verb: Verb, number: number, result: string) => Job,
): Promise<void> {
  const numbers = await contender.containers(1);
  const [number = 0] = numbers;
  let result = '';
  for (const each of ['ADD', 'CHECK', 'DEL'] as const) {
    const job = stepOf(each, number, result);
    const { output } = await contender.spawner.time(each === verb ? job.map(change) : job);
    if (each === 'ADD') result = output;
  }
  await contender.removeContainers(numbers);
}

function plugin(config: object, verb: string, number: number, result: string): Job {
  const type = 'type' in config ? String(config.type) : '';
  const body = {
    cniVersion: '1.1.0',
    name: type,
    ...config,
    ...(result && { prevResult: JSON.parse(result) }),
  };
  const environment = {
    ...plainEnvironment,
    CNI_COMMAND: verb,
    CNI_CONTAINERID: `start-${number}`,
    CNI_NETNS: `/run/netns/c${number}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: OWN_PLUGINS,
  };
  return [{ argv: [`${OWN_PLUGINS}/${type}`], environment, input: JSON.stringify(body) }];
}

const RANGES = { ranges: [[{ subnet: '10.72.0.0/16' }], [{ subnet: 'fd72::/64' }]] };
const MACVLAN = {
  type: 'macvlan-v6',
  master: world.uplink,
  addressing: 'pool',
  dad: 'optimistic',
  ipam: { type: 'netmoor', ...RANGES },
};

const VERBS = ['ADD', 'CHECK', 'DEL'] as const;

const bridgeStarts: readonly Start[] = VERBS.map((verb) => ({
  what: `bridge-nat ${verb}`,
  run: async (contender, change) =>
    live(contender, verb, change, (each, number, result) => {
      if (each === 'ADD') return contender.add(number);
      return each === 'CHECK' ? contender.check(number, result) : contender.del(number, result);
    }),
}));

const macvlanStarts: readonly Start[] = VERBS.map((verb) => ({
  what: `macvlan-v6 ${verb}`,
  run: async (contender, change) => {
    const stepOf = (each: Verb, number: number, result: string) => plugin(MACVLAN, each, number, result);
    return live(contender, verb, change, stepOf);
  },
}));

/** What needs nothing and leaves nothing. */
function alone(what: string, job: Job): Start {
  return { what, run: async ({ spawner }, change) => void (await spawner.time(job.map(change))) };
}

function plain(type: string, verb: string, more: object = {}): Start {
  return alone(`${type} ${verb}`, plugin({ type, ...more }, verb, 0, ''));
}

function command(...words: readonly string[]): Start {
  const argv = [`${OWN_PLUGINS}/netmoor`, ...words];
  return alone(`netmoor ${words.join(' ')}`, [{ argv, environment: plainEnvironment, input: '' }]);
}

export function startsOf(): readonly Start[] {
  return [
    plain('bridge-nat', 'VERSION'),
    ...bridgeStarts,
    plain('bridge-nat', 'STATUS'),
    plain('bridge-nat', 'GC', { 'cni.dev/valid-attachments': [] }),
    ...macvlanStarts,
    plain('macvlan-v6', 'STATUS', MACVLAN),
    command('version'),
    command('help'),
    command('ls'),
    command('leases'),
    command('networks'),
    command('check'),
    command('gc'),
  ];
}
