/**
 * A client of the container runtime interface (k8s.io/cri-api runtime/v1, api.proto) as the kubelet is one: gRPC over
 * HTTP/2 over a unix socket.
 */
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { decodeMessage, encodeMessage } from './protobuf.ts';

const PROTOCOLS = { tcp: 0, udp: 1, sctp: 2 } as const;

export interface Sandbox {
  readonly name: string;
  readonly cgroupParent: string;
  readonly ports: readonly {
    readonly protocol: keyof typeof PROTOCOLS;
    readonly containerPort: number;
    readonly hostPort: number;
  }[];
}

export class CriClient {
  readonly #session: ClientHttp2Session;

  /** `socketPath` as this process sees it. */
  constructor(socketPath: string) {
    this.#session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socketPath) });
  }

  close(): void {
    this.#session.close();
  }

  /** Starts a pod's sandbox, its network included; returns its id. */
  async runPodSandbox(sandbox: Sandbox): Promise<string> {
    const config = encodeMessage({
      1: encodeMessage({ 1: sandbox.name, 2: `uid-${sandbox.name}`, 3: 'default', 4: 1 }),
      2: sandbox.name,
      5: sandbox.ports.map(({ protocol, containerPort, hostPort }) =>
        encodeMessage({ 1: PROTOCOLS[protocol], 2: containerPort, 3: hostPort }),
      ),
      8: encodeMessage({ 1: sandbox.cgroupParent }),
    });
    return firstText(await this.#call('RunPodSandbox', encodeMessage({ 1: config })), 1);
  }

  /** The sandbox's addresses as the kubelet gets them. */
  async podAddresses(id: string): Promise<string[]> {
    const response = decodeMessage(await this.#call('PodSandboxStatus', encodeMessage({ 1: id })));
    const status = decodeMessage(response.get(1)?.[0] ?? Buffer.alloc(0));
    const network = status.get(5)?.[0] ?? Buffer.alloc(0);
    const further = decodeMessage(network).get(2) ?? [];
    return [firstText(network, 1), ...further.map((address) => firstText(address, 1))];
  }

  async stopPodSandbox(id: string): Promise<void> {
    await this.#call('StopPodSandbox', encodeMessage({ 1: id }));
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.#call('RemovePodSandbox', encodeMessage({ 1: id }));
  }

  /** One unary call (gRPC over HTTP/2, "Requests"); throws with the server's message. */
  async #call(method: string, message: Buffer): Promise<Buffer> {
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': `/runtime.v1.RuntimeService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const status: { code?: unknown; words?: unknown } = {};
    const note = (headers: Readonly<Record<string, unknown>>) => {
      status.code ??= headers['grpc-status'];
      status.words ??= headers['grpc-message'];
    };
    stream.on('response', note);
    stream.on('trailers', note);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
    const body = Buffer.concat((await stream.toArray()) as Buffer[]);
    if (status.code !== '0') throw new Error(`${method}: ${decodeURIComponent(String(status.words))}`);
    return body.subarray(prefix.length);
  }
}

function firstText(message: Buffer, number: number): string {
  return decodeMessage(message).get(number)?.[0]?.toString('utf8') ?? '';
}
