import IPCIDR from 'ip-cidr';
import t from 'tap';
import type { Prefix } from '../../lib/base/ip.ts';
import {
  firstAddress,
  formatPrefix,
  lastAddress,
  networkOf,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '../../lib/base/ip.ts';
import { spanSize } from '../../ipam/span.ts';
import { randomFrom } from './ipam-ledger.ts';

const random = randomFrom(4193);

function randomPrefix(): Prefix {
  const family = random() < 0.5 ? 4 : 6;
  let value = 0n;
  for (let i = 0; i < (family === 4 ? 1 : 4); i++)
    value = (value << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  return { address: { family, value }, length: Math.floor(random() * (family === 4 ? 33 : 129)) };
}

/** Another prefix near the first, so that containment and overlap happen. */
function neighbour(prefix: Prefix): Prefix {
  const bits = prefix.address.family === 4 ? 32 : 128;
  const flip = 1n << BigInt(Math.floor(random() * bits));
  const address = { family: prefix.address.family, value: prefix.address.value ^ flip };
  return { address, length: Math.floor(random() * (bits + 1)) };
}

t.test('prefix arithmetic agrees with ip-cidr', async (t) => {
  let contained = 0;
  const differences: string[] = [];
  for (let i = 0; i < 3000; i++) {
    const prefix = randomPrefix();
    const other = neighbour(prefix);
    const cidr = new IPCIDR(formatPrefix(networkOf(prefix)));
    const [first, last] = cidr.toRange<bigint>({ type: 'bigInteger' });
    const inside = prefixContains(prefix, other.address);
    const [otherFirst, otherLast] = new IPCIDR(formatPrefix(networkOf(other))).toRange<bigint>({
      type: 'bigInteger',
    });
    if (inside) contained++;
    const same =
      first === firstAddress(prefix).value &&
      last === lastAddress(prefix).value &&
      BigInt(cidr.size.toString()) === spanSize({ first: firstAddress(prefix), last: lastAddress(prefix) }) &&
      inside === (first <= other.address.value && other.address.value <= last) &&
      prefixesOverlap(prefix, other) === (first <= otherLast && otherFirst <= last) &&
      formatPrefix(parsePrefix(formatPrefix(prefix))) === formatPrefix(prefix);
    if (!same) differences.push(`${formatPrefix(prefix)} and ${formatPrefix(other)}`);
  }
  t.same(differences, []);
  t.ok(contained > 500 && contained < 2500, `both answers occurred: ${contained} of 3000 contained`);
});
