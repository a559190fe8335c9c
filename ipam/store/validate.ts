/** Records against their schemas, compiled at build time. Off the hot path: only check.ts reads records this closely. */
import { validate as validateNetwork } from '../../schemas/compiled/network-record.js';
import { validate as validateAttachment } from '../../schemas/compiled/record.js';

interface SchemaError {
  readonly instancePath: string;
  readonly message?: string;
}

function explain(valid: boolean, errors: readonly SchemaError[] | null | undefined): string[] {
  if (valid) return [];
  const texts = (errors ?? []).map(({ instancePath, message }) =>
    `${instancePath} ${message ?? 'is not valid'}`.trim(),
  );
  return texts.length > 0 ? texts : ['is not valid'];
}

/** What is wrong with a stored attachment, in words; [] when it is an AttachmentRecord. */
export function attachmentErrors(record: unknown): string[] {
  return explain(validateAttachment(record), validateAttachment.errors);
}

/** What is wrong with a stored network, in words; [] when it is a NetworkRecord. */
export function networkErrors(record: unknown): string[] {
  return explain(validateNetwork(record), validateNetwork.errors);
}
