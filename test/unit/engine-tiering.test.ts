/** When V8 compiles in the engine, and that code caches are accepted all the same. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { cachedDataVersionTag } from 'node:v8';
import t from 'tap';
import { THRESHOLDS, compileEarly, threadBegins } from '../../cli/engine/tiering.ts';
import { wakeModestly } from '../../lib/system/scheduling.ts';

const SCHED_BATCH = '3';

/** Of proc_pid_stat(5): name and policy, field 41; the name, in parentheses, may contain anything. */
function scheduled(file: string): { readonly name: string; readonly policy: string } {
  const stat = readFileSync(file, 'latin1');
  const end = stat.lastIndexOf(')');
  const policy = stat.slice(end + 2).split(' ')[41 - 3] ?? '';
  return { name: stat.slice(stat.indexOf('(') + 1, end), policy };
}

function policies(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const thread of readdirSync('/proc/self/task')) {
    const { name, policy } = scheduled(`/proc/self/task/${thread}/stat`);
    found.set(name, (found.get(name) ?? new Set()).add(policy));
  }
  return found;
}

t.test(
  'the usual thresholds are those of the V8 in use, the early ones none below its fuzzers',
  async (t) => {
    const valuesUnder = (...options: readonly string[]): string =>
      execFileSync(process.execPath, [...options, '--print-flag-values', '-e', '0'], { encoding: 'utf8' });
    const usual = valuesUnder();
    const fuzzing = valuesUnder('--jit-fuzzing');
    for (const { option, usual: value, early } of THRESHOLDS) {
      t.match(usual, `\n${option}=${value}\n`, option);
      const least = Number(new RegExp(`\n${option}=(\\d+)\n`).exec(fuzzing)?.[1]);
      // With lazy feedback off, the first call allocates it.
      const lazily = option.includes('feedback-allocation')
        ? /\n--lazy-feedback-allocation\n/.test(fuzzing)
        : true;
      t.ok(early >= (lazily ? least : 1), `${option}: ${early}, fuzzers ${least}`);
    }
  },
);

t.test('code caches are accepted while a thread begins, and only then', async (t) => {
  const tag = cachedDataVersionTag();
  const inTime = threadBegins();
  inTime();
  t.equal(cachedDataVersionTag(), tag, 'nothing changes in a process that does not ask for it');
  compileEarly();
  const early = cachedDataVersionTag();
  t.not(early, tag, 'V8 is told');
  const [first, second] = [threadBegins(), threadBegins()];
  t.equal(cachedDataVersionTag(), tag, 'a thread begins');
  first();
  first();
  t.equal(cachedDataVersionTag(), tag, 'one of two has begun, and says so twice');
  second();
  t.equal(cachedDataVersionTag(), early, 'both have');
});

t.test('compiling does not take the processor from who works', async (t) => {
  compileEarly();
  const found = policies();
  t.strictSame([...(found.get('node-V8Worker') ?? [])], [SCHED_BATCH]);
  for (const [name, policy] of found) if (name !== 'node-V8Worker') t.notOk(policy.has(SCHED_BATCH), name);
  wakeModestly('no such thread');
  t.strictSame(policies(), found, 'nobody else');
});

t.test('what the engine starts is not held back', async (t) => {
  compileEarly();
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  t.teardown(() => child.kill());
  t.equal(scheduled(`/proc/${child.pid}/stat`).policy, '0');
});
