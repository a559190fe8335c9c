/** Addresses of others: what host-local's files say, and choosing around what is held, seen, or answered for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseAddress } from '../../lib/base/ip.ts';
import { files } from '../../lib/cni/files.ts';
import { hostLocalLeases, hostLocalNetworks, releaseHostLocal } from '../../lib/mooring/host-local.ts';
import { AnsweredError, apartFrom, refuseAnswered, refuseBarred } from '../../lib/mooring/strangers.ts';
import type { Strangers } from '../../lib/mooring/strangers.ts';
import { fakeWorld } from './cni-fakes.ts';

const root = mkdtempSync(join(tmpdir(), 'host-local-'));
t.teardown(() => rmSync(root, { recursive: true }));
const world = { ...fakeWorld(), files };

t.test("host-local's files, of every release", (t) => {
  const directory = join(root, 'web');
  mkdirSync(directory);
  const write = (name: string, content: string): void => writeFileSync(join(directory, name), content);
  write('10.1.0.2', 'c1\r\neth0');
  write('10.1.0.3', 'c1\neth1\n');
  write('fd00::2', 'c1\r\neth0');
  write('10.1.0.4', 'old');
  write('10.1.0.5', '');
  write('10.1.0.6', '../../etc\r\neth0');
  write('last_reserved_ip.0', '10.1.0.5');
  write('lock', '');
  const leases = hostLocalLeases(directory, world);
  t.same(
    leases.map(({ address, containerId, ifname }) => [address, containerId, ifname]),
    [
      ['10.1.0.2', 'c1', 'eth0'],
      ['10.1.0.3', 'c1', 'eth1'],
      ['10.1.0.4', 'old', undefined],
      ['fd00::2', 'c1', 'eth0'],
    ],
  );
  t.same(hostLocalNetworks(root), ['web']);
  t.same(hostLocalNetworks(join(root, 'none')), []);
  t.same(hostLocalLeases(join(root, 'none'), world), []);
  releaseHostLocal(directory, { containerId: 'c1', ifname: 'eth0' }, world);
  releaseHostLocal(join(root, 'none'), { containerId: 'c1', ifname: 'eth0' }, world);
  t.same(
    hostLocalLeases(directory, world).map(({ address }) => address),
    ['10.1.0.3', '10.1.0.4'],
    'what is given back is the own alone',
  );
  t.end();
});

/** A pool of some addresses, of which the first that is not barred is tried. */
async function choose(
  pool: readonly string[],
  { held = {}, seen = [], answering = [] }: { held?: object; seen?: string[]; answering?: string[] },
  { wanted, before = [] }: { wanted?: string; before?: string[] } = {},
): Promise<string> {
  const strangers: Strangers = {
    held: new Map(Object.entries(held) as [string, string][]),
    seen: new Set(seen),
    whoAnswers: ([address]) => {
      const text = address === undefined ? '' : `10.1.0.${address.value & 255n}`;
      return answering.includes(text) ? { address: text, holder: '02:00:00:00:00:01' } : undefined;
    },
  };
  const requested = wanted === undefined ? [] : [parseAddress(wanted)];
  return apartFrom(strangers, requested, before, async (barred) => {
    refuseBarred(requested, barred);
    const address = wanted ?? pool.find((each) => !barred.has(each));
    if (address === undefined) throw new NetmoorError('pool-exhausted', 'no free address');
    refuseAnswered(strangers, { addresses: [{ address: `${address}/24` }] });
    return address;
  });
}

t.test('what others have is gone around', async (t) => {
  const pool = ['10.1.0.2', '10.1.0.3', '10.1.0.4'];
  t.equal(await choose(pool, {}), '10.1.0.2');
  t.equal(await choose(pool, { held: { '10.1.0.2': 'c1' }, answering: ['10.1.0.3'] }), '10.1.0.4');
  t.equal(await choose(pool, { seen: ['10.1.0.2'] }), '10.1.0.3', 'what was seen lately is for the end');
  t.equal(
    await choose(pool, { seen: ['10.1.0.2'] }, { before: ['10.1.0.2'] }),
    '10.1.0.2',
    'unless it was his',
  );
  t.equal(
    await choose(pool, { seen: pool, answering: ['10.1.0.2'] }),
    '10.1.0.3',
    'and then it is asked for',
  );
  await t.rejects(choose(pool, { answering: pool }), { message: 'no free address' });
  await t.rejects(choose(pool, { answering: pool }, { wanted: '10.1.0.3' }), AnsweredError);
  await t.rejects(choose(pool, { held: { '10.1.0.3': 'c1' } }, { wanted: '10.1.0.3' }), { message: /c1/ });
  t.equal(await choose(pool, { seen: ['10.1.0.3'] }, { wanted: '10.1.0.3' }), '10.1.0.3');
  const many = Array.from({ length: 250 }, (_, index) => `10.1.0.${index + 2}`);
  await t.rejects(choose(many, { answering: many }), AnsweredError, 'not for ever');
});
