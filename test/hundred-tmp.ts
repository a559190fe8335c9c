import { openHost } from '/work/wt/soak/test/kernel/harness.ts';
import { OWN_PLUGINS } from '/work/wt/soak/test/kernel/harness-cni.ts';
const N = 100, busy = Number(process.argv[2] ?? 0), nice = process.argv[3] ?? '0';
const host = await openHost();
try {
  await host.shell(Array.from({length: N}, (_, i) => `ip netns add c${i}`).join('\n'), {deadlineMs: 120000});
  const config = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };
  const all = async (verb: 'ADD'|'DEL') => Promise.all(Array.from({length: N}, async (_, i) => {
    const b = performance.now();
    const a = await host.cni(`${OWN_PLUGINS}/bridge-nat`, verb, { config, containerId: `c${i}`, ifname: 'eth0', netns: `/run/netns/c${i}`, deadlineMs: 400000 });
    return { code: a.json?.code ?? a.code, ms: performance.now() - b, text: a.stdout };
  }));
  const loops = Array.from({length: busy}, () => host.start(['nice', '-n', nice, 'sh', '-c', 'while :; do :; done']));
  for (const verb of ['ADD', 'DEL'] as const) {
    const r = await all(verb);
    const ms = r.map(x => Math.round(x.ms)).sort((a, b) => a - b);
    const codes: Record<string, number> = {};
    for (const x of r) codes[x.code] = (codes[x.code] ?? 0) + 1;
    console.log(verb, 'busy', busy, 'nice', nice, JSON.stringify(codes), 'ms', ms[0], ms[50], ms[90], ms[99], r.find(x => x.code !== 0)?.text.replace(/\s+/g, ' ').slice(0, 200) ?? '');
  }
  for (const l of loops) await l.stop();
} finally { await host.close(); }
