/** RFC 2131, section 4.3, case by case, over a real lease store. */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { clientName } from '../../ipam/dhcp/server/identity.ts';
import { BARRED_MS, OFFER_MS } from '../../ipam/dhcp/server/serve.ts';
import { whyEnded } from '../../plugins/bridge-nat/dhcp-server/client.ts';
import { LEASE, Rig, SCOPE, macNumber } from './dhcp-server-rig.ts';
import { attachment } from './ipam-record.ts';

const [ONE, TWO] = [macNumber(1), macNumber(2)];
const SERVER = '10.77.0.1';
const GRANTED = { seconds: LEASE, renewAfter: LEASE / 2, rebindAfter: (LEASE * 7) / 8 };

t.test('an offer is kept for a minute, a lease for its time', async (t) => {
  const rig = new Rig(t.testdir());
  const offer = rig.ask({ is: 'discover', mac: ONE });
  t.match(offer, { is: 'offer', granted: GRANTED });
  const address = offer?.address ?? '';
  t.same(rig.ask({ is: 'discover', mac: ONE })?.address, address, 'the same when asked again');
  t.not(rig.ask({ is: 'discover', mac: TWO, requested: address })?.address, address);
  const [record] = rig.store.read((tx) => tx.attachments());
  t.equal(record?.containerId, clientName({ mac: ONE }));
  t.equal(
    whyEnded(record ?? attachment('none'), () => rig.now + OFFER_MS - 1),
    undefined,
  );
  t.type(
    whyEnded(record ?? attachment('none'), () => rig.now + OFFER_MS),
    'string',
  );
  t.match(rig.ask({ is: 'request', mac: ONE, requested: address, server: SERVER }), {
    is: 'ack',
    address,
    granted: GRANTED,
  });
  const [bound] = rig.store.read((tx) => tx.attachments({ containerId: clientName({ mac: ONE }) }));
  t.match(bound?.detail, { client: { state: 'bound', until: rig.now + LEASE * 1000 }, masquerade: true });
  rig.now += 1000 * 1000;
  t.equal(rig.ask({ is: 'discover', mac: ONE })?.address, address, 'a question does not cut a lease short');
  const [still] = rig.store.read((tx) => tx.attachments({ containerId: clientName({ mac: ONE }) }));
  t.match(still?.detail, { client: { state: 'bound' } });
});

t.test('an offer that is not asked for in time goes to others', async (t) => {
  const rig = new Rig(t.testdir(), { rangeStart: '10.77.0.9', rangeEnd: '10.77.0.9' });
  t.equal(rig.ask({ is: 'discover', mac: ONE })?.address, '10.77.0.9');
  t.match(rig.outcome({ is: 'discover', mac: TWO }), { exhausted: true });
  rig.now += OFFER_MS;
  rig.expire();
  t.equal(rig.lease(TWO), '10.77.0.9');
  const refused = rig.ask({ is: 'request', mac: ONE, requested: '10.77.0.9', server: SERVER });
  t.equal(refused?.is, 'nak', 'who comes too late hears so');
});

t.test('who comes back gets the same, even where a container has what was first his', async (t) => {
  const rig = new Rig(t.testdir());
  const leaseOnce = (mac: string): string => {
    const address = rig.lease(mac) ?? '';
    rig.ask({ is: 'release', mac, ciaddr: address, server: SERVER });
    return address;
  };
  const clients = Array.from({ length: 40 }, (_, number) => macNumber(number));
  for (const [number, mac] of clients.entries()) {
    const addresses = [{ address: `${leaseOnce(mac)}/24`, scope: SCOPE }];
    rig.store.write((tx) => tx.putAttachment(attachment(`c${number}`, { network: 'lab', addresses })));
  }
  const again = clients.map(leaseOnce);
  t.same(clients.map(leaseOnce), again);
});

t.test('a client that chooses another server is heard, not answered', async (t) => {
  const rig = new Rig(t.testdir());
  const { address = '' } = rig.ask({ is: 'discover', mac: ONE }) ?? {};
  t.equal(rig.ask({ is: 'request', mac: ONE, requested: '10.77.0.77', server: '10.77.0.200' }), undefined);
  t.equal(
    rig.store.read((tx) => tx.addressOwner(SCOPE, parseAddress(address))),
    undefined,
  );
  const held = rig.lease(ONE);
  rig.ask({ is: 'request', mac: ONE, requested: '10.77.0.77', server: '10.77.0.200' });
  t.equal(rig.lease(ONE), held, 'a lease is not lost by it');
});

