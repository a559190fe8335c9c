/** macvlan-v6 where somebody on the LAN sends router advertisements that no router would. */
import t from 'tap';
import type { Test } from 'tap';
import { advertisement, manyPrefixes, sendAdvertisements } from './lan-advertise.ts';
import type { Advertisement } from './lan-advertise.ts';
import { addresses, inet6, network, onRecord, skip, withLan } from './macvlan-bed.ts';
import type { CniJson, Place } from './harness.ts';

t.setTimeout(120_000);

const MAC = '02:00:5e:00:54:01';
const GOOD = { prefix: '2001:db8:50::/64' };
/** A length of zero would drop the whole message: 31, units, reserved, lifetime, then names. */
function dnssl(...names: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, 0x0e, 0x10]), ...names]);
  const units = Math.ceil((body.length + 2) / 8);
  const option = Buffer.alloc(units * 8);
  option.set([31, units]);
  option.set(body, 2);
  return option;
}

function label(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
}

function name(...labels: readonly string[]): Buffer {
  return Buffer.concat([...labels.map(label), Buffer.alloc(1)]);
}

/** What a container gets of one such message, sent when it asks. */
async function under(
  t: Test,
  said: Readonly<Record<string, readonly Buffer[]>>,
  judge: (what: string, result: CniJson, place: Place) => Promise<void>,
  mtu = 1500,
): Promise<void> {
  await withLan(
    t,
    async ({ host, lan }) => {
      const { place: sender } = await lan.router();
      const ear = await lan.listen({ filter: 'icmp6 and ip6[40] == 133' });
      const lanNetwork = network(host, { dad: 'off', timeout: 5 });
      for (const [what, messages] of Object.entries(said)) {
        const place = await host.container('c1');
        const from = ear.frames().length;
        const adding = lanNetwork.run('ADD', 'c1');
        await ear.hears(/router solicitation/, 'a question', { from });
        await sendAdvertisements(sender, messages);
        const { code, json, stdout, stderr } = await adding;
        if (code !== 0 || json === undefined) throw new Error(`${what}: ${stdout}${stderr}`);
        await judge(what, json, place);
        await lanNetwork.del('c1');
        t.equal(await onRecord(host), 0);
        await host.removeContainer('c1');
      }
    },
    { mtu },
  );
}

function each(cases: Readonly<Record<string, Advertisement>>): Record<string, Buffer[]> {
  const messages = Object.entries(cases).map(([what, said]) => [
    what,
    [advertisement({ mac: MAC, ...said })],
  ]);
  return Object.fromEntries(messages) as Record<string, Buffer[]>;
}

t.test('absurd prefixes beside a good one', { skip }, async (t) => {
  const absurd = [0, 1, 63, 65, 127, 128, 129, 255].map((length) => `2001:db8:66::/${length}`);
  const others = ['::/0', '::/64', '::1/128', 'ff02::/64', 'fe80::/64', 'fec0::/64', '::ffff:0:0/64'];
  const lifetimes = [
    { valid: 0, preferred: 0 },
    { valid: 10, preferred: 100 },
    { valid: 0, preferred: 0xffffffff },
  ].map((lifetime) => ({ prefix: '2001:db8:67::/64', ...lifetime }));
  const prefixes = [...[...absurd, ...others].map((prefix) => ({ prefix })), ...lifetimes];
  const cases = each({
    ...Object.fromEntries(
      prefixes.map((odd, i) => [`${i} ${JSON.stringify(odd)}`, { prefixes: [odd, GOOD] }]),
    ),
    'all of them': { prefixes: [...prefixes, GOOD] },
  });
  await under(t, cases, async (what, result, place) => {
    const made = (await inet6(place, 'global')).map(({ local }) => `${local}/64`).sort();
    t.same(addresses(result).sort(), made, `${what}: the result says what there is`);
    t.ok(
      made.some((address) => address.startsWith('2001:db8:50:')),
      'the good one is among them',
    );
    t.notOk(
      made.some((address) => /^(2001:db8:6|ff|fe80)/.test(address)),
      'none of the absurd',
    );
  });
});

