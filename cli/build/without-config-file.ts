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

/** x86-64; a std::vector is the addresses of its begin and its end. */
const LOAD_BEGIN = '488b1a'; //       mov rbx, [rdx]
const COMPARE_END = '48395a08'; //    cmp [rdx + 8], rbx
const IF_EQUAL = '0f84'; //           je, by 32 bits
const ALWAYS = '90e9'; //             nop; jmp, by 32 bits
const QUESTION = Buffer.from(LOAD_BEGIN + COMPARE_END + IF_EQUAL, 'hex');
const ANSWER = Buffer.from(LOAD_BEGIN + COMPARE_END + ALWAYS, 'hex');

/** How much of the function its beginning is. */
const BEGINNING_BYTES = 64;

/** Changes the executable in `file`; one that was changed already stays as it is. */
export function ignoreConfigFile(file: Buffer): void {
  const start = new Executable(file).symbol(FUNCTION);
  const beginning = file.subarray(start, start + BEGINNING_BYTES);
  if (beginning.includes(ANSWER)) return;
  const at = beginning.indexOf(QUESTION);
  if (at === -1) throw new Error('this Node.js looks for its configuration file in another way');
  ANSWER.copy(beginning, at);
}
