/** Small files on the real file system. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { files } from '../../lib/cni/files.ts';
import { naming } from '../naming.ts';

t.test('list', async (t) => {
  const dir = t.testdir({ b: '', a: '', sub: { c: '' } });
  symlinkSync('a', `${dir}/link`);
  t.strictSame(files.list(dir), ['a', 'b', 'link']);
  t.strictSame(files.list(`${dir}/none`), []);
  t.throws(() => files.list(`${dir}/a`), { code: 'ENOTDIR' });
});

t.test('read', async (t) => {
  const dir = t.testdir({ some: 'text', sub: {} });
  t.equal(String(files.read(`${dir}/some`)), 'text');
  t.equal(files.read(`${dir}/none`), undefined);
  t.throws(() => files.read(`${dir}/sub`), { kind: 'io', message: naming(`${dir}/sub`) });
  execFileSync('mkfifo', [`${dir}/fifo`]);
  t.throws(() => files.read(`${dir}/fifo`), { kind: 'io', message: naming(`${dir}/fifo`) }, 'not waited for');
  writeFileSync(`${dir}/large`, Buffer.alloc(4 * 1024 * 1024 + 1));
  t.throws(() => files.read(`${dir}/large`), { kind: 'io', message: naming(`${dir}/large`) });
});

t.test('write replaces, for root alone, and leaves nothing beside it', async (t) => {
  const dir = t.testdir({});
  const file = `${dir}/made/on/the/way/result`;
  files.write(file, Buffer.from('one'));
  files.write(file, Buffer.from('two'));
  t.equal(readFileSync(file, 'utf8'), 'two');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(`${dir}/made/on/the/way`).mode & 0o777, 0o700);
  t.equal(statSync(`${dir}/made/on`).mode & 0o777, 0o755, 'what is above it may be of use to others');
  t.strictSame(readdirSync(`${dir}/made/on/the/way`), ['result']);
});

t.test(
  'a draft that a killed process left is overwritten, and removed with the file; never followed',
  async (t) => {
    const dir = t.testdir({ '.result': 'half of a lon', victim: 'precious' });
    files.write(`${dir}/result`, Buffer.from('whole'));
    t.equal(readFileSync(`${dir}/result`, 'utf8'), 'whole');
    writeFileSync(`${dir}/.result`, 'half');
    files.remove(`${dir}/result`);
    files.remove(`${dir}/result`);
    t.strictSame(readdirSync(dir), ['victim']);
    symlinkSync('victim', `${dir}/.other`);
    t.throws(() => files.write(`${dir}/other`, Buffer.from('x')), { code: 'ELOOP' });
    t.equal(readFileSync(`${dir}/victim`, 'utf8'), 'precious');
  },
);

t.test('a file that cannot replace what is there fails and changes nothing', async (t) => {
  const dir = t.testdir({});
  mkdirSync(`${dir}/result/full`, { recursive: true });
  t.throws(() => files.write(`${dir}/result`, Buffer.from('x')), { code: /EISDIR|ENOTEMPTY/ });
  t.strictSame(readdirSync(`${dir}/result`), ['full']);
});
