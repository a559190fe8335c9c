/** plugins/dhcp-ipam/resident/thrift.ts: how much of what neighbours say is logged. */
import t from 'tap';
import { Thrift } from '../../plugins/dhcp-ipam/resident/thrift.ts';

t.test('twenty lines a minute, and that there were more', async (t) => {
  const thrift = new Thrift();
  const passed = (from: number): (string | undefined)[] =>
    Array.from({ length: 1000 }, (_, index) => thrift.pass(`line ${index}`, from + index)).filter(Boolean);
  for (const from of [5, 60_005]) {
    const lines = passed(from);
    t.equal(lines.length, 21);
    t.equal(lines[19], 'line 19');
    t.match(lines[20], /not logged/);
  }
});
