/** What belongs to a macvlan or macvtap, as bytes and back (linux/if_link.h IFLA_MACVLAN_*). */
import { struct, u16, u32 } from './codec.ts';
import type { Decoded } from './codec.ts';
import {
  IFLA_MACVLAN_BC_QUEUE_LEN,
  IFLA_MACVLAN_FLAGS,
  IFLA_MACVLAN_MODE,
  MACVLAN_MODE_BRIDGE,
  MACVLAN_MODE_PASSTHRU,
  MACVLAN_MODE_PRIVATE,
  MACVLAN_MODE_VEPA,
} from './uapi.ts';

/**
 * Whom a macvlan reaches beside the world behind its master: nobody of the same master (private), the others through
 * the switch behind it (vepa), the others at once (bridge); or it is the only one and takes the master over (passthru).
 */
export type MacvlanMode = 'private' | 'vepa' | 'bridge' | 'passthru';

export const MACVLAN_MODES: Readonly<Record<MacvlanMode, number>> = {
  private: MACVLAN_MODE_PRIVATE,
  vepa: MACVLAN_MODE_VEPA,
  bridge: MACVLAN_MODE_BRIDGE,
  passthru: MACVLAN_MODE_PASSTHRU,
};

/** Of MACVLAN_MODE_*; undefined for "source", and for what a later kernel may have. */
export function modeOf(number: number | undefined): MacvlanMode | undefined {
  const modes = Object.keys(MACVLAN_MODES) as MacvlanMode[];
  return modes.find((mode) => MACVLAN_MODES[mode] === number);
}

/** In the order in which ip writes them. */
export const macvlanData = struct({
  bcQueueLength: u32(IFLA_MACVLAN_BC_QUEUE_LEN),
  mode: u32(IFLA_MACVLAN_MODE),
  flags: u16(IFLA_MACVLAN_FLAGS),
});
export type MacvlanData = Decoded<typeof macvlanData>;

/** Both kinds are described alike (drivers/net/macvlan.c, drivers/net/macvtap.c). */
export function isMacvlan(kind: string | undefined): boolean {
  return kind === 'macvlan' || kind === 'macvtap';
}
