/** A thread with a toy plugin and toy tasks: they do what they are told. */
import { appendFileSync, readFileSync } from 'node:fs';
import { pluginOf } from '../../cli/engine/programs.ts';
import { serveAsWorker } from '../../cli/engine/worker.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { AttachedContext, Plugin } from '../../lib/cni/plugin.ts';

interface Told {
  readonly says?: string;
  /** Milliseconds to wait. */
  readonly waits?: number;
  /** A line of `log` to wait for, for ten seconds at most. */
  readonly awaits?: string;
  readonly dies?: boolean;
  /** Lines for this file: who began, who ended. */
  readonly log?: string;
}

/** Node ends a thread that throws where nobody catches it. */
function die(): Promise<never> {
  setImmediate(() => {
    throw new Error('as told');
  });
  return new Promise(() => {});
}

async function obey({ config, request, world }: AttachedContext): Promise<void> {
  const { log, waits, awaits, dies } = config.raw['told'] as Told;
  const line = (text: string): void => {
    if (log) appendFileSync(log, `${request.command} ${request.containerId} ${text}\n`);
  };
  line('begins');
  if (dies) await die();
  if (waits) world.pause(waits);
  const end = world.monotonic() + 10_000;
  while (log && awaits && !readFileSync(log, 'utf8').includes(awaits) && world.monotonic() < end)
    world.pause(5);
  line('ends');
}

const toy: Plugin = {
  name: 'toy',
  about: 'a toy',
  role: 'ipam',
  add: async (context) => {
    await obey(context);
    const request = context.world.worker?.request ?? 'none';
    return { interfaces: [], ips: [], routes: [], dns: { domain: `request-${request}.example` } };
  },
  check: async (context) => obey(context),
  del: async (context) => obey(context),
};

serveAsWorker({
  plugin: async (program) => (program === 'toy' ? toy : pluginOf(program)),
  tasks: {
    'toy/echo': (argument) => argument,
    'toy/fails': () => {
      throw new NetmoorError('pool-exhausted', 'no toys left', 'buy some');
    },
    'toy/dies': async () => die(),
  },
});
