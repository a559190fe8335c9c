/**
 * bridge-nat from source, dying of SIGKILL at a named step: `bridge-nat-victim.ts STEP`; with a second word, failing there and
 * going on to take everything back. Without a step it lives, and tells the steps it went through on stderr, so that the tests
 * know all of them by asking.
 */
import { readStdin } from '../../lib/cni/entry.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import { plugin } from '../../plugins/bridge-nat/main.ts';

const [, , fatal, throws] = process.argv;

function step(name: string): void {
  if (fatal === undefined) process.stderr.write(`step ${name}\n`);
  if (name === fatal && throws !== undefined) throw new Error(`failed at "${name}"`);
  // To oneself this signal is delivered before kill(2) returns: nothing after the step runs.
  if (name === fatal) process.kill(process.pid, 'SIGKILL');
}

const answer = await dispatch(plugin, { environment: process.env, readStdin }, { ...realWorld(), step });
process.stdout.write(answer.stdout);
process.stderr.write(answer.stderr);
process.exitCode = answer.exitCode;
