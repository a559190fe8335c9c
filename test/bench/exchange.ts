/**
 * What the rules cost packets: small TCP exchanges from the world outside with a container's published port, each with
 * a connection of its own, since it is the first packet of a connection that looks for its way through the rules.
 *
 * Client and server are Perl, as the spawner is: they cost less than what is to be measured.
 */
import { readFileSync } from 'node:fs';
import { world } from '../kernel/harness.ts';
import { hostPortOf } from './contender.ts';
import type { Contender } from './contender.ts';

/** Of one round. */
export interface Exchanges {
  readonly perSecond: number;
  /** Milliseconds that half of them, and 99 of 100, took no longer than: one client, one exchange after another. */
  readonly p50: number;
  readonly p99: number;
}

const SECONDS = 2;
const CROWD = 8;
const PROGRAM = readFileSync(new URL('exchange.pl', import.meta.url), 'utf8');

/** Answers at port 80 of the container until the host is closed. */
export async function serveIn({ host }: Contender, container: number): Promise<void> {
  const server = host.at(`/run/netns/c${container}`).start(['perl', '-e', PROGRAM, 'serve', '80']);
  await server.until(() => server.output === 'ready\n', 'server');
}

async function ask({ host }: Contender, container: number, workers: number): Promise<number[]> {
  const words = [world.host4, hostPortOf(container), workers, SECONDS].map(String);
  const answer = await host.outside.must(['perl', '-e', PROGRAM, 'ask', ...words]);
  const [count = 0, failures = 0, ...times] = answer.trim().split('\t').map(Number);
  if (count === 0 || failures > 0) throw new Error(`of ${count + failures} exchanges ${failures} failed`);
  return [count / SECONDS, ...times.map((microseconds) => microseconds / 1000)];
}

/** One round: a crowd of clients for how many there can be, then one for how long each takes. */
export async function exchangesWith(contender: Contender, container: number): Promise<Exchanges> {
  const [perSecond = 0] = await ask(contender, container, CROWD);
  const [, p50 = 0, p99 = 0] = await ask(contender, container, 1);
  return { perSecond, p50, p99 };
}
