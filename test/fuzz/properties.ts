/**
 * How properties are asked (fast-check): from a seed that is told, so that a failure can be repeated, and shrunk to the
 * smallest example that fails. FUZZ_SEED and FUZZ_ROUNDS look further.
 */
import fc from 'fast-check';

export const SEED = Number(process.env['FUZZ_SEED'] ?? 20261122);

/** How often a property is asked, unless FUZZ_ROUNDS says. */
export function rounds(usual: number): number {
  return Number(process.env['FUZZ_ROUNDS'] ?? usual);
}

/** Parameters of fc.assert(). */
export function asking(usual: number): { readonly seed: number; readonly numRuns: number } {
  return { seed: SEED, numRuns: rounds(usual) };
}

/** The numbers that break what takes one of so many bits: those at its borders, and any other. */
export function edged(bits: 8 | 16 | 32): fc.Arbitrary<number> {
  const top = 2 ** bits - 1;
  return fc.oneof(
    fc.integer({ min: 0, max: top }),
    fc.constantFrom(0, 1, 2, 3, 4, Math.floor(top / 2), top - 1, top),
  );
}
