/** Part of the first stage: evaluates the second one from the executable's assets, with its code cache (Node.js `vm.Script`). */
import { getRawAsset } from 'node:sea';
import { evaluate } from './evaluate.ts';

type Stage = Readonly<Record<string, () => unknown>>;

/** What the second stage exports: its modules by their path in the source tree, each evaluated when it is first asked for. */
export function loadSecondStage(): Stage {
  const source = Buffer.from(getRawAsset('programs.js') as ArrayBuffer);
  const cachedData = Buffer.from(getRawAsset('programs.cache') as ArrayBuffer);
  return evaluate(source.toString('latin1'), cachedData).exports as Stage;
}
