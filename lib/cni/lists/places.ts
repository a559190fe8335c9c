/**
 * Where runtimes look by default: the directories that podman, containerd, CRI-O and the distributions' packages share.
 */

export const CONFIG_DIRECTORIES: readonly string[] = ['/etc/cni/net.d'];

export const PLUGIN_PATH: readonly string[] = [
  '/opt/cni/bin',
  '/usr/local/lib/cni',
  '/usr/lib/cni',
  '/usr/libexec/cni',
];

/** For plugins of others, which look for iptables and the like: hooks are started without any environment. */
export const PLUGIN_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};
