/** A container was a process, and by the time of its DEL the path of its namespace leads to the host's own. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import { callFor, contents, dump, must, run } from './attack-bed.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

/** Process 1 of the host is in the host's namespace. */
const OURS = '/proc/1/ns/net';
const IPAMS = {
  'addresses of the store': {},
  'addresses of host-local': {
    cniVersion: '1.0.0',
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }]] },
  },
};

for (const [name, config] of Object.entries(IPAMS)) {
  t.test(`DEL with the namespace of the host itself: ${name}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await must(host, 'ADD', callFor('c0', config, (await host.container('c0')).netnsPath));
      await must(host, 'DEL', callFor('c0', config));
      const before = await dump(host);
      const { place, stop } = await host.processContainer('c1');
      const prevResult = await must(host, 'ADD', callFor('c1', config, place.netnsPath));
      await stop();
      const late = callFor('c1', config, OURS);
      for (const command of ['ADD', 'CHECK'] as const) {
        const call = { ...late, config: { ...(late.config as object), prevResult } };
        t.match(await run(host, command, call), { code: 1, json: { code: 4 } }, `${command} refuses it`);
      }
      t.match(await run(host, 'DEL', late), { code: 0, stdout: '' });
      t.match(await run(host, 'DEL', late), { code: 0, stdout: '' }, 'and once more');
      t.same(await dump(host), before, 'the host is as it was');
      t.same((await contents(host)).attachments, []);
    });
  });
}
