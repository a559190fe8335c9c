/** Prints what a lease store holds, and what its self-check has to say: `store-contents.ts DIRECTORY`. */
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';

const store = openStore({ dir: process.argv[2] ?? '', bootId: 'reader', hostId: '', now: Date.now });
const contents = store.read((reader) => ({
  attachments: reader.attachments(),
  networks: reader.networks(),
  problems: checkStore(reader),
}));
process.stdout.write(JSON.stringify(contents));
