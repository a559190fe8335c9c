/** What was written for the reference's plugins: keys that are empty, and those that have no place here. */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';

/** To plugins written in Go an empty text is a key that is not given. */
const TEXTS = ['ingressPolicy', 'ipMasqBackend', 'firewalldZone', 'iptablesAdminChainName'];

const BEHIND =
  'leave the plugin "bandwidth" behind this one in the list, with its rates and its capability, and none of them here';

/** What to do about keys of absorbed plugins that nobody reads here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  shapedSubnets: BEHIND,
  unshapedSubnets: BEHIND,
  dataDir:
    'take it out: what tuning kept there is in the record here; the store\'s directory is "ipam.dataDir"',
};

/** Without what is empty. Throws NetmoorError('unsupported-field') for a key whose work is not done here. */
export function fromAbsorbed(raw: JsonObject): JsonObject {
  const key = Object.keys(ELSEWHERE).find((each) => Object.hasOwn(raw, each));
  if (key !== undefined)
    throw new NetmoorError('unsupported-field', `unknown key ${key}: ${quote(raw[key])}`, ELSEWHERE[key]);
  if (TEXTS.every((each) => raw[each] !== '')) return raw;
  const given = Object.entries(raw).filter(([each, value]) => value !== '' || !TEXTS.includes(each));
  return Object.fromEntries(given);
}
