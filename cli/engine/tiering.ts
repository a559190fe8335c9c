/**
 * When V8 compiles what it has interpreted so far. By default its mid-tier compiler (Maglev) waits for 400 calls of a
 * function, and for 500 after the last surprise, which a page in a browser has within a second: what a request calls
 * once was still interpreted after the first hundred containers. A process that stays knows from the first request what
 * it is for. A one-shot would only compile what it never calls again.
 *
 * These options are the process's, and V8 accepts a code cache only under those that it was made with (see
 * cli/build/flags.ts): they are at their defaults whenever a thread begins.
 */
import { setFlagsFromString } from 'node:v8';
import { wakeModestly } from '../../lib/system/scheduling.ts';

/** The threads of Node.js that V8 compiles and collects garbage in. */
const COMPILERS = 'node-V8Worker';

interface Threshold {
  readonly option: string;
  /** V8's default (src/flags/flag-definitions.h). */
  readonly usual: number;
  /** No lower than what V8's own fuzzers run under all the time (--jit-fuzzing), so that it is well trodden. */
  readonly early: number;
}

export const THRESHOLDS: readonly Threshold[] = [
  { option: '--invocation-count-for-feedback-allocation', usual: 8, early: 1 },
  { option: '--invocation-count-for-maglev', usual: 400, early: 10 },
  { option: '--minimum-invocations-after-ic-update', usual: 500, early: 5 },
];

let beginning = 0;
let early = false;

function apply(): void {
  const which = early && beginning === 0 ? 'early' : 'usual';
  for (const threshold of THRESHOLDS) setFlagsFromString(`${threshold.option}=${threshold[which]}`);
}

/** From now on, in all threads; and compiling takes no processor from whoever is at work on a request. */
export function compileEarly(): void {
  early = true;
  apply();
  wakeModestly(COMPILERS);
}

/** To be called before a thread begins; what it returns, when that has read its code, and again without effect. */
export function threadBegins(): () => void {
  beginning += 1;
  apply();
  let over = false;
  return () => {
    if (over) return;
    over = true;
    beginning -= 1;
    apply();
  };
}
