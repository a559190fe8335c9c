/**
 * The words of the errors that people meet most, whole: what failed, and what to do. Other tests ask for kinds and
 * codes, and for what a message names.
 */
import t from 'tap';
import { chooseAction } from '../../hooks/oci/state.ts';
import { parseFlags } from '../../hooks/oci/flags.ts';
import { allocate } from '../../ipam/allocate.ts';
import { parsePool } from '../../ipam/pool.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import { configVersion, parseConfig, readConfig } from '../../lib/cni/config.ts';
import { findPlugin } from '../../lib/cni/delegate.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { findNetworkList } from '../../lib/cni/lists/load.ts';
import { readNetworks } from '../../lib/cni/lists/options.ts';
import { readPortMappings } from '../../lib/cni/port-mappings.ts';
import { portTaken } from '../../lib/nftables/port-taken.ts';
import { refuseVlans } from '../../plugins/bridge-nat/bridge/vlan-ports.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { environmentOf, fakeWorld } from './cni-fakes.ts';
import { MemoryLedger } from './ipam-ledger.ts';
import { memoryWorld } from './lists-fakes.ts';

type Text = readonly [what: string, fail: () => unknown, kind: ErrorKind, message: string, details: string];

function config(members: object, command: 'ADD' | 'CHECK' = 'ADD'): unknown {
  const stdin = Buffer.from(
    JSON.stringify({ cniVersion: '1.1.0', name: 'web', type: 'bridge-nat', ...members }),
  );
  const raw = parseConfig(stdin);
  const request = { ...readParameters(environmentOf(command)), stdin };
  return readBridgeNatConfig(readConfig(raw, configVersion(raw), command), request);
}

function lease(...requested: string[]): void {
  const ledger = new MemoryLedger();
  const pool = parsePool({ subnet: '10.22.0.0/30' });
  ledger.take('web', '10.22.0.2', 'c1');
  allocate(ledger, 'web', pool, { requested: requested.map(parseAddress), identities: ['c2'] });
}

