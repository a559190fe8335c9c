/** What the elements in the kernel say of who is kept from whom: for making a lost record again. */
import { wordIn } from '../base/transport.ts';
import { describeKey } from './describe.ts';
import type { SetElement } from './element.ts';
import { fieldsOf, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import type { HostAccess } from './rules.ts';

export interface IsolationHeld {
  readonly apart: boolean;
  /** The bridges from which connections come in nevertheless. */
  readonly joined: readonly string[];
  readonly addressSpoofCheck: boolean;
  readonly noServers: boolean;
  readonly hostAccess: HostAccess | undefined;
}

function accessOf(of: (set: SetName) => SetElement[]): HostAccess {
  return {
    protocols: of('host_protocols').map(({ set, key }) => fieldsOf(setPlan(set).key, key)?.[1]?.[0] ?? 0),
    services: of('host_services').map(({ set, key, keyEnd = key }) => {
      const [first, last] = [key, keyEnd].map((bytes) => fieldsOf(setPlan(set).key, bytes) ?? []);
      return { protocol: first?.[1]?.[0] ?? 0, firstPort: wordIn(first?.[2]), lastPort: wordIn(last?.[2]) };
    }),
  };
}

/** Of the elements that bear an owner's comment, and those that bear its bridge's. */
export function isolationHeld(
  bridge: string,
  held: readonly SetElement[],
  shared: readonly SetElement[],
): IsolationHeld {
  const of = (set: SetName): SetElement[] => shared.filter((element) => element.set === set);
  const own = (set: SetName): boolean => held.some((element) => element.set === set);
  const from = of('joined').map((element) => describeKey(element).split(' . ')[0] ?? '');
  return {
    apart: of('apart').length > 0,
    joined: from.filter((name) => name !== bridge),
    addressSpoofCheck: own('bound'),
    noServers: own('containers'),
    hostAccess: of('host_guarded').length > 0 ? accessOf(of) : undefined,
  };
}