t.test('after a reboot, of the client or of the host', async (t) => {
  const rig = new Rig(t.testdir());
  const address = rig.lease(ONE) ?? '';
  const reboots = (mac: string, requested: string) => rig.ask({ is: 'request', mac, requested });
  t.match(reboots(ONE, address), { is: 'ack', address });
  t.match(reboots(ONE, '10.77.0.250'), { is: 'nak' }, 'another than its own');
  t.match(reboots(TWO, address), { is: 'nak' }, "somebody else's");
  t.match(reboots(TWO, '192.0.2.7'), { is: 'nak' }, 'of another network');
  t.match(reboots(TWO, SERVER), { is: 'nak' }, "the server's own");
  t.match(
    reboots(TWO, '10.77.0.44'),
    { is: 'ack', address: '10.77.0.44' },
    'free, and nothing is known of it',
  );
});

t.test('renewing and rebinding', async (t) => {
  const rig = new Rig(t.testdir());
  const ciaddr = rig.lease(ONE) ?? '';
  const incarnation = () => rig.store.read((tx) => tx.attachments()[0]?.incarnation);
  const first = incarnation();
  rig.now += (LEASE / 2) * 1000;
  t.match(rig.ask({ is: 'request', mac: ONE, ciaddr }), { is: 'ack', address: ciaddr, granted: GRANTED });
  t.not(incarnation(), first, 'who saw the old one end does not take the new one down');
  t.match(rig.ask({ is: 'request', mac: TWO, ciaddr }), { is: 'nak' });
  rig.now += LEASE * 1000;
  rig.expire();
  t.match(
    rig.ask({ is: 'request', mac: ONE, ciaddr }),
    { is: 'ack', address: ciaddr },
    'late, but still free',
  );
});

t.test('giving back, and finding somebody else on the address', async (t) => {
  const rig = new Rig(t.testdir());
  const address = rig.lease(ONE) ?? '';
  rig.ask({ is: 'release', mac: TWO, ciaddr: address, server: SERVER });
  rig.ask({ is: 'release', mac: ONE, ciaddr: address, server: '10.77.0.200' });
  t.equal(
    rig.store.read((tx) => tx.attachments().length),
    1,
    "nobody gives back somebody else's",
  );
  t.equal(rig.ask({ is: 'release', mac: ONE, ciaddr: address, server: SERVER }), undefined);
  t.equal(
    rig.store.read((tx) => tx.attachments().length),
    0,
  );
  t.equal(rig.lease(ONE), address, 'it comes back to its own address');
  t.equal(rig.ask({ is: 'decline', mac: ONE, requested: address, server: SERVER }), undefined);
  const other = rig.lease(ONE);
  t.not(other, address);
  t.not(rig.lease(TWO, { requested: address }), address);
  rig.now += BARRED_MS;
  rig.expire();
  t.equal(rig.lease(macNumber(3), { requested: address }), address, 'for a while only');
});

t.test('who is only told, who is in a hurry, who is not here', async (t) => {
  const rig = new Rig(t.testdir());
  t.same(rig.ask({ is: 'inform', mac: ONE, ciaddr: '10.77.0.33' }), { is: 'ack' });
  t.equal(rig.ask({ is: 'inform', mac: ONE, ciaddr: '192.0.2.33' }), undefined);
  t.match(rig.ask({ is: 'discover', mac: ONE, rapid: true }), { is: 'ack', rapid: true, granted: GRANTED });
  t.equal(rig.ask({ is: 'discover', mac: TWO, relayed: true }), undefined);
  t.equal(rig.ask({ is: 'request', mac: TWO }), undefined, 'a request for nothing');
});

t.test('reservations are promises', async (t) => {
  const rig = new Rig(t.testdir(), { reservations: { [ONE]: ['10.77.0.99'], gateway: ['10.77.0.100'] } });
  t.equal(rig.lease(ONE, { requested: '10.77.0.5' }), '10.77.0.99', 'whatever it wishes for');
  t.not(
    rig.lease(TWO, { requested: '10.77.0.100', hostname: 'gateway' }),
    '10.77.0.100',
    'a host name is no proof',
  );
  const full = new Rig(t.testdir({}), { reservations: { [ONE]: ['10.77.0.99'] } });
  full.store.write((tx) =>
    tx.putAttachment(attachment('squatter', { addresses: [{ address: '10.77.0.99/24', scope: SCOPE }] })),
  );
  t.equal(full.lease(ONE), undefined, 'no other address instead');
});

t.test('who a client is', async (t) => {
  t.equal(clientName({ mac: ONE }), 'dhcp-020000000001');
  t.equal(clientName({ mac: ONE, clientId: '01020000000001' }), clientName({ mac: ONE }));
  t.not(clientName({ mac: ONE, clientId: 'ff01' }), clientName({ mac: ONE }));
  t.equal(clientName({ mac: ONE, clientId: 'ff01' }), clientName({ mac: TWO, clientId: 'ff01' }));
  const rig = new Rig(t.testdir());
  t.equal(
    rig.lease(ONE, { clientId: 'ff0011' }),
    rig.lease(TWO, { clientId: 'ff0011' }),
    'a card was changed',
  );
});
