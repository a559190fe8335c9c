/**
 * The one place where an error becomes a CNI error (specification, section 5 "Error"): 1-99 as the specification gives
 * them, from 100 on netmoor's own, which README.md lists.
 */
import { NetmoorError, SystemError, errorText } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import type { CniVersion } from './versions.ts';

export const CODE_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  'bad-version': 1,
  'unsupported-field': 2,
  'unknown-container': 3,
  'bad-environment': 4,
  'bad-netns': 4,
  'own-netns': 4,
  store: 5,
  io: 5,
  'bad-json': 6,
  'bad-config': 7,
  'address-invalid': 7,
  'pool-exhausted': 11,
  'try-again': 11,
  'not-available': 50,
  'ifname-taken': 100,
  'address-taken': 101,
  'port-taken': 102,
  'name-taken': 103,
  'check-failed': 104,
  kernel: 105,
  privilege: 106,
  delegate: 107,
  'subnet-taken': 108,
  internal: 999,
};

/** A delegated plugin's own error, handed on with its code. */
export class DelegateError extends NetmoorError {
  readonly code: number;

  constructor(code: number, message: string, details: string) {
    super('delegate', message, details);
    this.name = 'DelegateError';
    this.code = code;
  }
}

export interface CniError {
  readonly code: number;
  readonly msg: string;
  readonly details: string;
}

const ADVICE: Readonly<Record<string, string>> = {
  EPERM: 'run as root, with CAP_NET_ADMIN and CAP_SYS_ADMIN in the namespaces concerned',
  EACCES: 'run as root, or give the user access to the path',
  EROFS: 'the file system is read-only; choose a directory that can be written',
  ENOSPC: 'make room on the file system',
  ENOMEM: 'the kernel ran out of memory or of buffer space; free some and try again',
  EOPNOTSUPP: 'the running kernel lacks this feature, or its module is not loaded',
};

function ofKind(kind: ErrorKind, msg: string, details: string): CniError {
  return { code: CODE_OF_KIND[kind], msg, details };
}

/** A refusal of the kernel, or of Node's file functions: both carry an errno name. */
function systemError(error: Error, errno: string): CniError {
  const forbidden = errno === 'EPERM' || errno === 'EACCES';
  const kind = forbidden ? 'privilege' : error instanceof SystemError ? 'kernel' : 'io';
  return ofKind(kind, error.message, ADVICE[errno] ?? '');
}

/** The message, and the message of what caused it unless that is said already. */
function withCause({ message, cause }: Error): string {
  return cause instanceof Error && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message;
}

/** Several failures of one command that went on after each (GC): the first one's code, everybody's words. */
function several(errors: readonly CniError[]): CniError {
  const words = (pick: (error: CniError) => string): string =>
    [...new Set(errors.map(pick))].filter((text) => text !== '').join('; ');
  return {
    code: errors[0]?.code ?? CODE_OF_KIND.internal,
    msg: words((error) => error.msg),
    details: words((error) => error.details),
  };
}

/** Code, words and advice of anything thrown; 999 for what nobody foresaw. */
export function toCniError(error: unknown): CniError {
  if (error instanceof DelegateError) return { code: error.code, msg: error.message, details: error.details };
  if (error instanceof NetmoorError) {
    return ofKind(error.kind, withCause(error), error.details);
  }
  if (error instanceof AggregateError && error.errors.length > 0)
    return several(error.errors.map(toCniError));
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^E[A-Z0-9]+$/.test(error.code)
  ) {
    return systemError(error, error.code);
  }
  return ofKind(
    'internal',
    errorText(error) || 'failed without a message',
    'this is a defect of netmoor; please report it',
  );
}

const KINDS: ReadonlyMap<number, ErrorKind> = new Map(
  (['kernel', 'privilege', 'io', 'internal'] as const).map((kind) => [CODE_OF_KIND[kind], kind]),
);

/** Anything thrown as an error of netmoor's own, of the kind that its code means; one that is so already as it is. */
export function typedError(error: unknown): NetmoorError {
  if (error instanceof NetmoorError) return error;
  const { code, msg, details } = toCniError(error);
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const kind = first instanceof NetmoorError ? first.kind : (KINDS.get(code) ?? 'internal');
  return new NetmoorError(kind, msg, details, { cause: error });
}

/** The same error with other words; a delegate's keeps its code. */
export function rephrased(error: NetmoorError, message: string, details = error.details): NetmoorError {
  return error instanceof DelegateError
    ? new DelegateError(error.code, message, details)
    : new NetmoorError(error.kind, message, details, { cause: error });
}

/** The JSON value for stdout. */
export function errorAnswer(error: unknown, cniVersion: CniVersion): object {
  const { code, msg, details } = toCniError(error);
  return { cniVersion, code, msg, ...(details === '' ? {} : { details }) };
}
