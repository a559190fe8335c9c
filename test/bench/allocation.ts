/**
 * What one allocation costs in a /16 by the number of addresses taken: nothing, 1,000, 60,000, all but three.
 * `node test/bench/allocation.ts` prints milliseconds per transaction (median), on disk, and for the choice alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatPrefix } from '../../lib/base/ip.ts';
import { allocate } from '../../ipam/allocate.ts';
import { parsePool } from '../../ipam/pool.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore, StoreTransaction } from '../../ipam/store/store.ts';

export interface AllocationTime {
  readonly taken: number;
  /**
   * Median milliseconds of opening a store, one transaction that allocates and records, as a one-shot process does it.
   */
  readonly openAndWrite: number;
  /** Median milliseconds of a transaction on an open store, flushed to disk. */
  readonly write: number;
  /** Median milliseconds of choosing the address, within the transaction. */
  readonly choose: number;
}

const BOOT = 'bench';
const POOL = parsePool({ subnet: '10.22.0.0/16' });
const CAPACITY = 65_533;

function attach(tx: StoreTransaction, number: number): AttachmentRecord {
  const [allocated] = allocate(tx, 'bench', POOL, { requested: [], identities: [] });
  if (allocated === undefined) throw new Error('nothing allocated');
  const record: AttachmentRecord = {
    network: 'bench',
    containerId: `container-${number}`,
    ifname: 'eth0',
    plugin: 'bridge-nat',
    state: 'attaching',
    version: RECORD_VERSION,
    incarnation: 'bench',
    bootId: BOOT,
    createdAt: 0,
    segment: 'bench0',
    addresses: [{ address: formatPrefix(allocated.address), scope: 'bench' }],
    ports: [
      {
        protocol: 'tcp',
        hostIp: `192.0.2.${number >> 14}`,
        hostPort: 1024 + (number & 0x3fff),
        containerPort: 80,
        count: 1,
      },
    ],
    detail: {},
  };
  tx.putAttachment(record);
  return record;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function timed(fn: () => void): number {
  const start = performance.now();
  fn();
  return performance.now() - start;
}

/** Each round ends as it began, so that near the end of the pool there is always one address left to find. */
function round(store: LeaseStore, number: number, choose: number[]): number {
  let record: AttachmentRecord | undefined;
  const time = timed(() =>
    store.write((tx) => {
      choose.push(timed(() => allocate(tx, 'bench', POOL, { requested: [], identities: [] })));
      record = attach(tx, number);
    }),
  );
  store.write((tx) => record && tx.removeAttachment(record));
  return time;
}

function measure(dir: string, taken: number, rounds: number): AllocationTime {
  const open = (): LeaseStore => openStore({ dir, bootId: BOOT, hostId: '', now: () => performance.now() });
  const store = open();
  const write: number[] = [];
  const choose: number[] = [];
  for (let i = 0; i < rounds; i++) write.push(round(store, 100_000 + i, choose));
  store.close();
  const openAndWrite: number[] = [];
  const left: LeaseStore[] = [];
  for (let i = 0; i < rounds; i++) {
    let record: AttachmentRecord | undefined;
    const oneShot = open();
    openAndWrite.push(timed(() => oneShot.write((tx) => (record = attach(tx, 200_000 + i)))));
    oneShot.write((tx) => record && tx.removeAttachment(record));
    left.push(oneShot);
  }
  for (const each of left) each.close();
  return { taken, openAndWrite: median(openAndWrite), write: median(write), choose: median(choose) };
}

export function measureAllocation(rounds = 51): AllocationTime[] {
  const dir = mkdtempSync(join(tmpdir(), 'netmoor-bench-'));
  try {
    const store = openStore({ dir, bootId: BOOT, hostId: '', now: () => performance.now() });
    let number = 0;
    const times: AllocationTime[] = [];
    for (const taken of [0, 1_000, 60_000, CAPACITY - 3]) {
      store.write((tx) => {
        while (number < taken) attach(tx, number++);
      });
      times.push(measure(dir, taken, rounds));
    }
    store.close();
    return times;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

if (import.meta.main) {
  console.log('taken   open+write   write   choose  (ms, median)');
  for (const { taken, openAndWrite, write, choose } of measureAllocation()) {
    const columns = [
      openAndWrite.toFixed(3).padStart(10),
      write.toFixed(3).padStart(7),
      choose.toFixed(4).padStart(8),
    ];
    console.log(`${String(taken).padEnd(7)} ${columns.join(' ')}`);
  }
}
