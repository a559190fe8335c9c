/** The launcher in front of the engine and of the one-shot: the same results, whoever does the work. */
import t from 'tap';
import type { Test } from 'tap';
import { askStatus, hostPid, holdings, noEngine, signalEngine, startEngine } from './engine-bed.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { CniAnswer, CniCommand, Host } from './harness.ts';
import { LAUNCHED, laterRequest, launcherIn } from './launcher-bed.ts';

const skip = lacking() ?? false;

const PORTS = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
const CONFIG = {
  cniVersion: '1.0.0',
  name: 'harbour',
  type: 'bridge-nat',
  capabilities: { portMappings: true },
};

interface Berth {
  readonly host: Host;
  call(command: CniCommand, name: string, more?: object, before?: readonly string[]): Promise<CniAnswer>;
  /** Requests that the engine has answered. */
  served(): Promise<number>;
}

async function withBerth(t: Test, work: (berth: Berth) => Promise<void>): Promise<void> {
  await withHost(t, async (host) => {
    await launcherIn(host);
    await work({
      host,
      call: async (command, name, more = {}, before = []) =>
        host.cni([...before, `${LAUNCHED}/bridge-nat`], command, {
          config: { ...CONFIG, ...more },
          containerId: name,
          ifname: 'eth0',
          netns: `/run/netns/${name}`,
          deadlineMs: 60_000,
        }),
      served: async () => (await askStatus(host)).requests?.served ?? -1,
    });
  });
}

/** A result without what differs between two containers. */
function alike({ json }: CniAnswer): object {
  const text = JSON.stringify(json).replaceAll(/[0-9a-f]{2}(:[0-9a-f]{2}){5}|nmv[0-9a-f]+|c[0-9]\b/g, '_');
  return JSON.parse(text.replaceAll(/10\.\d+\.\d+\.\d+|::\d+\/64/g, '_'));
}

t.test('by the engine and without it, the same', { skip }, async (t) => {
  await withBerth(t, async ({ host, call, served }) => {
    for (const name of ['c1', 'c2']) await host.container(name);
    const alone = await call('ADD', 'c1', { runtimeConfig: PORTS });
    t.match(alone, { code: 0 }, 'there is no engine');
    t.match(await call('DEL', 'c1'), { code: 0, stdout: '' });
    const engine = await startEngine(host);
    const before = await host.snapshot({ ignoreFiles: /netmoor/ });
    const helped = await call('ADD', 'c2', { runtimeConfig: PORTS });
    t.equal(await served(), 1);
    t.same(alike(helped), alike(alone));
    t.match(await call('CHECK', 'c2', { runtimeConfig: PORTS, prevResult: helped.json }), { code: 0 });
    t.match(await call('STATUS', 'c2', { cniVersion: '1.1.0' }), { code: 0, stdout: '' });
    const relative = { ipam: { type: 'netmoor', resolvConf: 'absent/resolv.conf' } };
    t.match(await call('ADD', 'c1', relative), { code: 1, json: { code: 5 } });
    t.equal(await served(), 3, 'a file that lies where the caller does is the one-shot’s to find');
    const taken = await call('ADD', 'c1', { runtimeConfig: PORTS });
    t.match(taken, { code: 1, json: { cniVersion: '1.0.0', code: 102, msg: /8080/ } }, 'errors as well');
    t.match(await call('DEL', 'c2', { runtimeConfig: PORTS }), { code: 0, stdout: '' });
    t.equal(await served(), 5);
    const after = await host.snapshot({ ignoreFiles: /netmoor/ });
    t.same(without(after, 'processes'), without(before, 'processes'), 'nothing is left');
    await engine.stop();
  });
});

