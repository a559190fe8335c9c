/** Guests of a served bridge that speak in the name of others. */
import t from 'tap';
import { clientIds, guest, LAB, leased, macOf } from '../dhcp/guests.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { say } from './dhcp-forger.ts';
import type { Word } from './dhcp-forger.ts';

const skip = lacking('busybox') ?? false;
t.setTimeout(120_000);
t.jobs = 2;

const SERVER = '10.77.0.1';
/** Of a machine and its clone: RFC 4361, made from what is in its image. */
const CLONED = `ff00000001${'00020000ab11'}${'aa'.repeat(8)}`;

async function took(place: Place, word: Partial<Word> = {}): Promise<string> {
  const who = { chaddr: await macOf(place), ...word };
  const [offer] = await say(place, { ...who, type: 'discover' });
  const requested = offer?.yiaddr ?? '';
  const [ack] = await say(place, { ...who, type: 'request', requested, server: SERVER });
  return ack?.type === 'ack' ? ack.yiaddr : `${offer?.type} then ${ack?.type}`;
}

async function lab(host: Host): Promise<{ boat: Place; thief: Place; network: Network }> {
  const network = new Network(host, LAB);
  await network.container('c1');
  return { boat: await guest(host, 'boat'), thief: await guest(host, 'thief'), network };
}

t.test('a lease is given back and declined only from where it is held', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { boat, thief } = await lab(host);
    const chaddr = await macOf(boat);
    const address = await took(boat);
    t.match(address, /^10\.77\.0\./);
    for (const from of [await macOf(thief), chaddr]) {
      const base = { chaddr, from, server: SERVER, unanswered: true };
      await say(thief, { ...base, type: 'release', ciaddr: address });
      await say(thief, { ...base, type: 'decline', requested: address });
      // Questions are answered one after the other: what was said before has been heard.
      await say(thief, { type: 'discover', chaddr: '02:00:00:00:99:99' });
      t.equal((await leased(host))[`dhcp-${chaddr.replaceAll(':', '')}`], `${address}/24`, `as ${from}`);
    }
    await say(boat, { type: 'release', chaddr, ciaddr: address, server: SERVER, unanswered: true });
    await say(boat, { type: 'inform', chaddr, ciaddr: address });
    t.notOk((await clientIds(host)).includes(`dhcp-${chaddr.replaceAll(':', '')}`), 'its holder may');
  });
});

t.test('two machines with one client identifier have two addresses', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { boat, thief: clone } = await lab(host);
    const one = await took(boat, { clientId: CLONED });
    const two = await took(clone, { clientId: CLONED });
    t.match(one, /^10\.77\.0\./);
    t.match(two, /^10\.77\.0\./);
    t.not(one, two, 'nobody shares');
    t.equal(await took(boat, { clientId: CLONED }), one, 'each keeps its own');
    t.equal(await took(clone, { clientId: CLONED }), two);
    const mac = await macOf(clone);
    const [renewal] = await say(clone, { type: 'request', chaddr: mac, clientId: CLONED, ciaddr: one });
    t.match(renewal, { type: 'nak' }, 'nor does it get the other one by asking');
    await host.must(['ip', 'link', 'delete', 'tap-boat']);
    const again = await guest(host, 'again');
    t.equal(
      await took(again, { clientId: CLONED }),
      one,
      'with another card it is itself, once the first is gone',
    );
  });
});

t.test('what is not a client’s to have', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { thief, network } = await lab(host);
    const other = await network.container('c2');
    const chaddr = await macOf(thief);
    for (const requested of [other.ip4, SERVER, '10.77.0.0', '10.77.0.255', '10.77.0.53', '192.0.2.9']) {
      const [told] = await say(thief, { type: 'request', chaddr, requested });
      t.match(told, { type: 'nak' }, requested);
      const [renewed] = await say(thief, { type: 'request', chaddr, ciaddr: requested });
      t.match(renewed, { type: 'nak' }, `renewing ${requested}`);
      const [offer] = await say(thief, { type: 'discover', chaddr, requested });
      t.not(offer?.yiaddr, requested);
    }
    t.same(await say(thief, { type: 'discover', chaddr, giaddr: '10.77.0.9' }), [null], 'through a relay');
  });
});

t.test('whoever asks in a thousand names leaves containers their addresses', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ipam = { subnet: '10.77.0.0/28' };
    const network = new Network(host, { ...LAB, ipam });
    await network.container('c1');
    const thief = await guest(host, 'thief');
    const names = Array.from({ length: 20 }, (_, n) => `02:00:00:00:66:${(n + 16).toString(16)}`);
    await say(thief, ...names.map((chaddr): Word => ({ type: 'discover', chaddr })));
    await network.container('c2');
    t.pass('what is only offered is nobody’s yet');
  });
});
