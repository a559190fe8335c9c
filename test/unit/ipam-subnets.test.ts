import t from 'tap';
import { formatPrefix, parsePrefix, prefixContains, prefixesOverlap } from '../../lib/base/ip.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import { OTHER_TOOLS } from '../../ipam/other-tools.ts';
import type { Subnets } from '../../ipam/subnets.ts';
import { pickSubnets } from '../../ipam/subnets.ts';

const machineId = 'b08dfa6083e7567a1921a715000001fb';

function pick(network: string, taken: string[] = []): Subnets {
  return pickSubnets({ network, taken: taken.map(parsePrefix), machineId });
}

t.test('private space that no other tool takes, and the machine own ULA prefix', async (t) => {
  for (let i = 0; i < 200; i++) {
    const { v4, v6 } = pick(`network-${i}`);
    t.equal(v4.length, 24);
    t.equal(v6.length, 64);
    const areas = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map(parsePrefix);
    t.ok(
      areas.some((area) => prefixContains(area, v4.address)),
      formatPrefix(v4),
    );
    t.notOk(
      OTHER_TOOLS.find(({ prefix }) => prefixesOverlap(parsePrefix(prefix), v4)),
      formatPrefix(v4),
    );
    t.ok(prefixContains(parsePrefix('fd00::/8'), v6.address), formatPrefix(v6));
    t.equal(v6.address.value >> 80n, pick('other').v6.address.value >> 80n, 'one /48 for the machine');
    t.equal(v6.address.value & ((1n << 64n) - 1n), 0n);
  }
});

t.test('the same names give the same subnets; other machines another /48', async (t) => {
  t.same(pick('home'), pick('home'));
  t.notSame(pick('home').v4, pick('work').v4);
  t.notSame(pick('home').v6, pick('work').v6);
  const elsewhere = pickSubnets({ network: 'home', taken: [], machineId: 'another' });
  t.not(elsewhere.v6.address.value >> 80n, pick('home').v6.address.value >> 80n);
});

t.test('what is taken is avoided, whatever its size', async (t) => {
  const taken: string[] = [];
  for (let i = 0; i < 40; i++) {
    const { v4, v6 } = pick('home', taken);
    t.notOk(
      taken.find((text) => prefixesOverlap(parsePrefix(text), v4) || prefixesOverlap(parsePrefix(text), v6)),
    );
    taken.push(formatPrefix(i % 2 ? v4 : { ...v4, length: 22 }), formatPrefix(v6));
  }
  const host = formatPrefix({ ...pick('home').v4, length: 32 });
  t.notSame(pick('home', [host]).v4, pick('home').v4, 'a single host route counts');
});

t.test('default routes do not count, in one piece or two', async (t) => {
  const routes = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '::/0', '::/1', '8000::/1', 'fc00::/7'];
  t.same(pick('home', routes), pick('home'));
});

t.test(
  'a VPN that routes most of private space leaves the rest, then other tools defaults, then nothing',
  async (t) => {
    const rest = pick('home', ['10.0.0.0/8']).v4;
    t.ok(prefixContains(parsePrefix('172.16.0.0/12'), rest.address), formatPrefix(rest));
    const last = pick('home', ['10.0.0.0/8', '172.16.0.0/12']).v4;
    t.ok(prefixContains(parsePrefix('192.168.0.0/16'), last.address), formatPrefix(last));
    const all = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];
    t.throws(() => pick('home', all), NetmoorError, 'all of it in use');
    const ula = formatPrefix({ ...pick('home').v6, length: 48 });
    t.throws(
      () => pick('home', [formatPrefix(parsePrefix(ula))]),
      NetmoorError,
      'the whole /48 is routed elsewhere',
    );
  },
);
