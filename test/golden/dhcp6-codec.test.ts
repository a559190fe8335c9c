/** What clients and servers in use say in DHCPv6 is read, and written byte for byte as they wrote it. */
import t from 'tap';
import { decodeMessage6, encodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Message6 } from '../../ipam/dhcp/v6/message.ts';
import { captures6 } from './dhcp6-captures.ts';

const CAPTURES = captures6();

/** Between relays and servers: neither side of ours is one. */
const RELAYED = /^relay-/;

t.test('there are captures of every client and server', async (t) => {
  for (const each of ['dhclient', 'dhcpcd', 'networkd', 'kea6', 'dnsmasq6', 'dhcpd6'])
    t.ok(
      CAPTURES.some(({ name }) => name.includes(each)),
      each,
    );
  const all = CAPTURES.flatMap(({ messages }) => messages.map(({ name }) => name));
  const types = new Set(all.filter((name) => !RELAYED.test(name)));
  t.equal(types.size, 10, 'all types but RECONFIGURE');
});

for (const { name, messages } of CAPTURES)
  t.test(name, async (t) => {
    t.ok(messages.length > 0);
    for (const { name: type, payload } of messages) {
      if (RELAYED.test(type)) {
        t.throws(() => decodeMessage6(payload), { name: 'DecodeError' });
        continue;
      }
      const message = decodeMessage6(payload);
      t.equal(message.type.toLowerCase(), type);
      t.equal(encodeMessage6(message).toString('hex'), payload.toString('hex'), type);
      t.strictSame(JSON.parse(JSON.stringify(message)), message, 'JSON');
    }
  });

t.test('what they say', async (t) => {
  const read = (capture: string, type: string): Message6 | undefined => {
    const messages = CAPTURES.find(({ name }) => name === capture)?.messages ?? [];
    const found = messages.find(({ name }) => name === type);
    return found && decodeMessage6(found.payload);
  };
  t.match(read('dhcpcd-kea6', 'advertise'), {
    options: {
      serverId: '0003000102005e005601',
      preference: 255,
      iaNa: [
        {
          iaid: 1,
          t1: 4,
          t2: 8,
          options: { addresses: [{ address: '2001:db8:50::100', preferred: 12, valid: 16 }] },
        },
      ],
      iaPd: [
        { iaid: 2, options: { prefixes: [{ prefix: '2001:db8:8000::/56', preferred: 12, valid: 16 }] } },
      ],
      dnsServers: ['2001:db8:50::53', '2001:db8:50::54'],
      domainList: ['lan.example', 'example', 'with.a.long.name.lan.example'],
      clientFqdn: { flags: 6, name: 'boat.' },
    },
  });
  t.match(read('networkd-dnsmasq6', 'reply'), {
    options: {
      rapidCommit: true,
      ntpServers: [{ server: '2001:db8:50::5' }],
      status: { code: 0, text: 'success' },
    },
  });
  t.match(read('dhcpcd-kea6', 'solicit'), {
    options: {
      optionRequest: [23, 24, 31, 56, 82, 83],
      elapsedTime: 0,
      vendorClasses: [{ enterprise: 40_712 }],
    },
  });
});
