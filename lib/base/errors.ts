/**
 * Errors are data: what was tried, what the kernel answered, what a person can do about it.
 * `lib/cni/errors.ts` alone turns them into CNI error codes.
 */
import { constants } from 'node:os';

const ERRNO_NAMES = new Map<number, string>(
  Object.entries(constants.errno).map(([name, value]) => [value, name] as const),
);
// Node lists EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP under one number: keep the kernel's spelling.
ERRNO_NAMES.set(constants.errno.EAGAIN, 'EAGAIN');
ERRNO_NAMES.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');

/** Symbolic name of an errno value (positive), e.g. 17 -> "EEXIST"; "E123" for one this table does not know. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `E${errno}`;
}

/**
 * A refusal by the kernel: the operation in words, errno (positive) and, when sent, the extended-ack text. Most are
 * answers ("there is none") that somebody waits for, so none looks where it was thrown, which costs more than asking.
 */
export class SystemError extends Error {
  readonly op: string;
  readonly errno: number;
  readonly code: string;
  readonly extack: string | undefined;

  constructor(op: string, errno: number, options: { extack?: string | undefined; cause?: unknown } = {}) {
    const code = errnoName(errno);
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`${op}: ${code}${options.extack ? ` (${options.extack})` : ''}`, { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'SystemError';
    this.op = op;
    this.errno = errno;
    this.code = code;
    this.extack = options.extack;
  }
}

/** True for a SystemError, or an error of Node's own fs layer, with one of these errno names. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}

export type ErrorKind =
  | 'bad-version'
  | 'bad-environment'
  | 'bad-json'
  | 'bad-config'
  | 'unsupported-field'
  | 'unknown-container'
  | 'bad-netns'
  | 'own-netns'
  | 'ifname-taken'
  | 'pool-exhausted'
  | 'address-taken'
  | 'address-invalid'
  | 'port-taken'
  | 'subnet-taken'
  | 'name-taken'
  | 'store'
  | 'kernel'
  | 'privilege'
  | 'delegate'
  | 'io'
  | 'check-failed'
  | 'not-available'
  | 'try-again'
  | 'internal';

/** A failure in netmoor's own terms: `message` says what failed, `details` what to do about it. */
export class NetmoorError extends Error {
  readonly kind: ErrorKind;
  readonly details: string;

  constructor(kind: ErrorKind, message: string, details = '', options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'NetmoorError';
    this.kind = kind;
    this.details = details;
  }
}

/** The text of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
