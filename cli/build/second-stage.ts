/**
 * Part of the first stage: evaluates the second one from the executable's assets, with its code cache (Node.js
 * `vm.Script`).
 */
import { getRawAsset } from 'node:sea';
import { KINDS } from '../../plugins/kinds.ts';
import { evaluate } from './evaluate.ts';

type Stage = Readonly<Record<string, () => unknown>>;

/**
 * The first module that is asked for tells which program this is: a main plugin has a second stage of its own (see
 * paths.ts).
 */
function stageOf(module: string): string {
  const plugin = /^plugins\/([^/]+)\/main\.ts$/.exec(module)?.[1] ?? '';
  return KINDS.has(plugin) ? plugin : 'programs';
}

function load(name: string): Stage {
  const source = Buffer.from(getRawAsset(`${name}.js`) as ArrayBuffer);
  const cachedData = Buffer.from(getRawAsset(`${name}.cache`) as ArrayBuffer);
  // An executable that was made on another processor has none.
  return evaluate(source.toString('latin1'), cachedData.length > 0 ? cachedData : undefined).exports as Stage;
}

/**
 * Looks modules up in the second stage by their path in the source tree; each is evaluated when it is first asked for.
 */
export function openSecondStage(): (module: string) => unknown {
  let stage: Stage | undefined;
  return (module) => {
    stage ??= load(stageOf(module));
    return stage[module]?.();
  };
}
