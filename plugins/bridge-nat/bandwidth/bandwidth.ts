/**
 * Bandwidth limits as they are asked for: the keys and rules of the reference bandwidth plugin, or of the capability
 * `bandwidth`.
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { Bandwidth } from '../../../lib/cni/runtime-config.ts';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';

/** By direction as the container sees it; one that is absent is not limited. */
export type BandwidthLimits = NonNullable<BridgeNatDetail['bandwidth']>;

/** Bits per second, and how many bits may pass at once after a pause. */
export type Limit = NonNullable<BandwidthLimits['ingress']>;

const KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const;
const BITS_PER_BYTE = 8;
/** The kernel counts the bytes of a burst in 32 bits. */
const BURST_END = 0xffffffff * BITS_PER_BYTE;
/** The reference reads rates as 64 bits; the largest of them, as a number of JavaScript. */
const RATE_MAX = 2 ** 64;

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

function readLimit(direction: 'ingress' | 'egress', rate = 0, burst = 0): Limit | undefined {
  const rateKey = `${direction}Rate`;
  const burstKey = `${direction}Burst`;
  if (rate === 0 && burst === 0) return undefined;
  if (burst === 0) refuse(`${rateKey} is given without ${burstKey}`, `add ${burstKey}, in bits`);
  if (rate === 0)
    refuse(`${burstKey} is given without ${rateKey}`, `add ${rateKey}, in bits per second, or remove both`);
  if (rate < BITS_PER_BYTE) refuse(`${rateKey}: ${rate} bit/s is less than a byte per second`, 'raise it');
  if (rate > RATE_MAX) refuse(`${rateKey}: ${rate} bit/s do not fit in 64 bits`, 'lower it, or remove both');
  if (burst >= BURST_END) refuse(`${burstKey}: ${burst} bits are 4 GB or more`, 'lower it');
  return { rate, burst };
}

/**
 * The limits of `config`, or when that has none of the keys, those that the runtime asks for; undefined when neither
 * wants any. Throws NetmoorError('bad-config').
 */
export function readBandwidth(config: Bandwidth, runtime: Bandwidth = {}): BandwidthLimits | undefined {
  const wanted = KEYS.some((key) => config[key] !== undefined) ? config : runtime;
  const ingress = readLimit('ingress', wanted.ingressRate, wanted.ingressBurst);
  const egress = readLimit('egress', wanted.egressRate, wanted.egressBurst);
  if (ingress === undefined && egress === undefined) return undefined;
  return { ...(ingress ? { ingress } : {}), ...(egress ? { egress } : {}) };
}
