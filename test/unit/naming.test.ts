/** What the tests use to ask for what a message names: it must not be content with less. */
import t from 'tap';
import { naming } from '../naming.ts';

t.test('all things, in any order, on any line', async (t) => {
  const text = 'host port 8080 is published already,\nfor web/c1/eth0 ("lan")';
  for (const things of [['8080'], ['web/c1/eth0', '8080'], ['"lan"'], ['c1'], []])
    t.match(text, naming(...things), things.join());
  t.notMatch(text, naming('8080', 'web/c2/eth0'), 'one is missing');
});

t.test('whole, and as they are', async (t) => {
  t.notMatch('10.0.0.10 is taken', naming('10.0.0.1'));
  t.notMatch('210.0.0.1 is taken', naming('10.0.0.1'));
  t.notMatch('10a0.0.1 is taken', naming('10.0.0.1'), 'a dot is a dot');
  t.match('10.0.0.1/24 is taken', naming('10.0.0.1'));
  t.match('ipam.ranges[0][0].subnet is missing', naming('ipam.ranges[0][0].subnet'));
  t.match('address -1', naming('-1'));
});
