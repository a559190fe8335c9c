/**
 * One of the processes that race in nftables-table.test.ts: NETNS ID. Attaches at the first line it reads, detaches at
 * the second.
 */
import { readSync } from 'node:fs';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import { inNetns, openNetns } from '../../lib/system/netns.ts';
import { attachment, none } from './nftables-bed.ts';

const [path = '', id = ''] = process.argv.slice(2);
const nf = inNetns(openNetns(path), () => NetlinkSocket.open('netfilter'));
const rules = attachment(`c${id}`, {
  addresses: [`10.89.0.${id}`],
  forwards: [`tcp ${8000 + Number(id)} -> 10.89.0.${id} 80`],
});

/** Says what has been done, and waits for the word to go on. */
function turn(done: string): void {
  process.stdout.write(`${done}\n`);
  readSync(0, Buffer.alloc(1));
}

turn('ready');
addAttachment(nf, rules, none);
turn('added');
removeAttachment(nf, rules, { ofNetwork: false, onBridge: false, ofAll: false });
