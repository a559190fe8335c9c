/** The states of a DHCPv4 client in which it waits for a time, for the link, or for nothing. */
import { hostOf } from './data.ts';
import type { Bound, Checking, Data4, Init } from './data.ts';
import { FRESH, byTheClock, enterBound, enterDeclined, enterRebooting, enterSelecting } from './enter.ts';
import { duplicate, end, stay } from './handler.ts';
import type { Handlers } from './handler.ts';
import { timeOf } from './lease-times.ts';

export const init: Handlers<Init> = {
  message: stay,
  time: (turn, { refusals }) => enterSelecting(turn, { refusals }),
  uncertain: stay,
  release: (turn) => end(turn),
};

export const checking: Handlers<Checking> = {
  message: stay,
  checked(turn, { lease }, { taken }) {
    if (taken.includes(hostOf(lease))) return enterDeclined(turn, lease);
    if (turn.chance.now >= timeOf(lease, lease.validFor))
      return enterSelecting(turn, { ...FRESH, prefer: hostOf(lease) });
    return enterBound(turn, lease);
  },
  // The answer to the check is still to come, and comes from the link as it is now.
  uncertain: stay,
  release: (turn, { lease }) => end(turn, lease),
};

export const bound: Handlers<Bound> = {
  message: stay,
  time: (turn, { lease, renewAt }) => byTheClock(turn, lease, renewAt ?? Number.POSITIVE_INFINITY),
  duplicate,
  uncertain: (turn, { lease }) => enterRebooting(turn, hostOf(lease), lease),
  release: (turn, { lease }) => end(turn, lease),
};

/** Late answers, to requests and to checks. */
export const released: Handlers<Data4> = { message: stay, checked: stay };
