/**
 * The engine: one process that answers for the plugins of a host. Its main loop waits for nothing; what has to wait is
 * done in threads.
 */
import { watch } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FSWatcher } from 'node:fs';
import { errorText } from '../../lib/base/errors.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import type { MakeResident, Resident, ResidentHost } from '../../lib/cni/resident.ts';
import { placesIn } from '../../lib/engine/places.ts';
import type { EnginePlaces } from '../../lib/engine/places.ts';
import { PROTOCOL, refusal } from '../../lib/engine/protocol.ts';
import type { EngineAnswer, OrderRequest } from '../../lib/engine/protocol.ts';
import { VERSION, isNewer } from '../../lib/engine/request.ts';
import { openReactor } from '../../lib/system/reactor.ts';
import { forgetEarlier } from '../../lib/system/worker.ts';
import type { Answer } from '../../lib/cni/dispatch.ts';
import { notFromHere, otherVersion } from './admission.ts';
import { callOf, callOfLauncher, isLaunched } from './call.ts';
import type { Call, Caller } from './call.ts';
import { ownPlace } from './client.ts';
import type { Client } from './client.ts';
import type { Asked, Limits } from './connection.ts';
import { noCounts } from './counts.ts';
import { Frugality } from './frugality.ts';
import { isOurs } from './heir.ts';
import { openLanes } from './lanes.ts';
import type { LaneOptions, Lanes } from './lanes.ts';
import { laneOf } from './programs.ts';
import type { Lane } from './programs.ts';
import { reportOf } from './report.ts';
import type { EngineFacts } from './report.ts';
import { Requests, restored } from './requests.ts';
import { Seat } from './seat.ts';
import { EngineServer } from './server.ts';
import { compileEarly } from './tiering.ts';
import type { Log } from './log.ts';

/** Milliseconds that requests have to come to their end when the engine stops; systemd would kill it after 90 s. */
const STOP = 60_000;

/** Milliseconds for those that nobody waits for any more. */
const LAST = 20_000;

/** Milliseconds for a resident to stop. */
const LEAVE = 5_000;

export interface EngineOptions extends LaneOptions {
  readonly places?: EnginePlaces;
  /** A listening socket that was handed over. */
  readonly listener?: number | undefined;
  readonly startedBy: EngineFacts['startedBy'];
  /** Milliseconds after which it ends when nobody needs it; absent: never. */
  readonly idle?: number | undefined;
  readonly residents: readonly MakeResident[];
  readonly log: Log;
  readonly limits?: Limits;
  readonly laneOf?: (program: string) => Lane | undefined;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #seat: Seat;
  readonly #lanes: Lanes;
  readonly #residents: readonly Resident[];
  readonly #requests: Requests;
  readonly #counts = noCounts();
  readonly #frugality = new Frugality();
  readonly #reactor = openReactor();
  readonly #place = ownPlace();
  readonly #since = new Date();
  readonly #ended = Promise.withResolvers<void>();
  readonly #begunToStop = Promise.withResolvers<void>();
  #server: EngineServer | undefined;
  #watcher: FSWatcher | undefined;
  #idle: NodeJS.Timeout | undefined;
  #stopping = false;
  #heir: string | undefined;

  private constructor(options: EngineOptions, seat: Seat) {
    this.#options = options;
    this.#seat = seat;
    this.#lanes = openLanes(options, () => this.#frugality.tidy());
    const world = realWorld();
    const host: ResidentHost = {
      world,
      reactor: this.#reactor,
      log: options.log,
      runTask: async (name, argument) => this.#task(name, argument),
    };
    this.#residents = options.residents.map((make) => make(host));
    this.#requests = new Requests({
      namespaces: this.#place,
      lanes: this.#lanes,
      laneOf: options.laneOf ?? laneOf,
      residents: new Map(this.#residents.flatMap(({ plugins }) => [...plugins])),
      world,
      counts: this.#counts,
      // Whoever asked has his answer first.
      done: (...outcome) => void setImmediate(() => this.#done(...outcome)),
    });
  }

