/** ipam/dhcp/identity.ts: identities are the same for the same texts, and of the forms that the RFCs give them. */
import t from 'tap';
import { clientIdFrom, duidFrom, iaidFrom } from '../../ipam/dhcp/identity.ts';

t.test('a DUID-UUID', async (t) => {
  const duid = duidFrom('container one');
  t.equal(duid.length, 18);
  t.equal(duid.readUInt16BE(0), 4, 'RFC 6355');
  t.equal(duid.readUInt8(8) >>> 4, 8, 'version 8 (RFC 9562)');
  t.equal(duid.readUInt8(10) >>> 6, 2, 'its variant');
  t.strictSame(duidFrom('container one'), duid);
  t.notSame(duidFrom('container two'), duid);
  t.equal(
    duid.toString('hex'),
    '00048acaa7155a1988c898264a00f0b6208a',
    'never another one in a later version',
  );
});

t.test('a client identifier of RFC 4361', async (t) => {
  const [duid, iaid] = [duidFrom('c'), iaidFrom('lan/eth0')];
  t.not(iaid, iaidFrom('lan/eth1'));
  t.ok(Number.isInteger(iaid) && iaid >= 0 && iaid <= 0xffffffff);
  const id = clientIdFrom(iaid, duid);
  t.equal(id.length, 23);
  t.equal(id.readUInt8(0), 255);
  t.equal(id.readUInt32BE(1), iaid);
  t.strictSame(id.subarray(5), duid);
  t.equal(clientIdFrom(0xffffffff, duid).readUInt32BE(1), 0xffffffff);
});
