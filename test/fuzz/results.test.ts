/**
 * Results of every version of the protocol: what is written is read as it was, and whatever another plugin writes is
 * read or refused with the code of a bad configuration.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, formatPrefix } from '../../lib/base/ip.ts';
import type { Address } from '../../lib/base/ip.ts';
import { decodeResult } from '../../lib/cni/decode-result.ts';
import { encodeResult } from '../../lib/cni/encode-result.ts';
import type { CniIp, CniResult } from '../../lib/cni/result.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import { editedJson } from './json-edits.ts';
import { asking } from './properties.ts';

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value): Address => ({ family: 4, value })),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value): Address => ({ family: 6, value })),
);
const prefix = fc
  .tuple(address, fc.nat(128))
  .map(([each, length]) => formatPrefix({ address: each, length: each.family === 4 ? length % 33 : length }));
const ip = address.map(formatAddress);
const word = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 15 });
const positive = fc.integer({ min: 1, max: 65_535 });

function record<T>(
  needed: { [key: string]: fc.Arbitrary<unknown> },
  more: { [key: string]: fc.Arbitrary<unknown> },
): fc.Arbitrary<T> {
  const options = { requiredKeys: Object.keys(needed), noNullPrototype: true };
  return fc.record({ ...needed, ...more }, options) as unknown as fc.Arbitrary<T>;
}

const words = fc.array(word, { minLength: 1, maxLength: 3 });

const result: fc.Arbitrary<CniResult> = record<CniResult>(
  {
    interfaces: fc.array(
      record({ name: word }, { mac: word, mtu: positive, sandbox: word, socketPath: word, pciID: word }),
      { maxLength: 3 },
    ),
    ips: fc.array(record<CniIp>({ address: prefix }, { gateway: ip, interface: fc.nat(2) }), {
      maxLength: 3,
    }),
    routes: fc.array(
      record(
        { dst: prefix },
        {
          gw: ip,
          mtu: positive,
          advmss: positive,
          priority: positive,
          table: fc.nat(255),
          scope: fc.nat(255),
        },
      ),
      { maxLength: 3 },
    ),
    dns: record(
      {},
      {
        nameservers: fc.array(ip, { minLength: 1, maxLength: 3 }),
        domain: word,
        search: words,
        options: words,
      },
    ),
  },
  {},
).map((whole) => {
  const within = ({ interface: index, ...rest }: CniIp): CniIp =>
    index === undefined || index >= whole.interfaces.length ? rest : { ...rest, interface: index };
  return { ...whole, ips: whole.ips.map(within) };
});

t.test('what 1.1.0 says is read as it was', async () => {
  const roundTrip = fc.property(result, (each) =>
    isDeepStrictEqual(decodeResult(JSON.parse(JSON.stringify(encodeResult(each, '1.1.0'))), 'result'), each),
  );
  fc.assert(roundTrip, asking(1500));
});

t.test('what an earlier version cannot say is all that is lost', async () => {
  const versions = SUPPORTED_VERSIONS.filter((version) => !/^0\.[12]\./.test(version));
  const loses = fc.property(result, fc.constantFrom(...versions), (each, version) => {
    const once = decodeResult(encodeResult(each, version), 'result');
    const twice = decodeResult(encodeResult(once, version), 'result');
    const bare = ({ name, mac, sandbox }: CniResult['interfaces'][number]) => [name, mac, sandbox];
    return (
      isDeepStrictEqual(twice, once) &&
      isDeepStrictEqual(once.ips, each.ips) &&
      isDeepStrictEqual(once.routes, each.routes) &&
      isDeepStrictEqual(once.interfaces.map(bare), each.interfaces.map(bare))
    );
  });
  fc.assert(loses, asking(1500));
});

t.test('edited results of every version', async (t) => {
  const written = fc.sample(result, { numRuns: 40, seed: 7 }).flatMap((each) =>
    SUPPORTED_VERSIONS.flatMap((version) => {
      try {
        return [JSON.parse(JSON.stringify(encodeResult(each, version))) as unknown];
      } catch (error) {
        if (error instanceof NetmoorError && error.kind === 'bad-config') return [];
        throw error;
      }
    }),
  );
  const counted = { read: 0, refused: 0 };
  const isReadOrRefused = fc.property(editedJson(written, 3), (value) => {
    try {
      decodeResult(value, 'prevResult');
      counted.read++;
    } catch (error) {
      if (!(error instanceof NetmoorError) || !['bad-config', 'bad-version'].includes(error.kind))
        throw error;
      counted.refused++;
    }
  });
  fc.assert(isReadOrRefused, asking(4000));
  t.ok(Math.min(counted.read, counted.refused) > 100, JSON.stringify(counted));
});
