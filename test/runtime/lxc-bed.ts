/** LXC 5 in a private host: containers of busybox with the example's hook. */
import { fileURLToPath } from 'node:url';
import { stateOf } from '../kernel/attach-bed.ts';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import type { Host } from '../kernel/harness.ts';
import { busyboxRoot } from './systemd-machine.ts';

export const EXAMPLE = fileURLToPath(new URL('../../hooks/examples/lxc', import.meta.url));

/** `networkConfig`: the lines of its configuration that give it networks; `init`: its program, a shell script. */
export async function layOut(host: Host, name: string, networkConfig: string, init: string): Promise<void> {
  await host.shell(
    `mkdir -p /run/lxc/${name}\ncd /run/lxc/${name}\n${busyboxRoot('rootfs')}\nln -sf /run/systemd/resolv.conf rootfs/etc/resolv.conf\necho 'this is ${name}' > rootfs/root/index.html`,
  );
  host.write(`/run/lxc/${name}/rootfs/init`, `#!/bin/sh\n${init}\n`, 0o755);
  const group = (kind: string): string => `lxc.cgroup.dir.${kind} = ${host.id}/${kind}.${name}\n`;
  const config = `
lxc.uts.name = ${name}
lxc.rootfs.path = dir:/run/lxc/${name}/rootfs
lxc.init.cmd = /init
lxc.mount.auto = proc:rw sys:rw
lxc.apparmor.profile = unconfined
${['monitor', 'container', 'monitor.pivot'].map(group).join('')}${networkConfig}`;
  host.write(`/run/lxc/${name}/config`, config);
}

export async function start(host: Host, name: string): Promise<number> {
  return (await host.run(['lxc-start', '-P', '/run/lxc', '-n', name, '-o', `/run/lxc/${name}/log`])).code;
}

export async function stop(host: Host, name: string): Promise<void> {
  await host.must(['lxc-stop', '-P', '/run/lxc', '-n', name, '--kill']);
  await host.must(['lxc-wait', '-P', '/run/lxc', '-n', name, '-s', 'STOPPED', '-t', '20']);
}

export const TOOLS = `mkdir -p /run/local-bin
cp ${EXAMPLE}/netmoor-lxc /run/local-bin/
ln -s ${OWN_PLUGINS}/netmoor /run/local-bin/netmoor
mount --bind /run/local-bin /usr/local/bin
mkdir -p /var/lib/lxc /run/lxc
`;

/** LXC's own files, and those of the containers' directories. */
const LXC_FILES = /^\S \/run\/(lxc|lock\/lxc|local-bin)/;

export async function state(host: Host): Promise<object> {
  const dump = await stateOf(host);
  const files = (dump['files'] as string[]).filter((line) => !LXC_FILES.test(line));
  return { ...dump, files, processes: [] };
}
