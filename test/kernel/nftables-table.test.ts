/** lib/nftables/table.ts on the real kernel: what the tables hold, who may remove what, and processes that race. */
import { readFileSync } from 'node:fs';
import { test } from 'tap';
import {
  addAttachment,
  listElements,
  ownerComment,
  removeAttachment,
  removeElementsOf,
} from '../../lib/nftables/table.ts';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { attachment, network, none, withNetfilter } from './nftables-bed.ts';
import { lacking, withHost } from './harness.ts';
import { Background } from './harness-process.ts';
import type { Host } from './harness.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const last = { ofNetwork: true, onBridge: true, ofAll: true };
const notLast = { ofNetwork: false, onBridge: false, ofAll: false };

/** A listing without handles, elements in an order of their own. */
function normalised(objects: readonly unknown[]): unknown {
  return JSON.parse(
    JSON.stringify(objects, (key, value: unknown) => {
      if (key === 'handle') return undefined;
      if (key === 'elem' && Array.isArray(value)) return value.map((one) => JSON.stringify(one)).sort();
      return value;
    }),
  );
}

function golden(name: string): unknown {
  return normalised(
    JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')) as unknown[],
  );
}

const c1 = attachment('c1', {
  rules: network(0, 'same-bridge'),
  addresses: ['10.89.0.2', 'fd00:89::2'],
  forwards: [
    'tcp 8080 -> 10.89.0.2 80',
    'tcp 8080 -> fd00:89::2 80',
    'sctp 203.0.113.2 36412 -> 10.89.0.2 36412',
    'tcp 2001:db8::2 443 -> fd00:89::2 8443',
  ],
  macSpoofCheck: { hostIfname: 'nmc1', mac: '02:00:5e:00:53:0a' },
});
const c2 = attachment('c2', {
  rules: network(0, 'same-bridge'),
  addresses: ['10.89.0.3'],
  forwards: ['udp 5000+3 -> 10.89.0.3 6000'],
});

test('what nft lists is what a person would have written', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      addAttachment(nf, c2, none);
      t.strictSame(normalised(await host.nft()), golden('attached.json'));
      t.strictSame([...checkAttachment(nf, c1), ...checkAttachment(nf, c2)], []);

      addAttachment(nf, c1, none);
      t.strictSame(normalised(await host.nft()), golden('attached.json'), 'adding again changes nothing');

      removeAttachment(nf, c2, notLast);
      removeAttachment(nf, c2, notLast);
      t.strictSame(
        listElements(nf).filter(({ owner }) => owner === ownerComment(c2.owner)),
        [],
      );
      t.strictSame(checkAttachment(nf, c1), [], 'the other one lost nothing');
      removeAttachment(nf, c1, { ofNetwork: true, onBridge: true, ofAll: false });
      t.strictSame(normalised(await host.nft()), golden('layout.json'), 'the empty layout stays');
      removeAttachment(nf, c1, last);
      t.strictSame(await host.nft(), [], 'with the last of all the tables go');
      removeAttachment(nf, c1, last);
    }),
  );
});

test('an element belongs to who is named in it', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      const before = await host.nft();

      const thief = attachment('c9', {
        rules: c1.rules,
        addresses: ['10.89.0.9'],
        forwards: ['tcp 8080 -> 10.89.0.9 80', 'tcp 8081 -> 10.89.0.9 81'],
      });
      t.throws(() => addAttachment(nf, thief, none), {
        name: 'NetmoorError',
        kind: 'port-taken',
        message: naming('8080', 'web/c1/eth0'),
      });
      t.strictSame(await host.nft(), before, 'and nothing is half done');

      // The store gave c1's address to c3 before c1's teardown came.
      const c3 = attachment('c3', { rules: c1.rules, addresses: ['10.89.0.2'] });
      addAttachment(nf, c3, none);
      t.match(checkAttachment(nf, c1), [naming('masq4', '10.89.0.2', 'web/c3/eth0')]);
      removeAttachment(nf, c1, notLast);
      t.strictSame(checkAttachment(nf, c3), [], 'the old holder leaves, the new one keeps the address');
      t.strictSame(
        listElements(nf).filter(({ owner }) => owner === 'web/c1/eth0'),
        [],
      );

      const moved = attachment('c3', {
        rules: c1.rules,
        addresses: ['10.89.0.2'],
        forwards: ['tcp 80 -> 10.89.0.2 8080'],
      });
      addAttachment(nf, moved, none);
      const again = attachment('c3', {
        rules: c1.rules,
        addresses: ['10.89.0.2'],
        forwards: ['tcp 80 -> 10.89.0.2 9090'],
      });
      t.match(checkAttachment(nf, again), [naming('publish4', '80', '8080', '9090')]);
      addAttachment(nf, again, none);
      t.strictSame(checkAttachment(nf, again), [], 'one’s own element is corrected');
    }),
  );
});

