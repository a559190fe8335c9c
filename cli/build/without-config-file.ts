/**
 * Keeps Node.js from looking for a configuration file (`--experimental-config-file`, which can name code to load)
 * among the arguments. It looks at all of them, whatever ends its own options (`--`) or stands in front of them: an
 * argument meant for a command that netmoor runs would be taken for Node.js's.
 *
 * What looks is one function (Node.js src/node_config_file.cc), called once. It begins with the question whether there
 * are arguments at all; here it never finds any.
 */
import { Executable } from './elf.ts';

/** node::ConfigReader::GetDataFromArgs(std::vector<std::string>*) */
export const FUNCTION =
  '_ZN4node12ConfigReader15GetDataFromArgsEPSt6vectorINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESaIS7_EE';

const STRANGE = 'this Node.js looks for its configuration file in another way';

interface Beginning {
  /** What is done before the question; a std::vector is the addresses of its begin and its end. */
  readonly question: Buffer;
  /** The branch that is taken when both are equal, made one that is always taken. */
  always(branch: Buffer): void;
  isAlways(branch: Buffer): boolean;
}

const X86_64: Beginning = {
  // mov rbx, [rdx]; cmp [rdx + 8], rbx
  question: Buffer.from('488b1a48395a08', 'hex'),
  // je by 32 bits (0f 84); nop and jmp by 32 bits (90 e9)
  always(branch) {
    if (branch.readUInt16BE(0) !== 0x0f84) throw new Error(STRANGE);
    branch.writeUInt16BE(0x90e9, 0);
  },
  isAlways: (branch) => branch.readUInt16BE(0) === 0x90e9,
};

/** Of b.eq, b.cond with a distance of 19 bits in words, and of b, with one of 26. */
const CONDITIONAL = 0x54000000;
const CONDITIONAL_BITS = 0xff00001f;
const BRANCH = 0x14000000;
const BRANCH_BITS = 0xfc000000;

const AARCH64: Beginning = {
  // cmp x8, x25; before it, ldp x25, x8, [x1]
  question: Buffer.from('1f0119eb', 'hex'),
  always(branch) {
    const word = branch.readUInt32LE(0);
    if ((word & CONDITIONAL_BITS) !== CONDITIONAL) throw new Error(STRANGE);
    const distance = (word << 8) >> 13;
    branch.writeUInt32LE((BRANCH | (distance & ~BRANCH_BITS)) >>> 0, 0);
  },
  isAlways: (branch) => (branch.readUInt32LE(0) & BRANCH_BITS) === BRANCH,
};

/** By e_machine (ELF, gABI chapter 4). */
const BEGINNINGS: ReadonlyMap<number, Beginning> = new Map([
  [62, X86_64],
  [183, AARCH64],
]);

/** How much of the function its beginning is. */
const BEGINNING_BYTES = 64;

/** Changes the executable in `file`; one that was changed already stays as it is. */
export function ignoreConfigFile(file: Buffer): void {
  const start = new Executable(file).symbol(FUNCTION);
  const beginning = BEGINNINGS.get(file.readUInt16LE(18));
  if (beginning === undefined) throw new Error('an executable for a processor that is not known here');
  const code = file.subarray(start, start + BEGINNING_BYTES);
  const at = code.indexOf(beginning.question);
  if (at === -1) throw new Error(STRANGE);
  const branch = code.subarray(at + beginning.question.length);
  if (!beginning.isAlways(branch)) beginning.always(branch);
}
