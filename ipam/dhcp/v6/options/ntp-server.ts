/** Time servers (RFC 5908, section 4): addresses, multicast addresses and names. */
import { DecodeError } from '../../decode-error.ts';
import { get6, put6 } from '../addresses.ts';
import { nameBytes, wholeName } from '../names.ts';
import { sized } from '../option.ts';
import type { OptionType } from '../option.ts';
import { Budget, informs, optionSet } from '../option-set.ts';
import type { Values } from '../option-set.ts';

function address(code: number): OptionType<string> {
  return { code, put: put6, get: (data) => get6(sized(data, 16, 'a time server')) };
}

const name: OptionType<string> = {
  code: 3,
  put: (value) => Buffer.concat([nameBytes(value), Buffer.alloc(1)]),
  get: wholeName,
};

/** Section 4: an option has exactly one suboption; several servers are several options. */
const suboptions = optionSet({
  server: informs(address(1)),
  multicast: informs(address(2)),
  name: informs(name),
});

export type NtpServer = Values<typeof suboptions>;

/** A time source is one suboption; some have vendor's ones beside it. */
const SUBOPTIONS = 8;

export const ntpServer: OptionType<NtpServer> = {
  code: 56,
  put: suboptions.put,
  get(data) {
    const server = suboptions.get(data, new Budget(SUBOPTIONS));
    if (Object.keys(server).length === 0) throw new DecodeError('no time server');
    return server;
  },
};
