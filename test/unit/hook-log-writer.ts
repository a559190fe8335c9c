/** Writes so many lines to a log: FILE COUNT. */
import { openLog } from '../../hooks/oci/log.ts';

const [, , file = '', count = '0'] = process.argv;
const log = openLog({ pid: process.pid, now: Date.now }, file);
for (let index = 0; index < Number(count); index++) log.write('info', `line ${index} ${'x'.repeat(80)}`);
