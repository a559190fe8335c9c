/** Our client in the place of one that was captured: real servers' own words get and prolong its lease. */
import t from 'tap';
import { decodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Message6 } from '../../ipam/dhcp/v6/message.ts';
import { Bench } from '../unit/dhcp6-bench.ts';
import { wishOf } from '../unit/dhcp6-wish.ts';
import { captures6 } from './dhcp6-captures.ts';
import type { Capture6 } from './dhcp6-captures.ts';

/** A client that is who the captured one was, and wants the same. Real ones number their IA_PDs on from the IA_NA. */
function impersonate({ messages }: Capture6): Bench {
  const [first] = messages;
  if (first === undefined) throw new Error('an empty capture');
  const { type, options } = decodeMessage6(first.payload);
  const { iaNa = [], iaPd = [], clientId = '', rapidCommit = false } = options;
  const iaid = iaNa[0]?.iaid ?? iaPd[0]?.iaid ?? 1;
  const behind = iaPd.some((each) => each.iaid === iaid + 1) ? 2 : 0;
  const delegated = iaNa.length > 0 ? behind : iaPd.length;
  return new Bench(
    wishOf({
      duid: clientId,
      iaid,
      addresses: iaNa.length > 0,
      prefixes: delegated,
      stateless: type === 'INFORMATION-REQUEST',
      rapidCommit,
    }),
  );
}

/** What was answered to a question of this type, as an answer to ours. */
function answersTo({ messages }: Capture6, type: string): Message6[] {
  const answers = messages.filter((_, index) => messages[index - 1]?.name === type);
  return answers
    .map(({ payload }) => decodeMessage6(payload))
    .filter(({ options }) => options.serverId !== undefined);
}

/** The first question of the type gets the first answer of the server. */
function serve(bench: Bench, capture: Capture6): void {
  const [answer] = answersTo(capture, bench.asked.type.toLowerCase());
  if (answer === undefined) throw new Error(`nobody answered ${bench.asked.type}`);
  bench.receive({ ...answer, transaction: bench.asked.transaction });
  if (bench.state === 'SOLICITING') bench.after(1.2);
}

const ADDRESS = /^2001:db8:50::1[0-9a-f]{2}$/;
const DNS = {
  nameservers: ['2001:db8:50::53', '2001:db8:50::54'],
  search: ['lan.example', 'example', 'with.a.long.name.lan.example'],
};

/** Of what a relay and a server say to each other nobody was a client. */
const CLIENTS = captures6().filter(({ messages }) => !messages.some(({ name }) => name.startsWith('relay-')));

for (const capture of CLIENTS) {
  const asked = new Set(capture.messages.map(({ name }) => name));
  t.test(capture.name, async (t) => {
    const bench = impersonate(capture);
    serve(bench, capture);
    if (bench.state === 'REQUESTING') serve(bench, capture);
    if (asked.has('information-request')) {
      t.match([bench.state, bench.lease?.dns], ['INFORMED', DNS]);
      return;
    }
    t.equal(bench.state, 'BOUND');
    const { addresses = [], prefixes = [] } = bench.lease ?? {};
    if (addresses.length > 0) t.match(addresses, [{ address: ADDRESS }]);
    else t.match(prefixes, [{ prefix: /^2001:db8:8[0-9a-f]{3}::\/56$/ }]);
    t.equal(bench.lease?.dns.nameservers[0], DNS.nameservers[0]);
    if (asked.has('renew')) {
      bench.after(bench.lease?.renewAfter ?? 0);
      t.equal(bench.asked.type, 'RENEW');
      serve(bench, capture);
      t.match([bench.state, bench.lease?.since], ['BOUND', bench.sent.at(-1)?.at]);
    }
    if (asked.has('rebind')) {
      bench.after(bench.lease?.rebindAfter ?? 0);
      t.equal(bench.asked.type, 'REBIND');
      bench.after(0.5);
      const [answer] = answersTo(capture, 'rebind').slice(-1);
      if (answer) bench.receive({ ...answer, transaction: bench.asked.transaction });
      t.equal(bench.state, 'BOUND');
    }
    if (asked.has('confirm')) {
      bench.feed({ is: 'uncertain' });
      bench.after(1);
      serve(bench, capture);
      t.equal(bench.state, 'BOUND');
    }
    if (asked.has('decline')) {
      const [{ address = '' } = {}] = bench.lease?.addresses ?? [];
      bench.feed({ is: 'duplicate', address });
      serve(bench, capture);
      t.equal(bench.asked.type, 'SOLICIT');
    }
    if (asked.has('release')) {
      bench.feed({ is: 'release' });
      serve(bench, capture);
      t.strictSame([bench.state, bench.deeds.at(-1)], ['RELEASED', 'end']);
    }
  });
}