  /**
   * Resolves when it listens; undefined when there is one already. Blocks while another begins or ends. Throws
   * EngineError 'hostile', what a resident throws, Node's errors.
   */
  static async start(options: EngineOptions): Promise<Engine | undefined> {
    const places = options.places ?? placesIn();
    const seat = Seat.take(places, options.listener !== undefined);
    if (seat === undefined) return undefined;
    let engine: Engine | undefined;
    try {
      forgetEarlier();
      engine = new Engine(options, seat);
      compileEarly();
      for (const resident of engine.#residents) await resident.start();
      await engine.#listen(options.listener ?? seat.listen(), places);
      seat.begun();
      return engine;
    } catch (error) {
      if (engine !== undefined) engine.#reactor.close();
      seat.begun();
      seat.vacate();
      seat.leave();
      throw error;
    }
  }

  /** Resolves when it begins to stop. */
  get stopping(): Promise<void> {
    return this.#begunToStop.promise;
  }

  /** Resolves when it has stopped. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get startedBy(): EngineFacts['startedBy'] {
    return this.#options.startedBy;
  }

  /** The executable of a later version, to be run in its place when it has stopped. */
  get heir(): string | undefined {
    return this.#heir;
  }

  async #listen(fd: number, { directory }: EnginePlaces): Promise<void> {
    const { log, limits } = this.#options;
    this.#server = await EngineServer.listen(fd, {
      handle: async (asked, caller, client) => this.#handle(asked, caller, client),
      reactor: this.#reactor,
      turnedAway: (why) => {
        this.#counts.refused += 1;
        log('warning', `refused: ${why}`);
      },
      ...(limits === undefined ? {} : { limits }),
    });
    this.#watch(directory);
    this.#rest();
  }

  /** Where nothing can be watched (inotify(7) has limits), an engine whose socket is gone stays until it is ended. */
  #watch(directory: string): void {
    const failed = (error: unknown): void =>
      this.#options.log('warning', `${directory} cannot be watched: ${errorText(error)}`);
    try {
      this.#watcher = watch(directory, () => {
        if (!this.#seat.found) void this.stop('its socket is gone');
      });
      this.#watcher.on('error', failed);
    } catch (error) {
      failed(error);
    }
  }

  async #handle(asked: Asked, caller: Caller, client: Client): Promise<EngineAnswer | undefined> {
    try {
      if ('otherProtocol' in asked)
        return otherVersion(`one that speaks protocol ${asked.otherProtocol}, not ${PROTOCOL}`);
      if ('launched' in asked)
        return await this.#answer(callOfLauncher(asked.launched, asked.netns), caller, client);
      const { request } = asked;
      return request.kind === 'plugin'
        ? await this.#answer(callOf(request), caller, client)
        : await this.#obey(request, client);
    } catch (error) {
      // Nothing that a request does may end up here.
      if ('launched' in asked) asked.netns?.release();
      this.#options.log('error', `a defect: ${error instanceof Error ? error.stack : errorText(error)}`);
      return { exitCode: 1, stdout: '', stderr: `${errorText(error)}\n` };
    }
  }

  async #answer(call: Call, caller: Caller, client: Client): Promise<EngineAnswer | undefined> {
    const refused = this.#notNow(call, client);
    if (refused !== undefined) {
      call.netns?.release();
      return refused;
    }
    clearTimeout(this.#idle);
    try {
      return await this.#requests.answer(call, caller);
    } finally {
      this.#rest();
    }
  }

  /** Undefined for a call that this engine looks at. */
  #notNow(call: Call, client: Client): EngineAnswer | undefined {
    if (this.#stopping) return refusal('stopping', 'the engine is stopping', 'try again');
    const stranger = notFromHere(client.place(), this.#place, isLaunched(call) ? 'launcher' : 'plugin');
    if (stranger !== undefined) this.#counts.refused += 1;
    if (stranger !== undefined || !isNewer(call.version, VERSION)) return stranger;
    return this.#handOver(call);
  }

  /** A later version is there to take over: what it does not find in the store it does not need. */
  #handOver({ version, executable }: Pick<Call, 'version' | 'executable'>): EngineAnswer {
    if (executable !== undefined && isOurs(executable)) this.#heir = executable;
    void this.stop(`netmoor ${version} takes over`);
    return refusal('stopping', `the engine, netmoor ${VERSION}, makes way for ${version}`, 'try again');
  }

  async #obey({ kind }: OrderRequest, client: Client): Promise<EngineAnswer> {
    if (kind === 'status') return { report: await this.report() };
    const stranger = notFromHere(client.place(), this.#place, 'stop');
    if (stranger !== undefined) return stranger;
    void this.stop('it was told to');
    return { stopping: process.pid };
  }

  async #task(
    name: string,
    argument: Parameters<ResidentHost['runTask']>[1],
  ): ReturnType<ResidentHost['runTask']> {
    const outcome = await this.#lanes.inner.run({ is: 'task', name, argument });
    if ('value' in outcome) return outcome.value;
    if ('error' in outcome) throw restored(outcome.error);
    throw new TypeError('a thread answered something else than it was asked for');
  }

  #done({ program, environment }: Call, { exitCode, stdout, stderr }: Answer, milliseconds: number): void {
    const { log } = this.#options;
    const ids = [environment['CNI_CONTAINERID'], environment['CNI_IFNAME']].filter((id) => id).join(' ');
    const what = `${program} ${environment['CNI_COMMAND'] ?? ''} ${ids}`.trim();
    this.#frugality.look();
    const took = `${milliseconds.toFixed(1)} ms`;
    if (exitCode === 0) log('info', `${what}: done in ${took}`);
    else log('warning', `${what}: failed in ${took}: ${stdout || stderr}`);
  }

  /** From now on, unless somebody needs it. */
  #rest(): void {
    const { idle } = this.#options;
    clearTimeout(this.#idle);
    if (idle === undefined || this.#stopping) return;
    this.#idle = setTimeout(() => (this.#busy() ? this.#rest() : void this.stop('nobody needs it')), idle);
  }

  #busy(): boolean {
    const { running, waiting } = this.#counts;
    return running + waiting > 0 || this.#residents.some((resident) => resident.busy());
  }

  async report(): Promise<ReturnType<typeof reportOf>> {
    const { places = placesIn(), startedBy, idle } = this.#options;
    const held = await Promise.all(this.#residents.map(async (resident) => resident.status()));
    return reportOf({
      socket: places.socket,
      since: this.#since,
      startedBy,
      idle,
      stopping: this.#stopping,
      held,
      counts: this.#counts,
      connections: this.#server?.connections ?? 0,
      threads: { plugins: this.#lanes.main.size, tasks: this.#lanes.inner.size },
    });
  }

  async #stopResidents(): Promise<void> {
    for (const resident of this.#residents) {
      try {
        const late = pause(LEAVE, undefined, { ref: false }).then(() =>
          Promise.reject(new Error('it takes too long')),
        );
        await Promise.race([resident.stop(), late]);
      } catch (error) {
        this.#options.log('error', `a resident did not stop: ${errorText(error)}`);
      }
    }
  }

  /** Takes no more requests, lets those under way come to their end, and ends. */
  async stop(why: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#begunToStop.resolve();
    const { log } = this.#options;
    log('notice', `stopping: ${why}`);
    clearTimeout(this.#idle);
    this.#watcher?.close();
    this.#seat.vacate();
    // Nobody finds the socket any more: who is waiting there already is taken in, and told so.
    if (this.#options.listener === undefined) for (let turn = 0; turn < 3; turn++) await nextTurn();
    await this.#server?.close(STOP);
    // Requests whose callers have gone.
    const threads = Object.values(this.#lanes).map(async (pool) => pool.drained());
    await Promise.race([Promise.all(threads), pause(LAST, undefined, { ref: false })]);
    // What is logged after an answer.
    await nextTurn();
    await this.#stopResidents();
    this.#frugality.end();
    this.#reactor.close();
    for (const pool of Object.values(this.#lanes)) pool.stop();
    this.#seat.leave();
    log('notice', 'stopped');
    this.#ended.resolve();
  }
}
