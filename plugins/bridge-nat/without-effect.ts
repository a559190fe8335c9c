/**
 * Keys of the reference's plugins that are understood, and change nothing here. Whoever wrote them is told so, at ADD,
 * on stderr: silence would have him believe that they work.
 */
import type { BridgeNatInput } from '../../schemas/compiled/bridge-nat.js';

type Value = string | number | boolean | undefined;

/** What to say of a value; undefined: nothing, it asks for what is done anyway. */
const NOTES: Readonly<Partial<Record<keyof BridgeNatInput, (value: Value) => string | undefined>>> = {
  ipMasqBackend: (value) =>
    value === 'nftables' ? undefined : 'masquerading is always done by nftables, in the table inet netmoor',
  backend: (value) =>
    value === '' || value === 'nftables'
      ? undefined
      : 'rules are always those of nftables, in the table inet netmoor',
  firewalldZone: () =>
    'forwarding is accepted where firewalld would drop it; for services of the host itself, add the bridge to a zone ' +
    '(firewall-cmd --zone=ZONE --add-interface=BRIDGE)',
  iptablesAdminChainName: () =>
    'no rule leads to that chain; what is to be dropped belongs into a table of your own, whose drops are final',
};

/** A line for each, in the config's own order. */
export function notesOf(input: BridgeNatInput): string[] {
  return Object.entries(input).flatMap(([key, value]) => {
    const note = NOTES[key as keyof BridgeNatInput]?.(value as Value);
    return note === undefined ? [] : [`"${key}" has no effect: ${note}`];
  });
}
