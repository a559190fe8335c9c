/** What looking into another namespace takes for an answer, and what for a failure, over a made-up kernel. */
import { constants } from 'node:os';
import t from 'tap';
import { SystemError } from '../../lib/base/errors.ts';
import { findLink, listLinks } from '../../lib/netlink/link.ts';
import { linkMessage } from '../../lib/netlink/link-codec.ts';
import { removeLink } from '../../lib/netlink/link-removal.ts';
import { assignNsid, encodeNsid } from '../../lib/netlink/nsid.ts';
import type { NetlinkMessage, NetlinkSocket } from '../../lib/netlink/socket.ts';
import { RTM_GETNSID, RTM_NEWNSID } from '../../lib/netlink/uapi.ts';
import { FakeKernel, answer, done } from './netlink-fake-kernel.ts';
import type { Part } from './netlink-fake-kernel.ts';

const { EACCES, EEXIST, EINVAL, ENODEV, EPERM } = constants.errno;

const failing = (errno: number): NetlinkSocket => new FakeKernel(() => [[answer(errno)]]).socket();

function codeOf(fn: () => unknown): string | undefined {
  try {
    fn();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return undefined;
}

t.test('a namespace that is gone has no links', async (t) => {
  for (const errno of [EINVAL, ENODEV]) {
    t.equal(findLink(failing(errno), 'lo', { nsid: 3 }), undefined);
    t.equal(removeLink(failing(errno), 'lo', { nsid: 3 }), false);
  }
  t.strictSame(listLinks(new FakeKernel(() => [[done(EINVAL)]]).socket(), { nsid: 3 }), []);
});

t.test('other failures are told', async (t) => {
  const where = { nsid: 3 };
  t.equal(
    codeOf(() => findLink(failing(EACCES), 'lo', where)),
    'EACCES',
  );
  t.equal(
    codeOf(() => listLinks(failing(EACCES), where)),
    'EACCES',
  );
  t.equal(
    codeOf(() => removeLink(failing(EACCES), 'lo', where)),
    'EACCES',
  );
  t.equal(
    codeOf(() => findLink(failing(EINVAL), 'lo')),
    'EINVAL',
    'without an id',
  );
  t.equal(
    codeOf(() => listLinks(failing(EINVAL))),
    'EINVAL',
    'without an id',
  );
  t.equal(
    codeOf(() => removeLink(failing(EINVAL), 'lo')),
    'EINVAL',
    'without an id',
  );
});

t.test('the id goes with the request', async (t) => {
  const kernel = new FakeKernel(() => [[answer(ENODEV)]]);
  findLink(kernel.socket(), 'lo', { nsid: 3 });
  findLink(kernel.socket(), 'lo');
  const targets = kernel.requests.map(({ data }) => linkMessage.get(data).attributes.targetNsid);
  t.strictSame(targets, [3, undefined]);
});

/** A kernel that answers the assignment with an error, and then tells this id. */
function knowing(nsid: number, errno: number): FakeKernel {
  const told: Part = { type: RTM_NEWNSID, data: encodeNsid({ nsid }) };
  return new FakeKernel(({ type }: NetlinkMessage) =>
    type === RTM_GETNSID ? [[told], [answer()]] : [[answer(errno)]],
  );
}

t.test('who comes second takes what the first gave', async (t) => {
  t.equal(assignNsid(knowing(7, EEXIST).socket(), 5), 7);
  t.equal(assignNsid(knowing(7, 0).socket(), 5), 7);
  t.equal(
    codeOf(() => assignNsid(knowing(-1, EPERM).socket(), 5)),
    'EPERM',
  );
});
