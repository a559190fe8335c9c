/**
 * A function that calls another one of libc's and turns its failure into what the kernel itself says: errno as a
 * negative number. libc keeps errno for the thread, and so does V8 by what it does between a call and the reading of
 * errno: when it has to compile, or to wait for a lock (both happen), it makes system calls of its own, some of which
 * fail. So both are done before V8 gets to run again:
 *
 *     int64_t invoke(int64_t (*function)(...), a, b, c, d, e, f) {
 *       int64_t result = function(a, b, c, d, e, f);
 *       return (int)result == -1 ? -*__errno_location() : result;
 *     }
 *
 * By the System V ABI (x86-64) and AAPCS64 (arm64); arguments are integers or pointers, six at most.
 */

/** Bytes in hexadecimal, and what they are for the assembler. */
type Listing = readonly (readonly [bytes: string, instruction: string])[];

/** `2:`, behind the last one, is the address of __errno_location. */
export const LISTINGS: Readonly<Record<'x64' | 'arm64', Listing>> = {
  x64: [
    ['4883ec08', 'sub rsp, 8'],
    ['4989fb', 'mov r11, rdi'],
    ['4889f7', 'mov rdi, rsi'],
    ['4889d6', 'mov rsi, rdx'],
    ['4889ca', 'mov rdx, rcx'],
    ['4c89c1', 'mov rcx, r8'],
    ['4d89c8', 'mov r8, r9'],
    ['4c8b4c2410', 'mov r9, [rsp + 16]'],
    ['31c0', 'xor eax, eax'],
    ['41ffd3', 'call r11'],
    ['83f8ff', 'cmp eax, -1'],
    ['750c', 'jne 1f'],
    ['ff150b000000', 'call [rip + 2f]'],
    ['8b00', 'mov eax, [rax]'],
    ['f7d8', 'neg eax'],
    ['4898', 'cdqe'],
    ['4883c408', '1: add rsp, 8'],
    ['c3', 'ret'],
  ],
  arm64: [
    ['fd7bbfa9', 'stp x29, x30, [sp, #-16]!'],
    ['f00300aa', 'mov x16, x0'],
    ['e00301aa', 'mov x0, x1'],
    ['e10302aa', 'mov x1, x2'],
    ['e20303aa', 'mov x2, x3'],
    ['e30304aa', 'mov x3, x4'],
    ['e40305aa', 'mov x4, x5'],
    ['e50306aa', 'mov x5, x6'],
    ['00023fd6', 'blr x16'],
    ['1f040031', 'cmn w0, #1'],
    ['c1000054', 'b.ne 1f'],
    ['f0000058', 'ldr x16, 2f'],
    ['00023fd6', 'blr x16'],
    ['000040b9', 'ldr w0, [x0]'],
    ['e003004b', 'neg w0, w0'],
    ['007c4093', 'sxtw x0, w0'],
    ['fd7bc1a8', '1: ldp x29, x30, [sp], #16'],
    ['c0035fd6', 'ret'],
  ],
};

/** invoke() as above, for this processor; it runs wherever it lies. Throws Error for another kind of processor. */
export function invokeCode(errnoLocation: bigint): Buffer {
  const listing = new Map(Object.entries(LISTINGS)).get(process.arch);
  if (listing === undefined) throw new Error(`there is no machine code for ${process.arch}`);
  const address = Buffer.alloc(8);
  address.writeBigUInt64LE(errnoLocation);
  return Buffer.concat([...listing.map(([bytes]) => Buffer.from(bytes, 'hex')), address]);
}