t.test('the namespace is the one that the caller has opened', { skip }, async (t) => {
  await withBerth(t, async ({ host, call, served }) => {
    const engine = await startEngine(host);
    const sleeper = (await host.container('c2')).start(['sleep', '1000']);
    const pid = await until(async () => {
      const { stdout } = await host.run(['pgrep', '-nx', 'sleep']);
      return stdout === '' ? undefined : stdout.trim();
    }, 'a process in it');
    const netns = `/proc/${pid}/ns/net`;
    const added = await host.cni([`${LAUNCHED}/bridge-nat`], 'ADD', {
      config: CONFIG,
      containerId: 'c2',
      ifname: 'eth0',
      netns,
    });
    t.match(added, { code: 0, json: { interfaces: [{}, {}, { sandbox: netns }] } });
    t.equal(await served(), 1);
    t.equal((await host.at('/run/netns/c2').ip('link', 'show', 'dev', 'eth0')).length, 1);
    host.write('/run/netns/left', '');
    const left = await call('ADD', 'left');
    t.match(left, { code: 1, json: { code: 4, msg: /"\/run\/netns\/left"/ } }, 'errors name it as he does');
    t.equal(await served(), 2);
    await sleeper.stop();
    await engine.stop();
  });
});

t.test('neighbours hear of who has an address now', { skip }, async (t) => {
  await withBerth(t, async ({ host, call, served }) => {
    for (const name of ['c1', 'c2']) await host.container(name);
    const engine = await startEngine(host);
    const ipam = { type: 'netmoor', ranges: [[{ subnet: '10.9.8.0/24' }]] };
    t.match(await call('ADD', 'c1', { ipam }), { code: 0 });
    const neighbour = host.at('/run/netns/c1');
    await neighbour.must([
      'ip',
      'neigh',
      'add',
      '10.9.8.77',
      'lladdr',
      '02:00:00:00:00:77',
      'dev',
      'eth0',
      'nud',
      'stale',
    ]);
    const { code, json } = await call('ADD', 'c2', { ipam, args: { cni: { ips: ['10.9.8.77'] } } });
    t.equal(code, 0);
    t.equal(await served(), 2);
    const mac = json?.interfaces?.[2]?.mac ?? '';
    await until(async () => {
      const [entry] = await neighbour.ip('neigh', 'show', '10.9.8.77');
      return entry?.['lladdr'] === mac;
    }, 'the neighbour knows');
    await engine.stop();
  });
});

t.test('where the engine is none of the caller’s, the one-shot does it', { skip }, async (t) => {
  await withBerth(t, async ({ host, call, served }) => {
    await host.container('c1');
    const engine = await startEngine(host);
    const elsewhere: Readonly<Record<string, readonly string[]>> = {
      'other mounts': ['unshare', '--mount', '--'],
      'other processes': ['unshare', '--pid', '--fork', '--'],
      'other users': ['unshare', '--user', '--map-root-user', '--'],
      'another user': ['setpriv', '--reuid=1000', '--clear-groups', '--'],
    };
    for (const [what, before] of Object.entries(elsewhere)) {
      const { code } = await call('STATUS', 'c1', { cniVersion: '1.1.0' }, before);
      t.equal(typeof code, 'number', what);
      t.equal(await served(), 0, what);
    }
    t.match(await call('ADD', 'c1', {}, elsewhere['other mounts']), { code: 0 });
    t.match(await call('DEL', 'c1', {}, elsewhere['other processes']), { code: 0 });
    t.equal(await served(), 0);
    await signalEngine(host, 'STOP');
    t.match(await call('ADD', 'c1'), { code: 0 }, 'an engine that stands still');
    // nsenter(1) stops along with it.
    await host.must(['pkill', '-CONT', '-f', 'netmoor engine']);
    engine.child.kill('SIGCONT');
    await until(async () => (await askStatus(host)).connections === 1, 'it goes on');
    t.equal(await served(), 0, 'and has done nothing twice');
    t.match(await call('DEL', 'c1'), { code: 0 });
    t.equal(await served(), 1);
    await engine.stop();
  });
});

