/** bridge-nat killed at every named step of ADD and of DEL, and failing there (striking.ts). */
import { strike } from './striking.ts';

const runtimeConfig = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp' }],
  bandwidth: { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 },
};

const RANGES = [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]];

const OWN_STORE = {
  cniVersion: '1.1.0',
  name: 'harbour',
  type: 'bridge-nat',
  ipam: { ranges: RANGES },
};

const COMMON = { runtimeConfig, addresses: 2, atLeast: { add: 8, del: 5 } };

strike('bridge-nat', [
  { ...COMMON, name: 'own store', config: OWN_STORE },
  { ...COMMON, name: 'own store, beside another container', beside: true, config: OWN_STORE },
  {
    ...COMMON,
    name: 'delegated to host-local',
    config: { ...OWN_STORE, cniVersion: '1.0.0', ipam: { type: 'host-local', ranges: RANGES } },
  },
]);
