/**
 * A process that uses the lease store, for tests that run many at once or kill them. `store-worker.ts once <dir>`:
 * waits for the end of stdin, attaches one container, prints its address. `store-worker.ts loop <dir>`: attaches and
 * detaches containers until killed, saying so line by line after each commit. `store-worker.ts fill <dir>`: attaches
 * containers until something fails. A failure is printed as "error <kind> <message>".
 */
import { readFileSync, writeSync } from 'node:fs';
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatPrefix } from '../../lib/base/ip.ts';
import { allocate } from '../../ipam/allocate.ts';
import { parsePool } from '../../ipam/pool.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore, StoreTransaction } from '../../ipam/store/store.ts';

const POOL = parsePool({ ranges: [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00:22::/64' }]] });

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function attach(tx: StoreTransaction, containerId: string): AttachmentRecord {
  const allocated = allocate(tx, 'crash', POOL, { requested: [], identities: [containerId] });
  const hostIp = `127.${process.pid >> 16}.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  const record: AttachmentRecord = {
    network: 'crash',
    containerId,
    ifname: 'eth0',
    plugin: 'bridge-nat',
    state: 'attaching',
    version: RECORD_VERSION,
    incarnation: containerId,
    bootId: 'boot',
    createdAt: 0,
    addresses: allocated.map(({ address, scope }) => ({ address: formatPrefix(address), scope })),
    ports: [{ protocol: 'tcp', hostIp, hostPort: 80, containerPort: 80, count: 3 }],
    detail: { padding: 'x'.repeat(500) },
  };
  tx.putAttachment(record);
  return record;
}

function once(store: LeaseStore): void {
  say('ready');
  readFileSync(0);
  const record = store.intend((tx) => attach(tx, `c${process.pid}`));
  store.write((tx) => tx.putAttachment({ ...record, state: 'attached' }));
  say(record.addresses.map(({ address }) => address).join(' '));
}

function loop(store: LeaseStore): void {
  for (let number = 0; ; number++) {
    const name = `c${process.pid}-${number}`;
    const record = store.intend((tx) => attach(tx, name));
    say(`attaching ${name}`);
    store.write((tx) => tx.putAttachment({ ...record, state: 'attached' }));
    say(`attached ${name}`);
    if (number % 4 === 3) store.close();
    say(`removing ${name}`);
    store.intend((tx) => tx.putAttachment({ ...record, state: 'detaching' }));
    store.write((tx) => tx.removeAttachment(record));
    say(`removed ${name}`);
  }
}

function fill(store: LeaseStore): void {
  for (let number = 0; ; number++) {
    store.write((tx) =>
      tx.putAttachment({ ...attach(tx, `c${process.pid}-${number}`), state: 'attached', ports: [] }),
    );
  }
}

const VERBS = new Map(Object.entries({ once, loop, fill }));

const [, , verb = '', dir = ''] = process.argv;
try {
  VERBS.get(verb)?.(openStore({ dir, bootId: 'boot', hostId: '', now: Date.now }));
} catch (error) {
  if (!(error instanceof NetmoorError)) throw error;
  say(`error ${error.kind} ${error.message}`);
  process.exitCode = 1;
}