t.test('an engine that is killed half-way', { skip }, async (t) => {
  await withBerth(t, async ({ host, call }) => {
    const names = Array.from({ length: 12 }, (_, index) => `c${index}`);
    for (const name of names) await host.container(name);
    // The first makes the host a router, which it stays.
    for (const command of ['ADD', 'DEL'] as const) await call(command, 'c0');
    const before = await host.snapshot({ ignoreFiles: /netmoor/ });
    for (const command of ['ADD', 'DEL', 'ADD', 'DEL'] as const) {
      const engine = await startEngine(host);
      const calls = Promise.all(names.map(async (name) => call(command, name)));
      await until(async () => {
        const { requests } = await askStatus(host);
        return (requests?.served ?? 0) + (requests?.running ?? 0) > 0;
      }, 'it is at work');
      await signalEngine(host, 'KILL');
      const answers = await calls;
      t.same(
        answers.filter(({ code }) => code !== 0).map(({ stdout }) => stdout),
        [],
        `${command}: whoever was left did it himself`,
      );
      for (const name of names) {
        const { code } = await host.at(`/run/netns/${name}`).run(['ip', 'link', 'show', 'dev', 'eth0']);
        t.equal(code === 0, command === 'ADD', `${name} after ${command}`);
      }
      await noEngine(host);
      await engine.stop();
    }
    const last = await startEngine(host);
    t.equal(await host.shell('ls /run/netmoor/requests'), '', 'the next engine forgets what was under way');
    await last.stop();
    const after = await host.snapshot({ ignoreFiles: /netmoor/ });
    t.same(without(after, 'processes'), without(before, 'processes'), 'nothing is left');
  });
});

t.test('many at once, and what the engine holds afterwards', { skip }, async (t) => {
  await withBerth(t, async ({ host, call, served }) => {
    const names = Array.from({ length: 30 }, (_, index) => `c${index}`);
    for (const name of names) await host.container(name);
    const engine = await startEngine(host);
    const pid = await hostPid(host);
    const round = async (): Promise<void> => {
      for (const command of ['ADD', 'DEL'] as const)
        for (const { code, stdout } of await Promise.all(names.map(async (name) => call(command, name))))
          t.equal(code, 0, stdout);
    };
    await round();
    await round();
    const first = await holdings(host, pid);
    for (let i = 0; i < 3; i++) await round();
    const last = await holdings(host, pid);
    t.equal(await served(), 300);
    t.ok(last.fds <= first.fds + 8, `descriptors: ${first.fds}, then ${last.fds}`);
    t.equal((await host.ip('link', 'show', 'type', 'veth')).filter(({ master }) => master).length, 0);
    await engine.stop();
  });
});

t.test('an engine of an older version makes way', { skip }, async (t) => {
  await withBerth(t, async ({ host, call }) => {
    await host.container('c1');
    const engine = await startEngine(host);
    const { pid, since } = await askStatus(host);
    t.equal(await laterRequest(host), 'R', 'nothing was begun');
    const next = await until(async () => {
      const status = await askStatus(host);
      return status.running && status.since !== since ? status : undefined;
    }, 'the next one');
    t.equal(next.pid, pid, 'in the same process');
    t.match(await call('ADD', 'c1'), { code: 0 });
    t.match((await askStatus(host)).requests, { served: 1 });
    await engine.stop();
  });
});

t.test('where the later version cannot be run, the engine goes on', { skip }, async (t) => {
  await withBerth(t, async ({ host, call }) => {
    await host.container('c1');
    const engine = await startEngine(host);
    const { pid, since } = await askStatus(host);
    host.write('/run/half-written', 'no program', 0o755);
    t.equal(await laterRequest(host, '/run/half-written'), 'R');
    const next = await until(async () => {
      const status = await askStatus(host);
      return status.running && status.since !== since ? status : undefined;
    }, 'the same again');
    t.equal(next.pid, pid);
    t.match(await call('ADD', 'c1'), { code: 0 });
    t.match((await askStatus(host)).requests, { served: 1 });
    await engine.stop();
  });
});
