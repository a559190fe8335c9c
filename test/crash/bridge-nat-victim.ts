/**
 * bridge-nat from source, dying of SIGKILL at a named step: `bridge-nat-victim.ts STEP`. Without a step it lives, and tells the
 * steps it went through on stderr, so that the tests know all of them by asking.
 */
import { readStdin } from '../../lib/cni/entry.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import { plugin } from '../../plugins/bridge-nat/main.ts';

const fatal = process.argv[2];

function step(name: string): void {
  if (fatal === undefined) process.stderr.write(`step ${name}\n`);
  // To oneself this signal is delivered before kill(2) returns: nothing after the step runs.
  if (name === fatal) process.kill(process.pid, 'SIGKILL');
}

const answer = await dispatch(plugin, { environment: process.env, readStdin }, { ...realWorld(), step });
process.stdout.write(answer.stdout);
process.stderr.write(answer.stderr);
process.exitCode = answer.exitCode;
