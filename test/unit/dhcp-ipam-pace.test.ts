/** Once in a while, and not forgotten. */
import t from 'tap';
import { Pace } from '../../plugins/dhcp-ipam/resident/pace.ts';

t.test('at once, then as soon as it may be', async (t) => {
  const alarms: { at: number; ring: () => void; cancelled: boolean }[] = [];
  let now = 0;
  const reactor = {
    now: () => now,
    at(at: number, ring: () => void) {
      const alarm = { at, ring, cancelled: false };
      alarms.push(alarm);
      const cancel = (): void => {
        alarm.cancelled = true;
      };
      return { cancel };
    },
  };
  const pass = (to: number): void => {
    now = to;
    for (const { ring } of alarms.splice(0, alarms.length).filter(({ at }) => at <= to)) ring();
  };
  const done: string[] = [];
  const pace = new Pace(reactor, 10, (name) => done.push(`${name} ${now}`));
  pace.ask('br');
  pace.ask('br');
  pace.ask('br');
  pace.ask('lan0');
  t.same(done, ['br 0', 'lan0 0']);
  pass(10);
  t.same(done, ['br 0', 'lan0 0', 'br 10'], 'all that was asked meanwhile is one');
  pass(20);
  t.same(done.length, 3);
  pace.ask('br');
  t.same(done.at(-1), 'br 20');
  pace.close();
  t.ok(alarms.every(({ cancelled }) => cancelled));
});
