/** The engine looks after the rules: what others take away it puts back, by the kernel's word and not by asking. */
import t from 'tap';
import { ask, lacking, serve, until, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { hostPid, startEngine } from './engine-bed.ts';
import type { Background } from './harness-process.ts';
import { DUAL_STACK, Network } from './moorings.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

function lines({ errors }: Background, what: RegExp): string[] {
  return errors.split('\n').filter((line) => what.test(line));
}

async function tables(host: Host): Promise<string> {
  return host.must(['nft', 'list', 'tables']);
}

/** The rules are there, and none is missing. */
async function whole(network: Network, result: Awaited<ReturnType<Network['add']>>): Promise<boolean> {
  return (await network.check('c1', result, { ports: PORTS })) === undefined;
}

t.test('what others take away comes back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { place, result } = await network.container('c1', { ports: PORTS });
    await serve(place, 'tcp', 80);
    await serve(host.outside, 'tcp', 80);
    await host.must(['nft', 'delete', 'table', 'inet', 'netmoor']);
    const engine = await startEngine(host);
    const repaired = (): number => lines(engine, /^repaired/).length;
    await engine.until(() => repaired() === 1, 'what was missing when it started');
    t.equal(await whole(network, result), true);
    const again = async (what: string, command: string): Promise<void> => {
      const before = repaired();
      await host.shell(command);
      await engine.until(() => repaired() > before, what);
      t.equal(await whole(network, result), true, what);
    };
    await again('the ruleset flushed', 'nft flush ruleset');
    t.match(lines(engine, /^repaired/).at(-1), /after nft .*table inet netmoor/);
    await again('an element', "nft delete element inet netmoor masq4 '{ 10.77.0.2 }'");
    await again(
      'Docker comes',
      'iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -P FORWARD DROP',
    );
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });
    t.match(await ask(place, 'tcp', world.internet4, 80), { from: 'outside' });
    const told = repaired();
    await network.container('c2', { ports: [{ hostPort: 9090, containerPort: 80 }] });
    await network.del('c2');
    // Whatever it had to say of these, it would have said before what comes after them.
    await host.shell('nft add table inet other; nft add chain inet other x; nft delete table inet other');
    await again('with its own name', 'nft flush map inet netmoor publish4');
    t.equal(repaired(), told + 1, 'ADD and DEL are nothing to repair');
    await engine.stop();
  });
});

t.test('more than there is room for, and somebody who does not give in', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { result } = await network.container('c1', { ports: PORTS });
    const engine = await startEngine(host);
    await host.must(['nft', 'flush', 'ruleset']);
    await engine.until(() => lines(engine, /^repaired/).length === 1, 'it looks after the rules');

    const pid = String(await hostPid(host));
    await host.must(['kill', '-STOP', pid]);
    const flood =
      'seq 1 400 | sed "s/.*/add table ip t&\\nadd chain ip t& c\\nadd rule ip t& c counter comment \\"&\\"/" | nft -f -';
    await host.shell(`${flood}; nft flush ruleset; ${flood}; nft flush ruleset`);
    await host.must(['kill', '-CONT', pid]);
    // What has started it stops with it, and has to be told to go on.
    engine.child.kill('SIGCONT');
    await until(async () => whole(network, result), 'what came while it could not hear');

    const fighting = host.start(['sh', '-c', 'while :; do nft flush ruleset; done']);
    await engine.until(() => lines(engine, /times in a row/).length > 0, 'a word about it', 30_000);
    t.equal(String(await hostPid(host)), pid, 'it answers meanwhile');
    await fighting.stop();
    await until(async () => whole(network, result), 'the end of the fight', 30_000);
    await host.must(['kill', '-TERM', pid]);
    await engine.end();
    t.notMatch(await tables(host), /ip t/);
    t.same(lines(engine, /defect|did not stop/), []);
  });
});

t.test('an engine that nobody needs goes, whatever it looks after', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    await network.container('c1', { ports: PORTS });
    const engine = await startEngine(host, '--idle-exit', '1');
    await engine.end();
    t.match(engine.errors, /nobody needs it/);
    await network.del('c1');
    t.equal(await tables(host), '');
  });
});
