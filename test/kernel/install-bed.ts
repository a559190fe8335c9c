/** A private host that netmoor can be installed in: /usr/local and /usr/share have layers of their own as well. */
import { OWN_PLUGINS } from './harness-cni.ts';
import type { Host } from './harness.ts';
import type { InstallOutput } from '../../schemas/compiled/cli-install.js';
import type { UninstallOutput } from '../../schemas/compiled/cli-uninstall.js';

/** `npm run build` leaves the executable there, and the launcher in ../build. */
export const BUILT = `${OWN_PLUGINS}/netmoor`;

/** Without any plugin of the reference's, wherever runtimes look. */
const WITHOUT_REFERENCE = 'mount -t tmpfs -o mode=755 tmpfs /usr/lib/cni\n';

export async function makeInstallable(host: Host, reference: 'with reference' | 'bare'): Promise<void> {
  await host.shell(`
for tree in local share; do
  mkdir /run/harness/usr-$tree /run/harness/usr-$tree.work
  mount -t overlay -o lowerdir=/usr/$tree,upperdir=/run/harness/usr-$tree,workdir=/run/harness/usr-$tree.work overlay /usr/$tree
done
${reference === 'bare' ? WITHOUT_REFERENCE : ''}`);
}

/** All that an installation may change, directories and modes included. */
export async function listing(host: Host): Promise<string[]> {
  const places =
    '/usr/local /usr/share/containers /opt /etc/cni /etc/fish /etc/systemd /etc/containers /usr/lib/cni';
  const found = await host.shell(`find ${places} -printf '%p %y %m %l\\n' 2>/dev/null || true`);
  return found.split('\n').toSorted();
}

interface Answer<View> {
  readonly code: number;
  readonly view: View;
  /** What it said when it did not do its work. */
  readonly error: { readonly code?: number; readonly msg?: string; readonly details?: string };
}

async function run<View>(host: Host, schema: string, argv: readonly string[]): Promise<Answer<View>> {
  const { code, stdout, stderr } = await host.run([...argv, '--json']);
  const view: unknown = stdout === '' ? undefined : JSON.parse(stdout);
  const said = typeof view === 'object' && view !== null && 'msg' in view;
  const name = said ? 'cli-error' : schema;
  const { validate } = (await import(`../../schemas/compiled/${name}.js`)) as {
    validate: { (value: unknown): boolean; errors?: unknown };
  };
  if (!validate(view))
    throw new Error(`${argv.join(' ')}: exit ${code}\n${stdout}${stderr}${JSON.stringify(validate.errors)}`);
  return { code, view: view as View, error: (said ? view : {}) as Answer<View>['error'] };
}

export async function install(host: Host, from: string, ...args: string[]): Promise<Answer<InstallOutput>> {
  return run(host, 'cli-install', [from, 'install', ...args]);
}

export async function uninstall(
  host: Host,
  from: string,
  ...args: string[]
): Promise<Answer<UninstallOutput>> {
  return run(host, 'cli-uninstall', [from, 'uninstall', ...args]);
}

/** What was done with each path. */
export function actionsOf({ view }: Answer<InstallOutput>): Record<string, string> {
  return Object.fromEntries(view.steps.map(({ path, action }) => [path, action]));
}
