/** The shape that records are read by, held to their schemas. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { readAttachment, readIncarnation } from '../../ipam/store/reading.ts';
import { ATTACHMENT, DHCP_LEASE, NETWORK, misfit } from '../../ipam/store/shape.ts';
import type { Shape } from '../../ipam/store/shape.ts';
import { attachment } from './ipam-record.ts';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const TYPES: Readonly<Record<string, string>> = {
  integer: 'number',
  number: 'number',
  string: 'string',
  boolean: 'boolean',
};

/** The shape that says as much as a schema does about types and what may be absent. */
function shapeOf(schema: Schema): unknown {
  if (schema.enum !== undefined) return typeof schema.enum[0];
  if (schema.items !== undefined) return [shapeOf(schema.items)];
  if (schema.properties === undefined) return TYPES[schema.type ?? ''] ?? schema.type;
  const members = Object.entries(schema.properties).map(([name, of]) => [
    schema.required?.includes(name) ? name : `${name}?`,
    shapeOf(of),
  ]);
  return Object.fromEntries(members);
}

function schema(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), 'utf8'));
}

t.test('as the schemas have it', async (t) => {
  t.same(ATTACHMENT, shapeOf(schema('record')));
  t.same(NETWORK, shapeOf(schema('network-record')));
  t.same(DHCP_LEASE, shapeOf(schema('dhcp-lease')));
});

t.test('misfits name the place', async (t) => {
  const shape: Shape = { name: 'string', 'size?': 'number', items: [{ deep: 'boolean' }] };
  const cases: [unknown, string | undefined][] = [
    [{ name: 'a', items: [] }, undefined],
    [{ name: 'a', size: 1, items: [{ deep: true, more: 1 }], more: 2 }, undefined],
    [{ name: 1, items: [] }, '/name is no string'],
    [{ name: 'a', size: '1', items: [] }, '/size is no number'],
    [{ name: 'a', items: {} }, '/items is no list'],
    [{ name: 'a', items: [{ deep: true }, { deep: 1 }] }, '/items/1/deep is no boolean'],
    [{ name: 'a', items: [null] }, '/items/0 is no object'],
    [null, 'it is no object'],
    [[], 'it is no object'],
  ];
  for (const [value, problem] of cases) t.equal(misfit(value, shape), problem);
});

t.test('what is read of a record whole, and of its incarnation alone, agrees', async (t) => {
  const record = attachment('c1', { addresses: [{ address: '10.1.0.2/24', scope: 'home' }] });
  const { version: _v, incarnation: _i, ...first } = record;
  const row = {
    network: 'home',
    containerId: 'c1',
    ifname: 'eth0',
    plugin: 'bridge-nat',
    bootId: record.bootId,
  };
  const values = [
    record,
    first,
    { ...record, version: 99 },
    { ...record, addresses: { v4: 1 } },
    { ...record, ports: [{ protocol: 'tcp', hostPort: 1, containerPort: 1, count: 1e9 }] },
    { ...record, state: 'afloat' },
    { ...record, containerId: 'c9' },
    { ...record, incarnation: 7 },
    'ahoy',
    null,
    [],
  ];
  for (const value of values) t.equal(readAttachment(row, value).incarnation, readIncarnation(row, value));
  t.same(
    values.map((value) => readAttachment(row, value).unreadable === undefined),
    [true, true, true, false, false, false, false, false, false, false, false],
  );
});
