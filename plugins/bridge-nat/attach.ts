/** Plugging a container in: intent on disk, then the kernel, then the record made final. Whatever fails takes everything back. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { UndoStack } from '../../lib/base/undo.ts';
import { chooseDns } from '../../lib/cni/dns.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import type { Netns } from '../../lib/system/netns.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { BridgeNatConfig } from './config.ts';
import { connect } from './connect.ts';
import { detach, soleAttachment, teardownError } from './detach.ts';
import type { Host } from './detach.ts';
import { detailOf, rulesOf } from './detail.ts';
import { findUplink } from './forwarding.ts';
import { completeDelegated, recordIntent } from './intent.ts';
import { bridgeMacFor, ifbNameFor } from './names.ts';
import { resultOf } from './plan.ts';
import { openSandbox } from './sandbox.ts';
import { rulesOfOthers, takeOver, withStandby } from './standby.ts';

export interface AttachRequest {
  readonly key: AttachmentKey;
  readonly config: BridgeNatConfig;
  readonly bridge: string;
  readonly netns: Netns;
  readonly context: Context;
}

/** An attachment under this key that was never detached (a crash, a reboot, an impatient runtime) makes way for the new one. */
function clearPrevious(host: Host, key: AttachmentKey): AttachmentRecord | undefined {
  const previous = host.store.read((tx) => tx.attachment(key));
  if (previous === undefined) return undefined;
  const error = teardownError(key, detach(host, previous));
  if (error) throw error;
  return previous;
}

/** Makes the record final. A port it stood by for may have become free since: nobody could hand it over before. */
function finish(host: Host, attached: AttachmentRecord): AttachmentRecord {
  return host.store.write((tx) => {
    const record = withStandby(tx, attached);
    tx.putAttachment(record);
    if (record.ports.length > attached.ports.length) {
      addAttachment(host.netfilter, rulesOf(record), () => rulesOfOthers(tx, record, host));
    }
    return record;
  });
}

/** Takes back what was done and forgets the intent; what could not be taken back stays on record for GC. */
function rollBack(host: Host, record: AttachmentRecord, undo: UndoStack, cause: unknown): unknown {
  const failures = undo.run();
  try {
    host.store.write((tx) => {
      if (failures.length > 0) {
        tx.putAttachment({ ...record, state: 'detaching' });
        return;
      }
      tx.removeAttachment(record);
      takeOver(tx, host, record);
      const last = soleAttachment(tx, record).ofNetwork;
      if (last && tx.network(record.network)?.automatic === false) tx.removeNetwork(record.network);
    });
  } catch (error) {
    failures.push({ what: 'forget the intent', error });
  }
  if (failures.length === 0) return cause;
  const list = failures.map(({ what, error }) => `${what}: ${errorText(error)}`).join('; ');
  return new NetmoorError(
    'internal',
    `${errorText(cause)}; and taking it back failed: ${list}`,
    'run "netmoor gc"',
    { cause },
  );
}

/** Attaches a container; the result in the shape of CNI 1.1.0. Throws with nothing left behind. */
export async function attach(host: Host, request: AttachRequest): Promise<CniResult> {
  const { config, context, key, netns } = request;
  const sandbox = openSandbox(netns, key.ifname);
  try {
    const previous = clearPrevious(host, key);
    const mtu = config.mtu ?? findUplink(host.route)?.mtu;
    const intent = await recordIntent(host, request, mtu, previous);
    host.step('attach: intent recorded');
    const undo = new UndoStack();
    let current = intent;
    try {
      current = completeDelegated(host, request, intent, undo);
      host.step('attach: addresses leased');
      const { bridge, link } = await connect(host, request, sandbox, current.record, undo);
      const { worker: _finished, ...finished } = current.record;
      const record = finish(host, { ...finished, state: 'attached' });
      host.step('attach: recorded');
      undo.disarm();
      const links = {
        bridgeMac: bridge.mac ?? bridgeMacFor(bridge.name),
        hostMac: link.mac ?? '',
        mtu: link.mtu,
        ifb: detailOf(record).bandwidth?.egress ? findLink(host.route, ifbNameFor(record)) : undefined,
      };
      return resultOf(
        record,
        detailOf(record),
        links,
        chooseDns({
          runtime: context.config.runtimeConfig.dns,
          config: context.config.dns,
          ipam: current.dns,
        }),
      );
    } catch (error) {
      throw rollBack(host, current.record, undo, error);
    }
  } finally {
    sandbox.route.close();
  }
}
