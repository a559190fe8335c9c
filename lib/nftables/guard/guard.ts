import type { NetlinkSocket } from '../../netlink/socket.ts';
import type { MooredPort } from './port.ts';
export function guardPort(
  _nf: NetlinkSocket,
  _p: MooredPort,
  _o: () => readonly MooredPort[],
  _l?: (comment: string) => boolean,
): void {}
export function unguardPort(
  _nf: NetlinkSocket,
  _p: MooredPort,
  _l: { onMaster: boolean; ofAll: boolean },
): void {}
export function checkGuard(_nf: NetlinkSocket, _p: MooredPort): string[] {
  return [];
}
export function guardInside(_nf: NetlinkSocket, _p: MooredPort): void {}
export function unguardInside(_nf: NetlinkSocket, _p: MooredPort): void {}
export function removePortsOf(_nf: NetlinkSocket, _o: ReadonlySet<string>): void {}
export function admitHost(_nf: NetlinkSocket, _m: { name: string; index: number }, _mac: string): void {}