test('what bears the name of somebody unknown can be removed', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      addAttachment(nf, c2, none);
      t.equal(removeElementsOf(nf, new Set(['web/c2/eth0', 'web/c7/eth0'])), 4);
      t.strictSame(checkAttachment(nf, c1), []);
      t.strictSame(
        listElements(nf).filter(({ owner }) => owner === 'web/c2/eth0'),
        [],
      );
      t.equal(removeElementsOf(nf, new Set(['web/c2/eth0'])), 0);
    }),
  );
});

test('names too long for a comment', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const long = attachment('c'.repeat(200), { addresses: ['10.89.0.2'] });
      addAttachment(nf, long, none);
      t.match(listElements(nf).find(({ set }) => set === 'masq4')?.owner, /^sha256:[0-9a-f]{64}$/);
      t.strictSame(checkAttachment(nf, long), []);
      removeAttachment(nf, long, last);
      t.strictSame(await host.nft(), []);
    }),
  );
});

test('tables that are gone, or not as they should be', { skip }, async (t) => {
  const others = () => [c1, c2];
  const c3 = attachment('c3', { rules: c1.rules, addresses: ['10.89.0.4'] });
  const whole = async (host: Host, what: string, damage: string) => {
    await withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      addAttachment(nf, c2, none);
      await host.shell(damage);
      t.not(checkAttachment(nf, c1).length, 0, `${what}: noticed`);
      addAttachment(nf, { ...c3, macSpoofCheck: { hostIfname: 'nmc3', mac: '02:00:5e:00:53:0c' } }, others);
      t.strictSame(
        [c1, c2, c3].flatMap((one) => checkAttachment(nf, one)),
        [],
        `${what}: mended by the next one`,
      );
      removeAttachment(nf, c1, notLast);
      removeAttachment(nf, c2, notLast);
      removeAttachment(nf, { ...c3, macSpoofCheck: { hostIfname: 'nmc3', mac: '02:00:5e:00:53:0c' } }, last);
      t.strictSame(await host.nft(), [], `${what}: nothing stays behind`);
    });
  };
  await withHost(t, async (host) => {
    await whole(host, 'flushed ruleset', 'nft flush ruleset');
    await whole(host, 'bridge table deleted', 'nft delete table bridge netmoor');
    await whole(
      host,
      'another layout',
      `nft delete table inet netmoor
      nft add table inet netmoor '{ comment "netmoor layout 0"; }'
      nft add set inet netmoor masq4 '{ type ipv4_addr; }'
      nft add element inet netmoor masq4 '{ 10.89.0.77 }'`,
    );
  });
});

test('teardown finds tables gone, or of another layout', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      removeAttachment(nf, c1, notLast);
      addAttachment(nf, c1, none);
      await host.shell('nft delete table inet netmoor');
      removeAttachment(nf, c1, last);
      t.strictSame(await host.nft(), []);
      await host.shell(
        `nft add table inet netmoor; nft add set inet netmoor masq4 '{ type ipv4_addr . ipv4_addr; }'`,
      );
      removeAttachment(nf, c1, notLast);
      removeAttachment(nf, c1, last);
      t.strictSame(await host.nft(), []);
    }),
  );
});

test('flushed rules are noticed', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      await host.shell('nft flush chain inet netmoor postrouting');
      t.strictSame(checkAttachment(nf, c1), [
        'nftables table inet netmoor: chain postrouting has been changed',
      ]);
    }),
  );
});

test('the tables stay while they hold what another store put there', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const stranger = attachment('s1', { rules: network(1) });
      addAttachment(nf, c1, none);
      addAttachment(nf, stranger, none);
      removeAttachment(nf, c1, last);
      t.strictSame(checkAttachment(nf, stranger), []);
      removeAttachment(nf, stranger, last);
      t.strictSame(await host.nft(), []);
    }),
  );
});

