/** What the layout says about a chain: where it hooks in, and its rules. */
import type { Expression } from './expression.ts';

export interface RulePlan {
  readonly comment: string;
  readonly expressions: readonly Expression[];
}

export interface ChainPlan {
  readonly name: string;
  readonly base?: { readonly type: 'filter' | 'nat'; readonly hook: number; readonly priority: number };
  readonly rules: readonly RulePlan[];
}

export function rule(comment: string, ...parts: readonly (Expression | readonly Expression[])[]): RulePlan {
  return { comment, expressions: parts.flat() };
}
