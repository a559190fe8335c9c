/**
 * IPv4 networks other tools take by default, whether or not they run on this host today: a subnet picked from among
 * them would collide on the day they do. Each with where the default is written.
 */
export const OTHER_TOOLS: readonly { readonly prefix: string; readonly source: string }[] = [
  {
    prefix: '10.0.0.0/16',
    source: "cloud VPCs' first network; LXC's lxcbr0 10.0.3.0/24 (lxc-net); QEMU, slirp4netns 10.0.2.0/24",
  },
  { prefix: '10.1.0.0/16', source: 'MicroK8s pods (calico cidr)' },
  { prefix: '10.4.0.0/16', source: 'nerdctl default network 10.4.0.0/24 and those it makes after it' },
  { prefix: '10.8.0.0/16', source: 'OpenVPN sample server.conf: server 10.8.0.0 255.255.255.0' },
  { prefix: '10.22.0.0/16', source: "the CNI project's example mynet" },
  {
    prefix: '10.32.0.0/12',
    source: 'Weave Net IPALLOC_RANGE; k3s 10.42.0.0/16 and 10.43.0.0/16 (--cluster-cidr, --service-cidr)',
  },
  { prefix: '10.85.0.0/16', source: "CRI-O's 100-crio-bridge.conflist" },
  { prefix: '10.88.0.0/16', source: "podman's default network; containerd's 10-containerd-net.conflist" },
  { prefix: '10.89.0.0/16', source: 'containers.conf default_subnet_pools' },
  { prefix: '10.90.0.0/15', source: 'containers.conf default_subnet_pools' },
  { prefix: '10.92.0.0/14', source: 'containers.conf default_subnet_pools' },
  {
    prefix: '10.96.0.0/11',
    source: 'containers.conf default_subnet_pools; Kubernetes services 10.96.0.0/12 (kubeadm)',
  },
  {
    prefix: '10.128.0.0/9',
    source: 'containers.conf default_subnet_pools; OpenShift; flannel 10.244.0.0/16',
  },
  { prefix: '172.16.28.0/24', source: "rkt's default network" },
  { prefix: '172.17.0.0/16', source: "Docker's docker0" },
  { prefix: '172.18.0.0/15', source: 'Docker default-address-pools; kind; netns 172.19.0.0/16' },
  { prefix: '172.20.0.0/14', source: 'Docker default-address-pools' },
  { prefix: '172.24.0.0/13', source: "Docker default-address-pools; rkt's 172.31.0.0/16; AWS default VPC" },
  {
    prefix: '192.168.0.0/16',
    source: "home routers; Docker default-address-pools; libvirt's 192.168.122.0/24; Calico's default pool",
  },
];