t.test('absurd values', { skip }, async (t) => {
  const prefixes = [GOOD];
  const cases = each({
    'an MTU of 9000': { prefixes, mtu: 9000 },
    'an MTU of 0': { prefixes, mtu: 0 },
    'an MTU of 1279': { prefixes, mtu: 1279 },
    'an MTU of 4294967295': { prefixes, mtu: 0xffffffff },
    'a hop limit of 1': { prefixes, hopLimit: 1 },
    'timers of weeks': { prefixes, reachable: 0xffffffff, retransmit: 0xffffffff },
    'options nobody knows': {
      prefixes,
      raw: [Buffer.from('ff01000000000000', 'hex'), Buffer.alloc(8, 0xfe).fill(1, 1, 2)],
    },
  });
  await under(t, cases, async (what, result, place) => {
    t.match(addresses(result), [/^2001:db8:50:/], what);
    t.strictSame(result.routes, [{ dst: '::/0', gw: 'fe80::1' }], 'no MTU that the kernel does not heed');
    const [mtu, hops] = (await place.shell('cd /proc/sys/net/ipv6/conf/eth0; cat mtu hop_limit')).split('\n');
    t.equal(mtu, '1500');
    t.equal(hops, '64');
  });
});

t.test('hostile name servers', { skip }, async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => `2001:db8:53::${(i + 1).toString(16)}`);
  const prefixes = [GOOD];
  const cases = each({
    many: { prefixes, rdnss: { servers: many } },
    'many options': {
      prefixes,
      raw: many.map((server) => advertisement({ rdnss: { servers: [server] } }).subarray(16)),
    },
    nobody: { prefixes, rdnss: { servers: ['::', '::1', 'ff02::1', 'ff02::fb', 'fe80::1'] } },
    revoked: { prefixes, rdnss: { servers: many, lifetime: 0 } },
    odd: { prefixes, raw: [Buffer.from('1902000000000258fe80000000000000', 'hex')] },
  });
  await under(
    t,
    cases,
    async (what, result) => {
      const servers = result.dns?.nameservers ?? [];
      t.ok(servers.length <= 16, `${what}: ${servers.length}`);
      if (what.startsWith('many')) t.same(servers, many.slice(0, servers.length), 'the first of them');
      if (what.startsWith('many')) t.ok(servers.length > 0);
      if (what === 'nobody') t.same(servers, ['fe80::1'], 'who can be asked');
      if (what === 'revoked' || what === 'odd') t.same(servers, []);
    },
    9000,
  );
});

t.test('hostile search domains', { skip }, async (t) => {
  const good = name('lan', 'example');
  const hostile: Record<string, Buffer> = {
    'escape sequences': name('\u001b]0;owned\u0007', 'example'),
    newlines: name('a\nnameserver 6.6.6.6', 'example'),
    'carriage return and zero': name('a\r\0b', 'example'),
    spaces: name('a b', 'example'),
    dots: name('a.b.c', 'example'),
    'letters beyond ASCII': name('\u00e4\u00ff', 'example'),
    '300 characters': name(...Array.from({ length: 6 }, () => 'x'.repeat(49))),
    'a dash': name('-rf', 'example'),
    'a root': Buffer.alloc(1),
  };
  const broken: Record<string, Buffer> = {
    'a compression pointer': Buffer.from([0xc0, 0x0c]),
    'a pointer to itself': Buffer.from([0xc0, 0x08, 0xc0, 0x08]),
    'a long label': Buffer.from([64, ...Array.from({ length: 64 }, () => 0x78), 0]),
    'no end': Buffer.from([0x3f, 0x61, 0x61]),
  };
  const many = Array.from({ length: 60 }, (_, i) => name(`d${i}`));
  const message = (...names: Buffer[]) => [
    advertisement({ mac: MAC, prefixes: [GOOD], raw: [dnssl(...names)] }),
  ];
  const cases = {
    ...Object.fromEntries(Object.entries(hostile).map(([what, bad]) => [what, message(good, bad)])),
    ...Object.fromEntries(Object.entries(broken).map(([what, bad]) => [what, message(bad)])),
    many: message(...many),
  };
  await under(t, cases, async (what, result) => {
    const search = result.dns?.search ?? [];
    t.ok(
      search.every((domain) => /^[a-z0-9_.-]{1,253}$/i.test(domain) && !domain.startsWith('-')),
      what,
    );
    if (what in hostile) t.same(search, ['lan.example'], 'beside a good one');
    if (what in broken) t.same(search, []);
    if (what === 'many') t.equal(search.length, 16);
  });
});

t.test('a thousand prefixes', { skip }, async (t) => {
  await under(t, { all: manyPrefixes(1000, { mac: MAC }) }, async (_what, result, place) => {
    const made = await inet6(place, 'global');
    t.ok(made.length <= 16, `${made.length} addresses`);
    t.ok(addresses(result).length <= 16);
    t.ok(JSON.stringify(result).length < 8192, `${JSON.stringify(result).length} bytes`);
  });
});
