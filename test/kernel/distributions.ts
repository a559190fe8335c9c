/**
 * The networks that distributions and projects ship, for the reference's plugins: as they are written there, subnets
 * that are filled in at run time put in.
 */
import type { NetworkList, PluginConfig } from './harness-chain.ts';

/** Plugins whose work bridge-nat does itself. */
const ABSORBED = ['portmap', 'firewall', 'tuning', 'bandwidth', 'sbr'];

export interface Distribution {
  /** Of schemas/examples, where the list is after `absorb`. */
  readonly example: string;
  readonly list: NetworkList;
}

const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const DEFAULT_ROUTE = [{ dst: '0.0.0.0/0' }];

export const DISTRIBUTIONS: readonly Distribution[] = [
  {
    // podman before version 5: /etc/cni/net.d/87-podman-bridge.conflist
    example: 'podman-default.conflist',
    list: {
      cniVersion: '0.4.0',
      name: 'podman',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni-podman0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            routes: DEFAULT_ROUTE,
            ranges: [[{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }]],
          },
        },
        PORTMAP,
        { type: 'firewall' },
        { type: 'tuning' },
      ],
    },
  },
  {
    // containerd: script/setup/install-cni, 10-containerd-net.conflist
    example: 'containerd-default.conflist',
    list: {
      cniVersion: '1.0.0',
      name: 'containerd-net',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          promiscMode: true,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: '2001:4860:4860::/64' }]],
            routes: [...DEFAULT_ROUTE, { dst: '::/0' }],
          },
        },
        PORTMAP,
      ],
    },
  },
  {
    // CRI-O: contrib/cni/10-crio-bridge.conflist
    example: 'crio-default.conflist',
    list: {
      cniVersion: '1.0.0',
      name: 'crio',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            routes: [...DEFAULT_ROUTE, { dst: '::/0' }],
            ranges: [[{ subnet: '10.85.0.0/16' }], [{ subnet: '1100:200::/24' }]],
          },
        },
      ],
    },
  },
  {
    // nerdctl: docs/cni.md, the default network "bridge"
    example: 'nerdctl-default.conflist',
    list: {
      cniVersion: '1.0.0',
      name: 'bridge',
      plugins: [
        {
          type: 'bridge',
          bridge: 'nerdctl0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            routes: DEFAULT_ROUTE,
            ranges: [[{ subnet: '10.4.0.0/24', gateway: '10.4.0.1' }]],
          },
        },
        PORTMAP,
        { type: 'firewall', ingressPolicy: 'same-bridge' },
        { type: 'tuning' },
      ],
    },
  },
  {
    // k3s: 10-flannel.conflist, with what flannel makes of its "delegate" and /run/flannel/subnet.env
    example: 'k3s-flannel.conflist',
    list: {
      cniVersion: '1.0.0',
      name: 'cbr0',
      plugins: [
        {
          type: 'bridge',
          hairpinMode: true,
          forceAddress: true,
          isDefaultGateway: true,
          isGateway: true,
          ipMasq: false,
          mtu: 1450,
          bridge: 'cni0',
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: '10.42.0.0/24' }]],
            routes: [{ dst: '10.42.0.0/16' }],
          },
        },
        PORTMAP,
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ],
    },
  },
  {
    // minikube: pkg/minikube/cni/bridge.go, 1-k8s.conflist
    example: 'minikube-default.conflist',
    list: {
      cniVersion: '0.4.0',
      name: 'bridge',
      plugins: [
        {
          type: 'bridge',
          bridge: 'bridge',
          addIf: 'true',
          isDefaultGateway: true,
          forceAddress: false,
          ipMasq: true,
          hairpinMode: true,
          ipam: { type: 'host-local', subnet: '10.244.0.0/16' },
        },
        PORTMAP,
        { type: 'firewall' },
      ],
    },
  },
  {
    // kube-router: daemonset/kubeadm-kuberouter.yaml, 10-kuberouter.conflist
    example: 'kube-router.conflist',
    list: {
      cniVersion: '0.3.0',
      name: 'mynet',
      plugins: [
        {
          name: 'kubernetes',
          type: 'bridge',
          bridge: 'kube-bridge',
          isDefaultGateway: true,
          hairpinMode: true,
          ipam: { type: 'host-local', subnet: '10.43.7.0/24' },
        },
      ],
    },
  },
];

/** The list that became schemas/examples/NAME.conflist. */
export function shipped(name: string): Record<string, unknown> {
  const found = DISTRIBUTIONS.find(({ example }) => example === `${name}.conflist`);
  if (found === undefined) throw new Error(`nobody ships ${name}`);
  return { ...found.list };
}

/** `type` changed, and nothing else. */
export function renamed(list: NetworkList): NetworkList {
  const plugins = list.plugins.map((plugin) => ({
    ...plugin,
    type: plugin.type === 'bridge' ? 'bridge-nat' : plugin.type,
  }));
  return { ...list, plugins };
}

/** The same with what bridge-nat does itself taken out, its keys and capabilities moved in. */
export function absorb(list: NetworkList): NetworkList {
  const all = renamed(list).plugins;
  const moved = all.filter(({ type }) => ABSORBED.includes(type));
  const plugins = all
    .filter((plugin) => !moved.includes(plugin))
    .map((plugin): PluginConfig => {
      if (plugin.type !== 'bridge-nat') return plugin;
      const { ipam, ...own } = plugin as PluginConfig & { ipam: Readonly<Record<string, unknown>> };
      const { type: _hostLocal, ...pool } = ipam;
      const keys = moved.map(({ type: _type, capabilities: _capabilities, ...rest }) => rest);
      const capabilities = Object.assign({}, ...moved.map((each) => each.capabilities ?? {})) as object;
      return Object.assign(
        own,
        ...keys,
        { ipam: pool },
        Object.keys(capabilities).length > 0 ? { capabilities } : {},
      ) as PluginConfig;
    });
  return { ...list, plugins };
}
