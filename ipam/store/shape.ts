/**
 * The shape that a stored document must have to be used: as much of its schema as the code relies on, checked at a
 * fraction of what the compiled schema costs a process that reads one record. The tests hold the two together;
 * `check.ts` asks the schema.
 */

type Leaf = 'string' | 'number' | 'boolean' | 'object';

/** Members by name; a "?" at the end of the name: may be absent. A list holds the shape of its items. */
export interface Shape {
  readonly [name: string]: Leaf | Shape | readonly [Leaf | Shape];
}

const PORT: Shape = {
  protocol: 'string',
  'hostIp?': 'string',
  hostPort: 'number',
  containerPort: 'number',
  count: 'number',
  'to?': 'string',
};

const PROCESS: Shape = { pid: 'number', started: 'string', 'request?': 'string' };

export const ATTACHMENT: Shape = {
  version: 'number',
  network: 'string',
  containerId: 'string',
  ifname: 'string',
  plugin: 'string',
  state: 'string',
  incarnation: 'string',
  bootId: 'string',
  createdAt: 'number',
  'host?': { id: 'string', netns: 'string' },
  'worker?': PROCESS,
  'name?': 'string',
  'netns?': { path: 'string', inode: 'string' },
  'hostIfname?': 'string',
  'hostIfindex?': 'number',
  'segment?': 'string',
  'mac?': 'string',
  'mtu?': 'number',
  addresses: [{ address: 'string', 'gateway?': 'string', 'scope?': 'string' }],
  ports: [PORT],
  'delegate?': { type: 'string', config: 'string', path: ['string'], 'args?': 'string' },
  'dhcp?': { config: 'string', 'args?': 'string' },
  detail: 'object',
};

export const NETWORK: Shape = {
  version: 'number',
  name: 'string',
  plugin: 'string',
  'segment?': 'string',
  subnets: ['string'],
  automatic: 'boolean',
  createdAt: 'number',
  'dhcpServer?': {
    leaseSeconds: 'number',
    gateways: ['string'],
    'pool?': 'object',
    'prefixes?': ['string'],
    routes: [{ dst: 'string', 'gw?': 'string' }],
    dns: { nameservers: ['string'], 'domain?': 'string', search: ['string'] },
    'mtu?': 'number',
    ports: ['string'],
    detail: 'object',
  },
};

const TIMES: Shape = {
  since: 'number',
  'renewAfter?': 'number',
  'rebindAfter?': 'number',
  'validFor?': 'number',
};

const DNS: Shape = { nameservers: ['string'], 'domain?': 'string', search: ['string'] };

const LEASE_4: Shape = {
  ...TIMES,
  address: 'string',
  server: 'string',
  'serverMac?': 'string',
  'gateway?': 'string',
  routes: [{ dst: 'string', 'gw?': 'string' }],
  dns: DNS,
  'mtu?': 'number',
  'hostname?': 'string',
};

const LEASE_6: Shape = {
  ...TIMES,
  server: 'string',
  serverAddress: 'string',
  addresses: [{ address: 'string', 'preferredFor?': 'number', 'validFor?': 'number' }],
  prefixes: [{ prefix: 'string', 'preferredFor?': 'number', 'validFor?': 'number' }],
  dns: DNS,
  'stateless?': 'boolean',
};

export const DHCP_LEASE: Shape = {
  version: 'number',
  network: 'string',
  containerId: 'string',
  ifname: 'string',
  incarnation: 'string',
  bootId: 'string',
  host: { id: 'string', netns: 'string' },
  createdAt: 'number',
  'lapsesAt?': 'number',
  netns: { path: 'string', inode: 'string' },
  link: { index: 'number', mac: 'string' },
  'segment?': 'string',
  'priority?': 'number',
  'v4?': { wish: 'object', data: 'object', 'lease?': LEASE_4 },
  'v6?': { wish: 'object', data: 'object', 'lease?': LEASE_6 },
  'applied?': { 'v4?': LEASE_4, 'v6?': LEASE_6 },
  'gone?': 'string',
};

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The place that does not fit, "/addresses/0/address"; undefined when all does. Further members are fine. */
export function misfit(
  value: unknown,
  shape: Leaf | Shape | readonly [Leaf | Shape],
  at = '',
): string | undefined {
  if (typeof shape === 'string') {
    const fits = shape === 'object' ? isObject(value) : typeof value === shape;
    return fits ? undefined : `${at} is no ${shape}`;
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return `${at} is no list`;
    return value
      .map((item, index) => misfit(item, shape[0], `${at}/${index}`))
      .find((text) => text !== undefined);
  }
  if (!isObject(value)) return `${at || 'it'} is no object`;
  for (const [name, of] of Object.entries(shape)) {
    const optional = name.endsWith('?');
    const key = optional ? name.slice(0, -1) : name;
    if (optional && value[key] === undefined) continue;
    const problem = misfit(value[key], of, `${at}/${key}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
