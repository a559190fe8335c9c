/**
 * The main job on real input, told in plain words: two containers join a network of bridge-nat, talk to each other and
 * to the world, one publishes a port; then everything is taken down, and the host is compared with what it was.
 *
 * Everything happens in namespaces made for it: the machine's own interfaces, rules and files are not touched.
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { addChainMust, runChain } from '../kernel/harness-chain.ts';
import type { NetworkList } from '../kernel/harness-chain.ts';
import { ask, openHost, serve, without, world } from '../kernel/harness.ts';
import type { CniJson, Host, Place, Snapshot } from '../kernel/harness.ts';
import type { Answer } from '../kernel/harness-traffic.ts';
import { makeBundle } from '../runtime/bundle.ts';
import { lackingFor } from '../runtime/lacking.ts';
import { makeRootfs } from '../runtime/rootfs.ts';

const EXAMPLE = 'schemas/examples/containerd-dual-stack.conflist';
const FILES_OF_THE_DEMO = /\/netmoor|^\S \/run\/(runc|bundles|rootfs)/;

interface Container {
  readonly name: string;
  readonly place: Place;
  readonly result: CniJson;
  readonly ports: readonly object[];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function chapter(title: string): void {
  say(`\n== ${title}`);
}

/** Says what was expected and whether it came; the demo fails when it did not. */
function shown(what: string, answer: Answer | undefined, expected: Partial<Answer>): void {
  const good = Object.entries(expected).every(([key, value]) => answer?.[key as keyof Answer] === value);
  say(
    `   ${good ? 'yes' : 'NO '}  ${what}${answer ? ` (answered by ${answer.from}, which saw ${answer.peer})` : ' (no answer)'}`,
  );
  if (!good) process.exitCode = 1;
}

function callOf({ name, place, ports }: Omit<Container, 'result'>) {
  return {
    containerId: name,
    ifname: 'eth0',
    netns: place.netnsPath,
    runtimeConfig: { portMappings: ports },
  };
}

async function attach(
  host: Host,
  list: NetworkList,
  name: string,
  ports: readonly object[],
): Promise<Container> {
  const place = await host.container(name);
  const result = await addChainMust(host, list, callOf({ name, place, ports }));
  say(`   ${name}: ${result.ips?.map(({ address }) => address).join(' and ')}`);
  return { name, place, result, ports };
}

/** With runc the container is a real one; without it, a process in the namespace is all there is. */
async function start(host: Host, { name, place }: Container, runc: boolean): Promise<void> {
  if (runc) {
    const bundle = await makeBundle(host, name, place.netnsPath);
    await host.shell(
      `runc run --detach --bundle ${bundle} ${name} < /dev/null > ${bundle}/log 2>&1 || { cat ${bundle}/log >&2; exit 1; }`,
    );
  }
  await serve(place, 'tcp', 80);
  await serve(place, 'tcp', 80, { address: '::', name: `${name}-v6` });
}

function addressOf({ result }: Container, separator: '.' | ':'): string {
  return (
    result.ips
      ?.map(({ address }) => address.split('/')[0] ?? '')
      .find((address) => address.includes(separator)) ?? ''
  );
}

async function talk(host: Host, web: Container, shell: Container): Promise<void> {
  chapter('Do they reach each other, and the world?');
  await serve(host.outside, 'tcp', 80);
  await serve(host.outside, 'tcp', 80, { address: '::', name: 'outside-v6' });
  shown('shell reaches web by IPv4, unmasked', await ask(shell.place, 'tcp', addressOf(web, '.'), 80), {
    from: 'web',
    peer: addressOf(shell, '.'),
  });
  shown('shell reaches web by IPv6, unmasked', await ask(shell.place, 'tcp', addressOf(web, ':'), 80), {
    peer: addressOf(shell, ':'),
  });
  shown(
    'shell reaches the world by IPv4, behind the host',
    await ask(shell.place, 'tcp', world.internet4, 80),
    { from: 'outside', peer: world.host4 },
  );
  shown(
    'shell reaches the world by IPv6, behind the host',
    await ask(shell.place, 'tcp', world.internet6, 80),
    { peer: world.host6 },
  );
  chapter('Does the published port 8080 of web answer?');
  shown('a client outside, IPv4', await ask(host.outside, 'tcp', world.host4, 8080), {
    from: 'web',
    peer: world.router4,
  });
  shown('a client outside, IPv6', await ask(host.outside, 'tcp', world.host6, 8080), { peer: world.router6 });
  shown('the host itself, by 127.0.0.1', await ask(host, 'tcp', '127.0.0.1', 8080), { from: 'web' });
  shown('the neighbour, by the address of the host', await ask(shell.place, 'tcp', world.host4, 8080), {
    from: 'web',
  });
}

async function netmoor(host: Host, ...args: string[]): Promise<void> {
  say(`\n$ netmoor ${args.join(' ')}`);
  say((await host.must([`${OWN_PLUGINS}/netmoor`, ...args])).trimEnd());
}

async function dump(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: FILES_OF_THE_DEMO }), 'processes');
}

function compare(before: Snapshot, after: Snapshot): void {
  chapter('Is anything left?');
  const changed = Object.keys({ ...before, ...after }).filter(
    (title) => !isDeepStrictEqual(before[title], after[title]),
  );
  for (const title of Object.keys(after))
    say(`   ${changed.includes(title) ? 'CHANGED' : 'same   '}  ${title}`);
  if (changed.length > 0) process.exitCode = 1;
  say(
    changed.length > 0
      ? '\nSomething is left: this is a defect.'
      : '\nNothing is left: the host is what it was.',
  );
}

async function attachAndStart(host: Host, list: NetworkList, runc: boolean): Promise<[Container, Container]> {
  chapter(`Two containers join the network of ${EXAMPLE}`);
  const web = await attach(host, list, 'web', [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
  const shell = await attach(host, list, 'shell', []);
  for (const container of [web, shell]) await start(host, container, runc);
  say(
    runc
      ? '   Each is a container of runc, a busybox in a bundle.'
      : '   runc is not installed: each is a namespace with a server in it.',
  );
  return [web, shell];
}

/** Forwarding is switched on with the first container and stays on: the comparison begins after that. */
async function warmUp(host: Host, list: NetworkList): Promise<void> {
  const place = await host.container('first');
  const call = callOf({ name: 'first', place, ports: [] });
  await runChain(host, 'DEL', list, call, await addChainMust(host, list, call));
  await host.removeContainer('first');
}

async function demo(host: Host): Promise<void> {
  const list = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as NetworkList;
  say('A private host was made: a network namespace with an uplink to a world outside, in both IP versions.');
  say('Your own interfaces, firewall rules and files are not touched.');
  const runc = lackingFor('runc', 'busybox') === false;
  if (runc) await makeRootfs(host);
  await warmUp(host, list);
  const before = await dump(host);
  const [web, shell] = await attachAndStart(host, list, runc);
  await talk(host, web, shell);
  chapter('What netmoor says of it');
  await netmoor(host, 'ls');
  await netmoor(host, 'show');
  chapter('Everything is detached');
  for (const container of [web, shell]) {
    if (runc) await host.shell(`runc delete --force ${container.name}`);
    await runChain(host, 'DEL', list, callOf(container), container.result);
    await host.removeContainer(container.name);
  }
  await netmoor(host, 'ls');
  compare(before, await dump(host));
}

const host = await openHost();
try {
  await demo(host);
} finally {
  await host.close();
}
