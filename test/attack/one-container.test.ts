/** Several networks attached to one container at the same moment: each has its routes, ranked behind one another. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import { must, reaches, run } from './attack-bed.ts';
import { NETWORKS, callOf, isOnLan } from './storm-networks.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

const ROUNDS = 8;

t.test('ADDs of several networks for one container at once', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { netnsPath } = await host.container('s0');
    const indexes = [...NETWORKS.keys()].filter((index) => !isOnLan(index));
    for (let round = 0; round < ROUNDS; round++) {
      const calls = indexes.map((index) => callOf('s0', index, netnsPath));
      const results = await Promise.all(calls.map((call) => must(host, 'ADD', call)));
      for (const [index, prevResult] of results.entries()) {
        const check = await run(host, 'CHECK', callOf('s0', index, netnsPath, { prevResult }));
        t.match(check, { code: 0, stdout: '' }, `network ${index} is as it was promised`);
        t.ok(await reaches(host, 's0', prevResult), 'and works');
      }
      const routes = await host.at(netnsPath).ip('-6', 'route', 'show', 'default');
      const metrics = routes.map(({ metric }) => metric);
      t.equal(new Set(metrics).size, indexes.length, 'no two default routes are one');
      await Promise.all(calls.map((call) => must(host, 'DEL', call)));
    }
  });
});
