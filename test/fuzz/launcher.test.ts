/**
 * The launcher's wire, from both ends: whatever the engine reads as a launcher's request it takes or refuses, and
 * whatever the launcher (under sanitizers) is answered, it prints an answer or does the work itself.
 */
import fc from 'fast-check';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import t from 'tap';
import { decodeLauncherRequest, encodeLauncherAnswer } from '../../lib/engine/launcher-frame.ts';
import { MalformedFrame } from '../../lib/engine/protocol.ts';
import { build } from '../unit/launcher-build.ts';
import { editedBytes } from './byte-edits.ts';
import { asking } from './properties.ts';

const texts = (...all: string[]): Buffer => Buffer.from(all.map((text) => `${text}\0`).join(''));

const REQUESTS = [
  texts(
    '0.1.0',
    'bridge-nat',
    '4:1',
    '4:2',
    '4:3',
    '4:4',
    '/x/netmoor',
    '0',
    '2',
    'CNI_COMMAND=ADD',
    'A=b=c',
  ),
  Buffer.concat([
    texts('0.1.0', 'netmoor-hook', '4:1', '4:2', '4:3', '4:4', '/x/netmoor', '1', 'poststop', '0'),
    Buffer.from('{"id":"x"}'),
  ]),
];

t.test('requests', (t) => {
  const counted = { read: 0, refused: 0 };
  const taken = fc.property(editedBytes(REQUESTS), (data) => {
    try {
      const { stdin, args } = decodeLauncherRequest(data);
      counted.read++;
      return stdin.length <= data.length && args.length <= data.length;
    } catch (error) {
      counted.refused++;
      return error instanceof MalformedFrame;
    }
  });
  fc.assert(taken, asking(5000));
  t.ok(counted.read > 0 && counted.refused > 0, JSON.stringify(counted));
  t.end();
});

t.test('answers', async (t) => {
  const ship = build(t);
  const state: { answer: Uint8Array } = { answer: Buffer.alloc(0) };
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(state.answer));
  });
  await new Promise<void>((resolve) => server.listen(ship.socket, resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const seeds = [
    Buffer.concat([
      Buffer.from('T'),
      encodeLauncherAnswer({ exitCode: 0, stdout: 'result', stderr: 'note' }),
    ]),
    Buffer.concat([Buffer.from('T'), encodeLauncherAnswer({ exitCode: 1, stdout: '{}', stderr: '' })]),
    Buffer.from('R'),
  ];
  const counted = { answered: 0, alone: 0 };
  const sound = fc.asyncProperty(editedBytes(seeds), async (answer) => {
    state.answer = answer;
    const { code, stdout, stderr } = await ship.run('bridge-nat', {
      env: { CNI_COMMAND: 'ADD' },
      input: 'config',
    });
    if (stdout === 'alone \nconfig' && code === 7) {
      counted.alone++;
      return true;
    }
    counted.answered++;
    // Answered: it was taken, and all that its head announces was there.
    return answer[0] === 'T'.charCodeAt(0) && code === answer[1] && !stderr.includes('Sanitizer');
  });
  await fc.assert(sound, asking(200));
  t.ok(counted.answered > 0 && counted.alone > 0, JSON.stringify(counted));
});
