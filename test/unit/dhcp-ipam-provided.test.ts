/** Options to send, from the text of a configuration. */
import t from 'tap';
import { providedValue } from '../../plugins/dhcp-ipam/provided.ts';

const CASES: readonly (readonly [number, string, string | undefined])[] = [
  [60, 'netmoor', Buffer.from('netmoor').toString('hex')],
  [60, 'cafe', Buffer.from('cafe').toString('hex')],
  [60, '0xcafe', 'cafe'],
  [12, 'boat', Buffer.from('boat').toString('hex')],
  [61, 'boat', `00${Buffer.from('boat').toString('hex')}`],
  [42, '192.0.2.1, 192.0.2.2', 'c0000201c0000202'],
  [19, '1', '01'],
  [19, 'maybe', undefined],
  [42, 'nowhere', undefined],
];

for (const [code, text, hex] of CASES)
  t.equal(providedValue(code, text)?.toString('hex'), hex, `option ${code}: ${text}`);