test('two networks on one bridge, their subnets within one another', { skip }, async (t) => {
  const wide = attachment('c1', {
    rules: { ...network(), subnets: [{ address: { family: 4, value: 0x0a590000n }, length: 16 }] },
  });
  const narrow = attachment('c2', { rules: { ...network(), network: 'other' } });
  for (const [first, second] of [
    [wide, narrow],
    [narrow, wide],
  ] as const) {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        addAttachment(nf, first, none);
        addAttachment(nf, second, none);
        t.strictSame([...checkAttachment(nf, wide), ...checkAttachment(nf, narrow)], []);
        await host.shell('nft delete table inet netmoor');
        addAttachment(nf, first, () => [second]);
        t.strictSame([...checkAttachment(nf, wide), ...checkAttachment(nf, narrow)], []);
        removeAttachment(nf, first, { ofNetwork: true, onBridge: false, ofAll: false });
        t.strictSame(checkAttachment(nf, second), [], 'the bridge is still known while one network is on it');
        removeAttachment(nf, second, last);
        t.strictSame(await host.nft(), []);
      }),
    );
  }
});

test('a range of 60,000 ports is one element, to other ports one each', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const many = attachment('c1', { forwards: ['udp 5000+60000 -> 10.89.0.2 5000'] });
      const shifted = attachment('c1', { forwards: ['udp 5000+60000 -> 10.89.0.2 4000'] });
      const around = attachment('c3', { forwards: ['udp 4999 -> 10.89.0.4 1', 'udp 65000 -> 10.89.0.4 2'] });
      addAttachment(nf, around, none);
      addAttachment(nf, c2, none);
      for (const range of [many, shifted])
        t.throws(() => addAttachment(nf, range, none), {
          kind: 'port-taken',
          message: naming('web/c2/eth0'),
        });
      removeAttachment(nf, c2, notLast);
      addAttachment(nf, shifted, none);
      t.equal(listElements(nf).filter(({ set }) => set === 'publish4').length, 60_002);
      t.strictSame(checkAttachment(nf, shifted), []);
      removeAttachment(nf, shifted, notLast);
      addAttachment(nf, many, none);
      const ranges = listElements(nf).filter(({ set }) => set === 'publish4_range');
      t.match(ranges, [{ key: '0.0.0.0-255.255.255.254 . udp . 5000-64999', data: '10.89.0.2' }]);
      t.strictSame(checkAttachment(nf, many), []);
      t.throws(() => addAttachment(nf, c2, none), { kind: 'port-taken', message: naming('web/c1/eth0') });
      const other = attachment('c4', { forwards: ['udp 203.0.113.2 64000+1000 -> 10.89.0.5 64000'] });
      t.throws(() => addAttachment(nf, other, none), { kind: 'port-taken', message: naming('web/c1/eth0') });
      removeAttachment(nf, many, notLast);
      t.strictSame(
        listElements(nf).filter(({ owner }) => owner === 'web/c1/eth0'),
        [],
      );
      t.strictSame(checkAttachment(nf, around), []);
    }),
  );
});

test('ports that do not exist are refused before anything happens', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      t.throws(
        () => addAttachment(nf, attachment('c1', { forwards: ['tcp 65535+2 -> 10.89.0.2 80'] }), none),
        RangeError,
      );
      t.strictSame(await host.nft(), []);
    }),
  );
});

test('twenty processes create the tables at once, and take them down', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const ids = Array.from({ length: 20 }, (_, i) => i + 2);
      const racer = new URL('nftables-racer.ts', import.meta.url).pathname;
      const racers = ids.map(
        (id) => new Background([process.execPath, racer, host.path('/proc/1/ns/net'), String(id)]),
      );
      const all = (said: string) =>
        Promise.all(racers.map((one) => one.until(() => one.output.includes(said), said, 25_000)));
      await all('ready');
      for (const one of racers) one.write('.');
      await all('added');
      const elements = listElements(nf);
      t.equal(elements.filter(({ set }) => set === 'masq4').length, 20);
      t.equal(elements.filter(({ set }) => set === 'publish4').length, 20);
      t.strictSame(
        ids.flatMap((id) => checkAttachment(nf, attachment(`c${id}`, { addresses: [`10.89.0.${id}`] }))),
        [],
      );
      for (const one of racers) one.write('.');
      await Promise.all(racers.map((one) => one.end()));
      t.ok(
        racers.every((one) => one.child.exitCode === 0),
        racers.map((one) => one.errors).join(''),
      );
      t.strictSame(
        listElements(nf).filter(({ set }) => set === 'masq4' || set === 'publish4'),
        [],
      );
    }),
  );
});
