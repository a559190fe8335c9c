/**
 * The executable under a name that is none of its programs: a plugin renamed in a CNI directory must not become another
 * one.
 */
import { NetmoorError } from '../lib/base/errors.ts';
import type { Answer } from '../lib/cni/dispatch.ts';
import type { Environment } from '../lib/cni/environment.ts';
import { finish } from '../lib/cni/entry.ts';
import { errorAnswer, toCniError } from '../lib/cni/errors.ts';
import { quote } from '../lib/cni/quote.ts';
import { CURRENT_VERSION } from '../lib/cni/versions.ts';

/** To a runtime, which says so by CNI_COMMAND, the error is the answer; to people it is two lines. */
function answerTo(environment: Environment, error: NetmoorError): Answer {
  if (environment['CNI_COMMAND'])
    return { exitCode: 1, stdout: `${JSON.stringify(errorAnswer(error, CURRENT_VERSION))}\n`, stderr: '' };
  const { msg, details } = toCniError(error);
  return { exitCode: 2, stdout: '', stderr: `${msg}\n  ${details}\n` };
}

/** The program of a name that is none of the `known` ones. */
export function unknownName(
  name: string,
  known: readonly string[],
): (invocation: { readonly environment: Environment }) => Promise<never> {
  const error = new NetmoorError(
    'bad-environment',
    `no program of netmoor has the name ${quote(name)} that this file was started under`,
    `rename it, or link to it by one of the names ${known.join(', ')}`,
  );
  return async ({ environment }) => finish(answerTo(environment, error));
}
