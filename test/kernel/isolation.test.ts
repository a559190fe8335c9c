/** Who reaches whom: networks of one host, and the host itself, with the answers of real sockets. */
import t from 'tap';
import { ask, lacking, serve, withHost } from './harness.ts';
import type { Host, Place } from './harness.ts';
import { Network } from './moorings.ts';

const skip = lacking() ?? false;
const silence = { deadlineMs: 300 };

const ranges = (number: number) => ({
  ranges: [[{ subnet: `10.7${number}.0.0/24` }], [{ subnet: `fd00:7${number}::/64` }]],
});

interface Moored {
  readonly place: Place;
  readonly ip4: string;
  readonly ip6: string;
}

async function serveBoth(place: Place, port: number): Promise<void> {
  await serve(place, 'tcp', port);
  await serve(place, 'tcp', port, { address: '::' });
}

/** Whether TCP gets through, in IPv4 and in IPv6. */
async function reaches(from: Moored, to: Pick<Moored, 'ip4' | 'ip6'>, port = 80): Promise<boolean[]> {
  const one = async (address: string) => (await ask(from.place, 'tcp', address, port, silence)) !== undefined;
  return [await one(to.ip4), await one(to.ip6)];
}

const YES = [true, true];
const NO = [false, false];

async function moored(host: Host, config: object, container: string, wish = {}): Promise<Moored> {
  const moored = await new Network(host, { ...config }).container(container, wish);
  await serveBoth(moored.place, 80);
  return moored;
}

t.test('networks are apart, but for those that say otherwise', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const web = await moored(host, { name: 'web', ipam: ranges(1) }, 'c1', {
      ports: [{ hostPort: 8080, containerPort: 80 }],
    });
    const db = await moored(host, { name: 'db', ipam: ranges(2), allowFrom: ['web'] }, 'c2');
    const open = await moored(host, { name: 'open', ipam: ranges(3), ingressPolicy: 'open' }, 'c3');
    const beside = await moored(host, { name: 'web', ipam: ranges(1) }, 'c4');
    const sharing = await moored(host, { name: 'lodger', bridge: 'nm-web', ipam: ranges(1) }, 'c5');
    t.same(await reaches(db, web), NO, 'not from another network');
    t.same(await reaches(open, web), NO, 'not from one that is open itself');
    t.same(await reaches(web, db), YES, 'from the network that is named');
    t.same(await reaches(open, db), NO, 'from no other');
    t.same(await reaches(db, open), YES, 'ingressPolicy "open" is the word for everybody');
    t.same(await reaches(web, beside), YES, 'neighbours');
    t.same(await reaches(web, sharing), YES, 'two networks on one bridge are one');
    const gateway = { ip4: '10.71.0.1', ip6: 'fd00:71::1' };
    t.same(await reaches(db, gateway, 8080), YES, 'what is published is for everybody');
    await host.shell('sysctl -qw net.ipv4.ip_forward=1');
    t.same(
      await reaches(db, { ip4: '10.71.0.2', ip6: 'fd00:71::2' }),
      NO,
      'not by the way of the gateway either',
    );
  });
});

t.test('what of the host a network reaches', { skip }, async (t) => {
  await withHost(t, async (host) => {
    for (const port of [53, 8001, 9000]) await serveBoth(host, port);
    await host.shell('ip address add 203.0.113.1/32 dev lo; ip address add 2001:db8::1/128 dev lo nodad');
    const closed = await moored(host, { name: 'closed', ipam: ranges(1), hostAccess: false }, 'c1', {
      ports: [{ hostPort: 8080, containerPort: 80 }],
    });
    const some = await moored(
      host,
      { name: 'some', ipam: ranges(2), hostAccess: ['icmp', '53', 'tcp/8000-8010', 'tcp/8001'] },
      'c2',
    );
    const all = await moored(host, { name: 'all', ipam: ranges(3) }, 'c3');
    const elsewhere = { ip4: '203.0.113.1', ip6: '2001:db8::1' };
    const gateway = (number: number) => ({ ip4: `10.7${number}.0.1`, ip6: `fd00:7${number}::1` });
    const ping = async ({ place }: Moored, to: { ip4: string; ip6: string }) => [
      (await place.run(['ping', '-c1', '-W1', to.ip4])).code === 0,
      (await place.run(['ping', '-c1', '-W1', to.ip6])).code === 0,
    ];
    t.same(await reaches(closed, gateway(1), 53), NO, 'nothing');
    t.same(await reaches(closed, elsewhere, 53), NO, 'by no other address of the host either');
    t.same(await ping(closed, gateway(1)), NO);
    t.same(await reaches(closed, gateway(1), 8080), YES, 'its own published port is not the host');
    t.same(await reaches({ ...closed, place: host }, closed), YES, 'answers to the host pass');
    t.same(await reaches(some, gateway(2), 53), YES, 'what is allowed');
    t.same(await reaches(some, elsewhere, 8001), YES);
    t.same(await reaches(some, gateway(2), 9000), NO, 'and nothing else');
    t.same(await ping(some, gateway(2)), YES);
    t.same(
      await reaches(some, gateway(1), 8080),
      YES,
      "another network's published port is not the host either",
    );
    t.same(await reaches(all, gateway(3), 9000), YES, 'everything by default');
    t.same(
      await new Network(host, { name: 'closed', ipam: ranges(1), hostAccess: false }).check('c1', {}),
      undefined,
    );
  });
});
