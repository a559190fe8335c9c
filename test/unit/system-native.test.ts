/** Calls of libc's functions: the machine code between, and errno as it was when the function returned. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { test } from 'tap';
import { leaveCode } from '../../cli/engine/shared-code.ts';
import { LISTINGS, invokeCode } from '../../lib/system/machine-code.ts';
import { Libc } from '../../lib/system/native.ts';

const { EBADF, ENOENT, ENOTDIR } = constants.errno;

const ASSEMBLERS = {
  x64: { prefix: '', directive: '.intel_syntax noprefix' },
  arm64: { prefix: 'aarch64-linux-gnu-', directive: '' },
} as const;

/** What the assembler makes of the instructions, with `address` behind them, in hexadecimal. */
function assembled(arch: keyof typeof ASSEMBLERS, address: bigint, folder: string): string {
  const { prefix, directive } = ASSEMBLERS[arch];
  const source = join(folder, `${arch}.s`);
  const object = join(folder, `${arch}.o`);
  const code = join(folder, arch);
  const lines = LISTINGS[arch].map(([, instruction]) => instruction);
  writeFileSync(source, `${[directive, ...lines, `2: .quad ${address}`].join('\n')}\n`);
  execFileSync(`${prefix}as`, ['-o', object, source]);
  execFileSync(`${prefix}objcopy`, ['-O', 'binary', '-j', '.text', object, code]);
  return readFileSync(code, 'hex');
}

test('the bytes are what the assembler makes of the instructions beside them', async (t) => {
  const folder = t.testdir();
  for (const arch of ['x64', 'arm64'] as const) {
    const bytes = LISTINGS[arch].map(([hex]) => hex).join('');
    t.equal(assembled(arch, 0x1122_3344_5566_7788n, folder), `${bytes}8877665544332211`, arch);
  }
  t.ok(invokeCode(0x1122_3344_5566_7788n).toString('hex').endsWith('8877665544332211'));
});

test('a failure is its errno, and a result itself', async (t) => {
  const libc = Libc.get();
  t.equal(libc.call('int open(str, int)', '/nowhere/at/all', 0), -ENOENT);
  t.equal(libc.call('int open(str, int)', '/proc/version/below', 0), -ENOTDIR);
  t.equal(libc.call('int64_t read(int, void *, size_t)', -1, Buffer.alloc(1), 1), -EBADF);
  t.equal(libc.call('int getpgid(int)', process.pid), libc.call('int getpgid(int)', 0));
  t.equal(libc.call('int64_t syscall(int64_t)', -1), -constants.errno.ENOSYS);
});

test('six arguments arrive, each in its place', async (t) => {
  const buffer = Buffer.alloc(256);
  const format = Buffer.from('%d %ld %s\0');
  const signature = 'int snprintf(void *, size_t, const void *, int, int64_t, str)';
  const length = Libc.get().call(signature, buffer, buffer.length, format, -7, 1234567890123, 'last');
  t.equal(buffer.toString('latin1', 0, length), '-7 1234567890123 last');
});

test('the same of a call in another thread', async (t) => {
  const libc = Libc.get();
  t.equal(await libc.callAside('int open(str, int)', '/nowhere/at/all', 0), -ENOENT);
  t.equal(await libc.callAside('int poll(void *, uint64_t, int)', Buffer.alloc(8), 0, 1), 0);
});

test('threads call through the code of the thread that started them, and leave none behind', async (t) => {
  leaveCode();
  const from = (file: string): string => JSON.stringify(new URL(`../../${file}`, import.meta.url).href);
  const script = `Promise.all([import(${from('cli/engine/shared-code.ts')}), import(${from('lib/system/native.ts')})])
    .then(([{ takeCode }, { Libc }]) => {
      takeCode();
      const libc = Libc.get();
      const errno = libc.call('int open(str, int)', '/nowhere/at/all', 0);
      require('node:worker_threads').parentPort.postMessage([libc.code, errno]);
    });`;
  for (let count = 0; count < 3; count++) {
    const thread = new Worker(script, { eval: true });
    const [said] = (await once(thread, 'message')) as [[bigint, number]];
    t.same(said, [Libc.get().code, -ENOENT]);
    await thread.terminate();
  }
  t.equal(Libc.get().call('int open(str, int)', '/nowhere/at/all', 0), -ENOENT);
});
