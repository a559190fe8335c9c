/** Our SHA-256 against OpenSSL's, over every length of padding and beyond one block. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { sha256 } from '../../lib/base/sha256.ts';

t.test('the same as node:crypto', async (t) => {
  for (let length = 0; length < 260; length++) {
    const text = Array.from({ length }, (_, index) =>
      String.fromCodePoint(32 + ((index * 7 + length) % 900)),
    ).join('');
    t.same(
      sha256(text).toString('hex'),
      createHash('sha256').update(text).digest('hex'),
      `${length} characters`,
    );
  }
});
