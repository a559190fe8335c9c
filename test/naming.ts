/** What a message has to say whatever its words: which file, key, address or owner it is about. */

/**
 * A pattern for texts that name each of these things, in any order; for t.match() and t.throws() beside the kind or
 * code, which tell one error from another. A thing is named only as a whole: 10.0.0.1 is not in "10.0.0.10 is taken".
 */
export function naming(...things: readonly string[]): RegExp {
  const parts = things.map((thing) => {
    const literal = thing.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    const before = /^\w/.test(thing) ? '(?<!\\w)' : '';
    const after = /\w$/.test(thing) ? '(?!\\w)' : '';
    return `(?=[^]*${before}${literal}${after})`;
  });
  return new RegExp(`^${parts.join('')}`);
}
