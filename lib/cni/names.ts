/**
 * Names a runtime gives us, checked before they reach a path, a rule or a socket. Characters: CNI specification 1.1.0,
 * sections 1 and 2. Lengths, which it leaves open: runtimes cache results in a file "<network>-<container>-<ifname>",
 * whose name has at most 255 bytes. The longest container ids are containerd's, two of its identifiers (76 characters
 * at most) joined by "-"; a network's name gets as much as one identifier. With an interface name that makes 246.
 */
import { quote } from './quote.ts';

export const CONTAINER_ID_LENGTH = 153;
export const NETWORK_NAME_LENGTH = 76;
/** IFNAMSIZ without the final zero byte (linux/if.h). */
const IFNAME_BYTES = 15;

const PLAIN_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const PLAIN_RULE = 'it must begin with a letter or digit and hold only letters, digits, "_", "." and "-"';

function plainNameProblem(name: string, longest: number): string | undefined {
  if (name.length > longest)
    return `${quote(name)} has ${name.length} characters, more than the ${longest} allowed`;
  return PLAIN_NAME.test(name) ? undefined : `${quote(name)} is no valid name: ${PLAIN_RULE}`;
}

/** What is wrong with a container id, in words; undefined when nothing is. */
export function containerIdProblem(id: string): string | undefined {
  return plainNameProblem(id, CONTAINER_ID_LENGTH);
}

/** What is wrong with a network's name, in words; undefined when nothing is. */
export function networkNameProblem(name: string): string | undefined {
  return plainNameProblem(name, NETWORK_NAME_LENGTH);
}

/** What is wrong with the file name of a plugin (`type`), in words; undefined when nothing is. */
export function pluginTypeProblem(type: string): string | undefined {
  return plainNameProblem(type, NETWORK_NAME_LENGTH);
}

/** Separators, templates, white space and control characters. */
function isForbidden(character: string): boolean {
  return '/:%\u007f'.includes(character) || character <= ' ' || /\s/.test(character);
}

/**
 * What is wrong with the name of an interface, in words; undefined when nothing is. Beyond the specification's rules:
 * "%" is a template to the kernel (dev_alloc_name), and "all" and "default" stand for all interfaces under
 * /proc/sys/net.
 */
export function interfaceNameProblem(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (Buffer.byteLength(name) > IFNAME_BYTES)
    return `${quote(name)} is longer than the ${IFNAME_BYTES} bytes the kernel allows`;
  if (name === '.' || name === '..') return `${quote(name)} is no valid interface name`;
  if (name === 'all' || name === 'default')
    return `${quote(name)} stands for all interfaces in the kernel's settings`;
  if ([...name].some(isForbidden)) return `${quote(name)} holds a character no interface name may have`;
  return undefined;
}
