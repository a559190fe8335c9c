/** Networks come and go: nothing of them stays in the store, whichever way they went. */
import t from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import type { CniCall, Host } from '../kernel/harness.ts';
import { asked } from '../kernel/netmoor-command.ts';
import { USUAL_STORE, VICTIM, callFor, must, removeContainer, run } from './attack-bed.ts';

const skip = lacking() ?? false;
t.setTimeout(200_000);

const NETWORKS = 30;

const COUNT = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync('${USUAL_STORE}/leases.db');
const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta'").all();
const count = ({ name }) => [name, Object.values(database.prepare('SELECT count(*) FROM ' + name).get())[0]];
console.log(JSON.stringify(Object.fromEntries(tables.map(count))));
`;

const REBOOT = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync('${USUAL_STORE}/leases.db');
database.exec("UPDATE attachment SET boot = 'before', record = json_set(record, '$.bootId', 'before')");
database.exec("UPDATE meta SET value = 'before' WHERE key LIKE 'boot%'");
`;

async function rows(host: Host): Promise<Record<string, number>> {
  return JSON.parse(await host.must([process.execPath, '--eval', COUNT]));
}

type Ending = (host: Host, call: CniCall) => Promise<unknown>;

/** How an attachment ends, beside a plain DEL. */
const ENDINGS: Readonly<Record<string, Ending>> = {
  DEL: async (host, call) => must(host, 'DEL', call),
  'DEL again after one that died': async (host, call) => {
    await host.cni([process.execPath, VICTIM, 'detach: interfaces seen to'], 'DEL', call);
    await must(host, 'DEL', call);
  },
  GC: async (host, call) => {
    const config = { ...(call.config as object), 'cni.dev/valid-attachments': [] };
    await host.cniMust([process.execPath, VICTIM, '', ''], 'GC', { config, path: call.path ?? '' });
  },
  'netmoor gc': async (host) => {
    await removeContainer(host, 'c1');
    await asked(host, 'gc');
    // Not before: the kernel gives a new namespace the inode number of the old one, and its path is the same.
    await host.container('c1');
  },
};

const TABLES = ['address', 'attachment', 'cursor', 'dhcp_lease', 'network', 'port', 'released', 'run'];

t.test(`${NETWORKS} networks that were used for a while`, { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const endings = Object.entries(ENDINGS);
    for (let index = 0; index < NETWORKS; index++) {
      const [name, end] = endings[index % endings.length] ?? ['', undefined];
      const config = {
        name: `brief-${index}`,
        ipam: { ranges: [[{ subnet: `10.79.${index}.0/24` }], [{ subnet: `fd00:79:${index}::/64` }]] },
        runtimeConfig: { portMappings: [{ hostPort: 8000 + index, containerPort: 80, protocol: 'tcp' }] },
      };
      const call = callFor('c1', config);
      await must(host, 'ADD', call);
      if (index === 0) t.match(Object.keys(await rows(host)).sort(), TABLES);
      await end?.(host, call);
      t.same(
        Object.entries(await rows(host)).filter(([, count]) => count > 0),
        [],
        `nothing is left after ${name}`,
      );
    }
    const failing = callFor('c1', { name: 'failing', ipam: { subnet: '10.80.0.0/24' } });
    await host.cni([process.execPath, VICTIM, 'attach: recorded', 'throws'], 'ADD', failing);
    t.same(
      Object.entries(await rows(host)).filter(([, count]) => count > 0),
      [],
      'nor after an ADD that failed',
    );
  });
});

t.test('networks whose bridge stays, or that a reboot has ended, go with netmoor gc', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    const call = callFor('c1', { bridge: 'pier', keepBridge: true });
    await must(host, 'ADD', call);
    await must(host, 'DEL', call);
    t.match(await rows(host), { network: 1 }, 'the bridge is known as long as it stays');
    await host.must(['ip', 'link', 'delete', 'pier']);
    t.match(await asked(host, 'gc'), { yes: true, view: { garbage: [{ kind: 'network' }] } });
    t.same(
      Object.entries(await rows(host)).filter(([, count]) => count > 0),
      [],
    );

    await must(host, 'ADD', callFor('c1'));
    await host.must([process.execPath, '--eval', REBOOT]);
    await host.must(['ip', 'link', 'delete', 'nm-harbour']);
    await removeContainer(host, 'c1');
    t.match(await asked(host, 'gc'), { yes: true, view: { garbage: [{ kind: 'attachment' }, {}, {}] } });
    t.same(
      Object.entries(await rows(host)).filter(([, count]) => count > 0),
      [],
    );
    t.match(await run(host, 'DEL', callFor('c1')), { code: 0 });
  });
});