const TEXTS: readonly Text[] = [
  [
    'a missing variable',
    () => readParameters({ CNI_COMMAND: 'ADD', CNI_NETNS: '/x', CNI_PATH: '/y' }),
    'bad-environment',
    'required environment variables missing: CNI_CONTAINERID, CNI_IFNAME',
    'ADD needs them; a container runtime sets them before it starts a plugin',
  ],
  [
    'an unknown command',
    () => readParameters(environmentOf('CHEK')),
    'bad-environment',
    'CNI_COMMAND "CHEK" is unknown',
    'did you mean CHECK? known are ADD, CHECK, DEL, GC, STATUS and VERSION',
  ],
  [
    'an id that leads elsewhere',
    () => readParameters(environmentOf('ADD', { CNI_CONTAINERID: '../x' })),
    'bad-environment',
    'invalid environment variables: CNI_CONTAINERID: "../x" is no valid name: it must begin ' +
      'with a letter or digit and hold only letters, digits, "_", "." and "-"',
    'correct them and try again',
  ],
  [
    'no JSON',
    () => parseConfig(Buffer.from('')),
    'bad-json',
    'the network configuration on stdin is empty',
    'it must be a JSON object',
  ],
  [
    'no name',
    () => config({ name: undefined }),
    'bad-config',
    'the network has no name',
    'add "name" to the configuration',
  ],
  [
    'a version of the future',
    () => config({ cniVersion: '2.0.0' }),
    'bad-version',
    'the configuration has cniVersion "2.0.0", which is not supported',
    'supported are 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
  ],
  [
    'a version without CHECK',
    () => config({ cniVersion: '0.3.1' }, 'CHECK'),
    'bad-version',
    'a configuration of cniVersion 0.3.1 does not allow CHECK',
    'set "cniVersion" to 0.4.0 or later',
  ],
  [
    'an unknown key',
    () => config({ dns: { nameserver: ['1.1.1.1'] } }),
    'unsupported-field',
    'unknown key dns.nameserver: ["1.1.1.1"]',
    'did you mean "nameservers"? known keys here: nameservers, domain, search, options',
  ],
  [
    'a key of the wrong type',
    () => config({ mtu: '1500' }),
    'bad-config',
    'mtu must be of type integer, not "1500"',
    'write it as integer, without quotes',
  ],
  [
    'a contradiction',
    () => config({ hairpinMode: true, promiscMode: true }),
    'bad-config',
    'hairpinMode and promiscMode exclude each other',
    'switch one of them off',
  ],
  [
    'a VLAN',
    () => refuseVlans('cni0', undefined),
    'unsupported-field',
    'bridge cni0 is to tell VLANs apart, which this kernel cannot (CONFIG_BRIDGE_VLAN_FILTERING)',
    'give each VLAN a network and a bridge of its own, with the VLAN interface of the uplink ' +
      'as a port of that bridge',
  ],
  [
    'a setting of the host',
    () => config({ sysctl: { 'kernel.shmmax': '1' } }),
    'bad-config',
    'sysctl "kernel.shmmax" is not one of the network',
    'settings below "net." alone belong to a network namespace; give the others to the container runtime',
  ],
  [
    'a full pool',
    () => lease(),
    'pool-exhausted',
    'no free address in 10.22.0.1-10.22.0.2: 1 taken, 1 to hand out',
    'remove containers, run `netmoor gc` to free addresses of containers that are gone, or ' +
      'give the network a larger range',
  ],
  [
    'an address that is taken',
    () => lease('10.22.0.2'),
    'address-taken',
    'requested address 10.22.0.2 is held by web/c1/eth0',
    'remove that container first, or run `netmoor gc` when it no longer exists',
  ],
  [
    'an address outside the pool',
    () => lease('192.0.2.9'),
    'address-invalid',
    'requested address 192.0.2.9 is in none of the ranges 10.22.0.1-10.22.0.2',
    'ask for at most one address from each of: 10.22.0.1-10.22.0.2',
  ],
  [
    'a port that is taken',
    () => {
      throw portTaken(
        { set: 'publish4', key: Buffer.from([6, 0, 0, 0, 0x1f, 0x90, 0, 0]), comment: '' },
        'web/c1/eth0',
      );
    },
    'port-taken',
    'host port tcp . 8080 is published already, for web/c1/eth0',
    'choose another host port or address, or detach its holder; "netmoor gc" removes what a ' +
      'vanished container left',
  ],
  [
    'the same port twice',
    () =>
      readPortMappings([
        { hostPort: 80, containerPort: 80 },
        { hostPort: 80, containerPort: 81 },
      ]),
    'bad-config',
    'port mappings tcp 80 and tcp 80 are the same port of the host',
    'publish it once',
  ],
  [
    'a plugin that is not there',
    () => findPlugin('bridg', ['/opt/cni/bin', '/usr/lib/cni'], fakeWorld()),
    'delegate',
    'plugin "bridg" was not found',
    'CNI_PATH is "/opt/cni/bin:/usr/lib/cni"; install the plugin in one of its directories',
  ],
  [
    'an unknown network',
    () =>
      findNetworkList(
        'wbe',
        ['/etc/cni/net.d'],
        memoryWorld({ '/etc/cni/net.d/1.conflist': { name: 'web', plugins: [{ type: 'a' }] } }),
      ),
    'bad-config',
    'there is no network "wbe" in /etc/cni/net.d',
    'did you mean "web"? known networks: netmoor, web',
  ],
  [
    'an unknown option of a network',
    () => readNetworks('front:pot=80:80', '--network'),
    'bad-config',
    '--network front: unknown option "pot"',
    'did you mean "port"? known are ifname, ip, mac, port, alias, and arguments in capitals',
  ],
  [
    'an unknown flag of the hook',
    () => parseFlags(['--netwrok', 'a']),
    'bad-config',
    'unknown flag "--netwrok"',
    'did you mean --network?',
  ],
  [
    'a hook inside the container',
    () => chooseAction('createContainer', { status: 'created', pid: 5 }),
    'bad-config',
    'createContainer hooks run inside the container',
    'list netmoor-hook under createRuntime and poststop',
  ],
];

/** What `fail` throws. */
function thrownBy(fail: () => unknown): unknown {
  try {
    return fail();
  } catch (error) {
    return error;
  }
}

for (const [what, fail, kind, message, details] of TEXTS) {
  t.test(what, async (t) => {
    const error = thrownBy(fail);
    if (!(error instanceof NetmoorError)) throw new Error(`${what}: ${String(error)}`);
    t.strictSame([error.kind, error.message, error.details], [kind, message, details]);
  });
}
