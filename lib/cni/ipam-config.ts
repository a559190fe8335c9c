/** The `ipam` object of netmoor's own store, read alike by every plugin that serves addresses from it. */
import { NetmoorError } from '../base/errors.ts';
import { validate } from '../../schemas/compiled/ipam.js';
import type { IpamConfig } from '../../schemas/compiled/ipam.js';
import ipamSchema from '../../schemas/ipam.schema.json' with { type: 'json' };
import type { JsonObject } from './json.ts';
import { schemaProblem } from './schema-errors.ts';

export type { IpamConfig };

/** Checks the object's shape. Throws NetmoorError 'unsupported-field' for a key nobody knows, else 'bad-config'. */
export function readIpamConfig(ipam: JsonObject): IpamConfig {
  const input: unknown = ipam;
  if (!validate(input)) throw schemaProblem(ipamSchema, validate.errors, ipam, 'ipam');
  const orphan = input.subnet
    ? undefined
    : (['rangeStart', 'rangeEnd', 'gateway'] as const).find((key) => input[key]);
  if (orphan === undefined) return input;
  throw new NetmoorError(
    'bad-config',
    `ipam.${orphan} is given without ipam.subnet`,
    'add the subnet it belongs to',
  );
}
