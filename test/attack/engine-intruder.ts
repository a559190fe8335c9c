/**
 * Root in a container that has been given the engine's socket, which is root for the kernel: says of itself that it is
 * where the engine is, and asks for what would serve it. Prints what it is told, as JSON. `$1`: the namespaces that it
 * claims, as JSON; `$2`: a program that it would like to see run.
 */
import { connect } from 'node:net';
import { ENGINE_SOCKET, HEADER_BYTES, decodeAnswer, encodeFrame } from '../../lib/engine/protocol.ts';
import type { EngineRequest } from '../../lib/engine/protocol.ts';
import { orderRequest, pluginRequest } from '../../lib/engine/request.ts';
import { launcherFrame } from '../kernel/launcher-request.ts';

const LATER = '99.0.0';

const namespaces = JSON.parse(process.argv[2] ?? '');
const executable = process.argv[3] ?? '';
const config = { cniVersion: '1.1.0', name: 'harbour', type: 'bridge-nat' };
const call = {
  program: 'bridge-nat',
  environment: {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_IFNAME: 'eth0',
    CNI_NETNS: '/run/netns/c1',
    CNI_PATH: '/nowhere',
  },
  stdin: JSON.stringify(config),
};

async function told(bytes: Buffer): Promise<Buffer> {
  const socket = connect(ENGINE_SOCKET);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks);
}

async function ask(request: EngineRequest): Promise<unknown> {
  const answer = await told(encodeFrame(request));
  return answer.length === 0 ? null : decodeAnswer(answer.subarray(HEADER_BYTES));
}

const { netns, mntns } = namespaces;
const plugin = {
  ...pluginRequest({ ...call, stdin: Buffer.from(call.stdin), deadline: 5000 }),
  netns,
  mntns,
  executable,
};
const answers = {
  plugin: await ask(plugin),
  later: await ask({ ...plugin, version: LATER }),
  launcher: (await told(launcherFrame(call, { namespaces, executable }))).toString('latin1'),
  laterLauncher: (await told(launcherFrame(call, { namespaces, executable, version: LATER }))).toString(
    'latin1',
  ),
  stop: await ask(orderRequest('stop')),
};
process.stdout.write(JSON.stringify(answers));
