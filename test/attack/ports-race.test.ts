/** Two processes that give away the same port of the host at once, in sets that the kernel does not compare. */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import { withHost, lacking } from '../kernel/harness.ts';
import { attachment, none, withNetfilter } from '../kernel/nftables-bed.ts';

const skip = lacking() ?? false;

const whole: AttachmentRules = {
  ...attachment('c1'),
  oneToOne: [{ public: parseAddress('203.0.113.9'), container: parseAddress('10.89.0.2') }],
};
const one = attachment('c2', { forwards: ['tcp 203.0.113.9 80 -> 10.89.0.3 80'] });
const single = attachment('c3', { forwards: ['tcp 8085 -> 10.89.0.4 80'] });
const range = attachment('c4', { forwards: ['tcp 8080+10 -> 10.89.0.5 8080'] });

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

for (const [what, mine, theirs] of [
  ['all of an address, and a port of it', whole, one],
  ['the other way round', one, whole],
  ['a port, and a range around it', single, range],
] as const)
  t.test(`between asking and adding: ${what}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await withNetfilter(host, async (other) => {
        await withNetfilter(host, async (nf) => {
          addAttachment(other, attachment('c0'), none);
          const send = nf.send.bind(nf);
          let raced = false;
          // The first of its transactions: all it asked has been answered by then.
          nf.send = (bytes, op): void => {
            if (!raced && op === 'add nftables elements' && Buffer.from(bytes).readUInt16LE(4) === 0x10) {
              raced = true;
              addAttachment(other, theirs, none);
            }
            send(bytes, op);
          };
          const error = thrownBy(() => addAttachment(nf, mine, none));
          t.match(error, { kind: 'port-taken' });
          t.ok(raced);
        });
      });
    });
  });
