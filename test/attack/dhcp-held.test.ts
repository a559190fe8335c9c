/** Addresses that guests live with, and no store that is asked knows of: nobody is given them twice. */
import t from 'tap';
import { LAB, guest, leased, macOf } from '../dhcp/guests.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { say } from './dhcp-forger.ts';
import type { Heard } from './dhcp-forger.ts';

const skip = lacking('busybox') ?? false;
t.setTimeout(120_000);
t.jobs = 2;

const SERVER = '10.77.0.1';
/** Five addresses beside the gateway. */
const subnet = '10.77.0.0/29';

async function asks(place: Place): Promise<{ offered: string; told: Heard | null | undefined }> {
  const chaddr = await macOf(place);
  const [offer] = await say(place, { type: 'discover', chaddr });
  const offered = offer?.yiaddr ?? '0.0.0.0';
  const [told] = await say(place, { type: 'request', chaddr, requested: offered, server: SERVER });
  return { offered, told };
}

/** Attaches until nothing is left; what they were given. */
async function attachMany(network: Network, host: Host, count: number): Promise<string[]> {
  const given: string[] = [];
  for (let number = 0; number < count; number++) {
    const name = `many${number}`;
    await host.container(name);
    const { code, json } = await network.run('ADD', name);
    const [own] = (json?.ips ?? []) as { address: string }[];
    if (code === 0 && own !== undefined) given.push(own.address.replace('/29', ''));
  }
  return given;
}

async function furtherNames(host: Host, port: string): Promise<string[]> {
  const [link] = await host.ip('link', 'show', 'dev', port);
  return (link?.['altnames'] as string[] | undefined) ?? [];
}

t.test('a store that was lost', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...LAB, ipam: { subnet } });
    await network.container('c1');
    const boat = await guest(host, 'boat');
    const { offered: address, told } = await asks(boat);
    t.match(told, { type: 'ack', yiaddr: address });
    await host.shell('rm -f /var/lib/cni/netmoor/leases.db*');
    const given = await attachMany(network, host, 6);
    t.ok(given.length >= 3, `others get theirs: ${given.join(' ')}`);
    t.notOk(given.includes(address), 'not the address of the guest');
    const chaddr = await macOf(boat);
    t.match(await say(boat, { type: 'request', chaddr, ciaddr: address }), [
      { type: 'ack', yiaddr: address },
    ]);
    t.ok((await furtherNames(host, 'tap-boat')).length > 0);
    await say(boat, { type: 'release', chaddr, ciaddr: address, server: SERVER, unanswered: true });
    await say(boat, { type: 'inform', chaddr, ciaddr: address });
    t.same(await furtherNames(host, 'tap-boat'), [], 'what is given back is held no more');
  });
});

t.test('two stores', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ipam = (dataDir: string) => ({ subnet, dataDir });
    const served = new Network(host, { ...LAB, ipam: ipam('/var/lib/one') });
    await served.container('c1');
    const boat = await guest(host, 'boat');
    const { offered: address } = await asks(boat);
    const other = new Network(host, { name: 'other', bridge: 'nm-lab', ipam: ipam('/var/lib/other') });
    const given = await attachMany(other, host, 6);
    t.ok(given.length >= 3);
    t.notOk(given.includes(address), 'a container of the other store has another');
    const late = await guest(host, 'late');
    for (let number = 0; number < 5; number++) {
      const { offered, told } = await asks(late);
      if (told?.type === 'ack') t.notOk(given.includes(offered), `${offered} is nobody else's`);
    }
    const held = Object.values(await leased(host)).filter((text) => given.includes(text.replace('/29', '')));
    t.ok(held.length >= given.length, 'all are on record');
  });
});
