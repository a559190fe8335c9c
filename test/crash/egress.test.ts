/**
 * A network with a way out of its own, whose ADD and DEL are killed at every named step: whatever the container does
 * then, nothing of it leaves by the host's uplink, and gc leaves nothing.
 */
import t from 'tap';
import { Meter, STRICT } from '../kernel/egress-bed.ts';
import { lacking, withHost, world } from '../kernel/harness.ts';
import type { CniCommand, Host, Place } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';
import { netmoor } from '../kernel/netmoor-command.ts';
import { bundled } from './bundled.ts';

const skip = lacking() ?? false;
const VICTIM = bundled('bridge-nat-victim');

const WAYS_OUT = `ip link add eth7 type veth peer name far netns /run/harness/outside
ip link set eth7 up; ip address add 192.168.7.2/24 dev eth7; ip address add fd07::2/64 dev eth7 nodad
nsenter --net=/run/harness/outside sh -eu -c 'ip link set far up; ip address add 192.168.7.1/24 dev far
ip address add fd07::1/64 dev far nodad'`;

const LEFT = `ip rule show pref 109; ip -6 rule show pref 109; nft list tables; ip link show type bridge
ip route show table all proto 109; ip -6 route show table all proto 109
ip -o link | grep -v -e ' lo:' -e uplink -e eth7 || true`;

/** Helps itself to what it has not been given, and sends to the world by both families. */
async function tryToLeave(place: Place): Promise<void> {
  const to = [world.internet4, world.router4, `[${world.internet6}]`, `[${world.router6}]`];
  const udp = to.map((address) => `echo question | socat -u - UDP-SENDTO:${address}:7000 2>/dev/null &`);
  await place.shell(`ip link show eth0 >/dev/null 2>&1 || exit 0
ip link set eth0 up
ip address replace 10.77.0.66/24 dev eth0; ip -6 address replace fd00:77::66/64 dev eth0 nodad
ip route replace default via 10.77.0.1; ip -6 route replace default via fd00:77::1
${udp.join('\n')}
ping -q -c 1 -W 0.1 ${world.internet4} >/dev/null 2>&1 & ping -q -c 1 -W 0.1 ${world.internet6} >/dev/null 2>&1 &
wait || true`);
}

class Bed {
  readonly host: Host;
  readonly #network: Network;
  readonly #meter: Meter;

  constructor(host: Host, meter: Meter) {
    this.host = host;
    this.#meter = meter;
    const egress = { interface: 'eth7', via: ['192.168.7.1', 'fd07::1'] };
    this.#network = new Network(host, { ...DUAL_STACK, egress, dns: { nameservers: ['192.168.7.1'] } });
  }

  /** The steps that were told, where it is not to die. */
  async strike(command: CniCommand, step?: string): Promise<string[]> {
    const { code, stderr } = await this.host.cni(
      [process.execPath, VICTIM, ...(step === undefined ? [] : [step])],
      command,
      {
        config: this.#network.config,
        containerId: 'c1',
        ifname: 'eth0',
        netns: '/run/netns/c1',
        path: '/usr/lib/cni',
      },
    );
    if ((code === 0) !== (step === undefined)) throw new Error(`${command} at ${step}: ${code} ${stderr}`);
    return [...stderr.matchAll(/^step (.*)$/gm)].map((match) => match[1] ?? '');
  }

  async leaked(place: Place): Promise<string> {
    await tryToLeave(place);
    return this.#meter.read();
  }

  async left(): Promise<string> {
    const { code, out } = await netmoor(this.host, 'gc');
    return code === 0 ? this.host.shell(LEFT) : `gc: exit ${code}: ${out}`;
  }
}

t.test('killed at every step, it leaks nothing', { skip, timeout: 120_000 }, async (t) => {
  await withHost(
    t,
    async (host) => {
      await host.shell(WAYS_OUT);
      const bed = new Bed(host, await Meter.install(host));
      const place = await host.container('c1');
      const steps = { ADD: await bed.strike('ADD'), DEL: [] as string[] };
      t.equal(await bed.leaked(place), 'nothing', 'as it is');
      steps.DEL = await bed.strike('DEL');
      t.equal(await bed.left(), '');
      t.ok(steps.ADD.length > 7 && steps.DEL.length > 4, `there are steps: ${JSON.stringify(steps)}`);
      for (const command of ['ADD', 'DEL'] as const)
        for (const step of steps[command]) {
          if (command === 'DEL') await bed.strike('ADD');
          await bed.strike(command, step);
          t.equal(await bed.leaked(place), 'nothing', `${command} killed at "${step}"`);
          // Who is on record lives.
          if (step === 'attach: recorded') await bed.strike('DEL');
          t.equal(await bed.left(), '', `and gc leaves nothing after "${step}"`);
        }
      await host.shell('ip rule add pref 108 lookup main; nft flush ruleset');
      await bed.strike('ADD');
      await host.shell('nft flush ruleset');
      t.not(await bed.leaked(place), 'nothing', 'the meter would have seen it');
    },
    STRICT,
  );
});
