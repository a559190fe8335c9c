/** Asking for what is not there any more: interfaces vanish between two questions. */
import t from 'tap';
import { listAddresses } from '../../lib/netlink/address.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';

t.test('an interface that is gone has no addresses', async (t) => {
  const socket = NetlinkSocket.open('route');
  t.teardown(() => socket.close());
  t.same(listAddresses(socket, 0x7fff_fff0), []);
});
