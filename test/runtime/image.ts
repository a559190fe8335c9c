/**
 * An OCI image (image-spec 1.0, image-layout) of one layer, made from the busybox file system.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ROOTFS_TAR } from './rootfs.ts';
import type { Host } from '../kernel/harness.ts';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const LAYOUT = '/run/image';

function writeBlob(host: Host, kind: string, content: Buffer): Descriptor {
  const hash = createHash('sha256').update(content).digest('hex');
  host.write(`${LAYOUT}/blobs/sha256/${hash}`, content);
  return { mediaType: `application/vnd.oci.image.${kind}`, digest: `sha256:${hash}`, size: content.length };
}

/** Packs an image whose container does nothing until killed; returns the archive's path in the host. */
export async function makeImage(host: Host, reference: string): Promise<string> {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const layer = writeBlob(host, 'layer.v1.tar', readFileSync(host.path(ROOTFS_TAR)));
  const config = writeBlob(
    host,
    'config.v1+json',
    json({
      architecture: 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/bin/sleep', '1000000'] },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
    }),
  );
  const manifest = writeBlob(host, 'manifest.v1+json', json({ schemaVersion: 2, config, layers: [layer] }));
  const annotations = { 'io.containerd.image.name': reference };
  host.write(`${LAYOUT}/index.json`, json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  host.write(`${LAYOUT}/oci-layout`, json({ imageLayoutVersion: '1.0.0' }));
  await host.must(['tar', '-C', LAYOUT, '-cf', `${LAYOUT}.tar`, '.']);
  return `${LAYOUT}.tar`;
}
