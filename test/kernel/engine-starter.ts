/**
 * A plugin that needs the engine, in a host: starts one when there is none, and prints the number of its process, or
 * what went wrong. `$1`: the executable.
 */
import { askEngine } from '../../lib/engine/client.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { ensureEngine } from '../../lib/engine/ensure.ts';
import { orderRequest } from '../../lib/engine/request.ts';

const [, , file = '', idle = '300'] = process.argv;
const patience = {
  monotonic: () => performance.now(),
  pause: (milliseconds: number): void =>
    void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds),
};

try {
  const args = ['engine', '--idle-exit', idle, '--ready-fd', '3'];
  ensureEngine(patience, 20_000, { file, args });
  const answer = askEngine(orderRequest('status'), 10_000);
  const report = 'report' in answer ? (answer.report as { pid: number }) : undefined;
  process.stdout.write(JSON.stringify({ pid: report?.pid }));
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  process.stdout.write(JSON.stringify({ trouble: error.trouble, message: error.message }));
}
// The engine must not keep us.
process.exit(0);
