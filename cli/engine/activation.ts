/** The socket that systemd hands over (sd_listen_fds(3)), and telling it how things are (sd_notify(3)). */
import { NetmoorError } from '../../lib/base/errors.ts';
import { closeOnExec } from '../../lib/system/descriptor.ts';
import { sendDatagram } from '../../lib/system/datagram.ts';
import { isListeningStream } from '../../lib/system/unix-stream.ts';

const FIRST_FD = 3;

/** Only the names given are looked at, and deleted: no program that we start shall take them for its own. */
function take(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = environment[name];
  delete environment[name];
  return value;
}

/** The descriptor of the listening socket; undefined when none was handed over. Throws 'bad-environment'. */
export function takeListener(environment: NodeJS.ProcessEnv): number | undefined {
  const pid = take(environment, 'LISTEN_PID');
  const count = take(environment, 'LISTEN_FDS');
  take(environment, 'LISTEN_FDNAMES');
  take(environment, 'LISTEN_PIDFDID');
  if (pid !== String(process.pid) || count === undefined) return undefined;
  if (count === '1' && isListeningStream(FIRST_FD)) {
    closeOnExec(FIRST_FD);
    return FIRST_FD;
  }
  throw new NetmoorError(
    'bad-environment',
    `LISTEN_FDS=${count}: the engine wants exactly one listening stream socket of the file system`,
    'see cli/engine/units/netmoor-engine.socket',
  );
}

export type Notify = (state: 'READY=1' | 'STOPPING=1') => void;

/** Tells the service manager, if there is one. A state that it does not get changes nothing for us. */
export function takeNotify(environment: NodeJS.ProcessEnv): Notify {
  const socket = take(environment, 'NOTIFY_SOCKET');
  return (state) => {
    if (!socket?.startsWith('/')) return;
    try {
      sendDatagram(socket, Buffer.from(state));
    } catch {
      // It will find out by itself.
    }
  };
}
