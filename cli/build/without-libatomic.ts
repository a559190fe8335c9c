/**
 * Takes libatomic out of a Node.js executable (ELF: see elf.ts; GNU symbol versioning). Node.js 26 wants that library
 * for one function that V8 calls, on 8 bytes, and a host without compilers does not have it:
 * nothing that runs there otherwise needs it. The function is written into the unused end of the last page of code, and
 * the relocation that asked the library for it asks for this one.
 */
import { DT_SYMTAB, Executable, PT_LOAD, SYMBOL_BYTES } from './elf.ts';

const PF_X = 1;

const DT_NEEDED = 1n;
const DT_PLTRELSZ = 2n;
const DT_JMPREL = 23n;
const DT_VERNEED = 0x6ffffffen;
const DT_VERNEEDNUM = 0x6fffffffn;

const RELOCATION_BYTES = 24;
const R_X86_64_JUMP_SLOT = 7n;
const R_X86_64_IRELATIVE = 37n;

const LIBRARY = 'libatomic.so.1';
const FUNCTION = '__atomic_compare_exchange';

/**
 * x86-64. First what an IRELATIVE relocation calls to learn an address, then, 16 bytes on, the function: bool (size_t
 * size, void *memory, void *expected, void *desired, int, int) on 8 bytes; any other size traps.
 */
const CODE = Buffer.from(
  [
    '488d0509000000 c3 9090909090909090', // lea rax, [rip + 9]; ret
    '4883ff08 7516', //                      cmp rdi, 8; jne trap
    '4c8b01 488b02', //                      mov r8, [rcx]; mov rax, [rdx]
    'f04c0fb106 7403 488902', //             lock cmpxchg [rsi], r8; je done; mov [rdx], rax
    '0f94c0 0fb6c0 c3', //            done:  sete al; movzx eax, al; ret
    '0f0b', //                        trap:  ud2
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

/** Writes CODE behind the code that is there; its address. */
function addCode({ file, segments }: Executable): number {
  const code = segments.find(({ type, flags }) => type === PT_LOAD && (flags & PF_X) !== 0);
  if (code === undefined) throw new Error('no code');
  const skip = -(code.address + code.size) & 15;
  const at = code.offset + code.size + skip;
  const room = file.subarray(at, at + CODE.length);
  const fits = ((at - 1) & 4095) + CODE.length < 4096;
  if (!fits || room.some((byte) => byte !== 0)) throw new Error('the last page of code has no room');
  CODE.copy(file, at);
  const size = BigInt(code.size + skip + CODE.length);
  file.writeBigUInt64LE(size, code.header + 32);
  file.writeBigUInt64LE(size, code.header + 40);
  return code.address + code.size + skip;
}

/** Redirects the call through the procedure linkage table. */
function redirect(executable: Executable, resolver: number): void {
  const { file } = executable;
  const symbols = executable.offsetOf(executable.entry(DT_SYMTAB).value);
  const start = executable.offsetOf(executable.entry(DT_JMPREL).value);
  const end = start + executable.entry(DT_PLTRELSZ).value;
  for (let at = start; at < end; at += RELOCATION_BYTES) {
    const info = file.readBigUInt64LE(at + 8);
    const symbol = symbols + Number(info >> 32n) * SYMBOL_BYTES;
    const isCall = (info & 0xffffffffn) === R_X86_64_JUMP_SLOT;
    if (!isCall || executable.text(file.readUInt32LE(symbol)) !== FUNCTION) continue;
    file.writeBigUInt64LE(R_X86_64_IRELATIVE, at + 8);
    file.writeBigUInt64LE(BigInt(resolver), at + 16);
    return;
  }
  throw new Error(`nothing calls ${FUNCTION}`);
}

/** Takes the library's versions out of the chain (Elf64_Verneed: vn_file at 4, vn_next at 12). */
function forgetVersions(executable: Executable): void {
  const { file } = executable;
  const count = executable.entry(DT_VERNEEDNUM);
  const head = executable.entry(DT_VERNEED);
  let before: number | undefined;
  let at = executable.offsetOf(head.value);
  for (let index = 0; index < count.value; index++) {
    const next = file.readUInt32LE(at + 12);
    if (executable.text(file.readUInt32LE(at + 4)) !== LIBRARY) {
      before = at;
      at += next;
      continue;
    }
    if (before === undefined) file.writeBigUInt64LE(BigInt(head.value + next), head.at + 8);
    else file.writeUInt32LE(next === 0 ? 0 : file.readUInt32LE(before + 12) + next, before + 12);
    file.writeBigUInt64LE(BigInt(count.value - 1), count.at + 8);
    return;
  }
}

/** Changes the executable in `file`; one that does not want libatomic stays as it is. */
export function removeLibatomic(file: Buffer): void {
  const executable = new Executable(file);
  const { dynamic } = executable;
  const needed = dynamic.findIndex(
    ({ tag, value }) => tag === DT_NEEDED && executable.text(value) === LIBRARY,
  );
  if (needed === -1) return;
  redirect(executable, addCode(executable));
  forgetVersions(executable);
  const start = dynamic[needed]?.at ?? 0;
  const end = (dynamic.at(-1)?.at ?? 0) + 16;
  file.copy(file, start, start + 16, end);
  file.fill(0, end - 16, end);
}
