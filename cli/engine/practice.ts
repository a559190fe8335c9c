/**
 * What a thread is to do often it does some dozen times before anybody asks: V8 compiles to machine code what has run
 * often, and until then an ADD takes twice the time. On a host of its own, a network and mount namespace that vanish
 * with it, and only while nobody waits.
 */
import { closeSync, openSync, mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { dispatch } from '../../lib/cni/dispatch.ts';
import type { World } from '../../lib/cni/world.ts';
import { closeNetns, inNewNetns, ownNetns } from '../../lib/system/netns.ts';
import {
  CLONE_NEWNET,
  CLONE_NEWNS,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_REC,
  MS_SLAVE,
  mount,
  setns,
  unshare,
} from '../../lib/system/syscall.ts';
import { KINDS } from '../../plugins/kinds.ts';
import rehearsal from '../../plugins/bridge-nat/rehearsal.json' with { type: 'json' };

const ROUNDS = Number(process.getBuiltinModule('node:fs').readFileSync('/tmp/rounds', 'utf8'));
const CLONE_FS = 0x200;

function enter(): () => void {
  const homes = ['net', 'mnt'].map((name) => openSync(`/proc/thread-self/ns/${name}`, 'r'));
  unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWNET, 'a host to practise on');
  const back = (): void => {
    for (const fd of homes) {
      setns(fd, 0, 'return from practice');
      closeSync(fd);
    }
  };
  try {
    mount('', '/', MS_SLAVE | MS_REC, 'keep mounts to itself');
    mount('none', '/run', MS_NOSUID | MS_NODEV | MS_NOEXEC, 'a /run to practise on', 'tmpfs');
    mkdirSync('/run/netmoor');
  } catch (error) {
    back();
    throw error;
  }
  return back;
}

export class Practice {
  #wanted = true;
  #ended: Promise<void> = Promise.resolve();

  begin(worldFor: () => World): void {
    this.#ended = this.#run(worldFor());
  }

  async end(): Promise<void> {
    this.#wanted = false;
    await this.#ended;
  }

  async #run(world: World): Promise<void> {
    await pause(200, undefined, { ref: false });
    if (!this.#wanted) return;
    const listed = await KINDS.get('bridge-nat')?.();
    if (listed === undefined) return;
    const back = enter();
    try {
      const own = { ...world, storeDirectory: '/run/store' };
      const containers = [0, 1].map(() => inNewNetns(ownNetns));
      try {
        const call = async (command: string, number: number): Promise<boolean> => {
          if (!this.#wanted) return false;
          const netns = containers[number];
          const config = {
            ...rehearsal,
            runtimeConfig: {
              portMappings: rehearsal.runtimeConfig.portMappings.map((each) => ({ ...each, hostPort: each.hostPort + number })),
            },
          };
          const answer = await dispatch(
            listed.plugin,
            {
              environment: {
                CNI_COMMAND: command,
                CNI_CONTAINERID: `rehearsal-${number}`,
                CNI_NETNS: `/proc/self/fd/${netns?.fd}`,
                CNI_IFNAME: 'eth0',
                CNI_PATH: '/run',
              },
              readStdin: () => Buffer.from(JSON.stringify(config)),
            },
            own,
          );
          if (answer.exitCode !== 0) throw new Error(answer.stdout);
          return true;
        };
        await call('ADD', 0);
        for (let round = 0; round < ROUNDS; round++)
          for (const command of ['ADD', 'DEL']) await call(command, 1);
        await call('DEL', 0);
      } finally {
        for (const netns of containers) closeNetns(netns);
      }
    } catch (error) {
      process.getBuiltinModule('node:fs').appendFileSync('/tmp/practice.log', `${String((error as Error).stack)}\n`);
    } finally {
      back();
    }
  }
}
