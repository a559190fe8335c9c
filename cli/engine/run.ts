/** The engine as a process: where it gets its socket from, who is told that it listens, what ends it. */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { errorText } from '../../lib/base/errors.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { Environment } from '../../lib/cni/environment.ts';
import { closeOnExec } from '../../lib/system/descriptor.ts';
import { connectEngine } from '../../lib/engine/client.ts';
import { placesIn } from '../../lib/engine/places.ts';
import { VERSION, ownExecutable } from '../../lib/engine/request.ts';
import { takeListener, takeNotify } from './activation.ts';
import { Engine } from './engine.ts';
import { closeInherited } from './inherited.ts';
import { stderrLog, syslog } from './log.ts';
import type { Log } from './log.ts';
import { RESIDENTS } from './residents.ts';

/** Milliseconds. */
const KNOCK = 1_000;

export interface RunOptions {
  /** Seconds; undefined: it stays. */
  readonly idle: number | undefined;
  /** Where whoever starts it waits for one line: "ready", or what is wrong. */
  readonly readyFd: number | undefined;
  readonly environment: Environment;
}

/** Says the line, and that no more will come. */
function tell(readyFd: number | undefined, line: string): void {
  if (readyFd === undefined) return;
  try {
    writeSync(readyFd, `${line.replaceAll('\n', ' ')}\n`);
  } catch {
    // Whoever started it does not wait any more.
  }
  closeSync(readyFd);
}

/** systemd names the file that stderr is, if that is the journal (systemd.exec(5)). */
function isJournal(environment: Environment): boolean {
  const { dev, ino } = fstatSync(2, { bigint: true });
  return environment['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

async function started(options: RunOptions, log: Log): Promise<Engine | undefined> {
  const { idle, readyFd } = options;
  const listener = takeListener(process.env);
  const startedBy = listener !== undefined ? 'systemd' : readyFd !== undefined ? 'plugin' : 'command';
  return Engine.start({
    listener,
    startedBy,
    residents: RESIDENTS,
    log,
    // One that a plugin has started for its leases is not what launchers ask.
    ready: startedBy === 'plugin' ? 0 : 1,
    ...(idle === undefined ? {} : { idle: idle * 1000 }),
  });
}

/**
 * The same process goes on as the engine of another executable; where that cannot be run, of its own: leases have to be
 * prolonged. Returns when neither can.
 */
function becomeHeir(heir: string, idle: number | undefined): void {
  const args = ['netmoor', 'engine', ...(idle === undefined ? [] : ['--idle-exit', String(idle)])];
  const { executable = heir } = ownExecutable();
  for (const file of [heir, executable])
    try {
      process.execve?.(file, args, { PATH: process.env['PATH'] ?? '' });
    } catch {
      // Whoever needs an engine starts one.
    }
}

/** systemd starts the next one when somebody connects to its socket, for which leases cannot wait. */
function knock(): void {
  try {
    connectEngine(placesIn().socket, () => KNOCK).close();
  } catch {
    // Whoever connects next does it.
  }
}

/** Resolves when it has ended as it should. Throws when it cannot begin. */
export async function runEngine(options: RunOptions): Promise<void> {
  const { environment, readyFd, idle } = options;
  // What is to be read by nobody else is made so; plugins of others that it starts get what a service mostly has.
  process.umask(0o022);
  process.chdir('/');
  const { log, written } = readyFd === undefined ? stderrLog(isJournal(environment)) : syslog();
  const notify = takeNotify(process.env);
  let engine: Engine | undefined;
  try {
    if (process.geteuid?.() !== 0)
      throw new NetmoorError('privilege', 'the engine is for root', 'run it as root');
    if (readyFd !== undefined) {
      closeOnExec(readyFd);
      closeInherited([readyFd]);
    }
    engine = await started(options, log);
  } catch (error) {
    tell(readyFd, errorText(error));
    throw error;
  }
  tell(readyFd, 'ready');
  if (engine === undefined) {
    if (readyFd !== undefined) return;
    throw new NetmoorError('not-available', 'there is an engine already', '"netmoor engine status" names it');
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void engine.stop(signal));
  void engine.stopping.then(() => notify('STOPPING=1'));
  notify('READY=1');
  log('notice', `netmoor ${VERSION} listens`);
  await engine.ended;
  await written();
  if (engine.heir === undefined) return;
  if (engine.startedBy === 'systemd') knock();
  else becomeHeir(engine.heir, idle);
}
