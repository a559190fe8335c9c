/** Ports that a runtime asked a network for which does not publish any. */
import { NetmoorError } from '../../base/errors.ts';
import { readPortMappings } from '../port-mappings.ts';
import type { PortMapping } from '../port-mappings.ts';
import { readRuntimeConfig } from '../runtime-config.ts';
import type { CachedAttachment } from './cache.ts';
import { publishesPorts } from './publishing.ts';

/** What its runtime asked a network to publish that does not; what cannot be read asks for nothing. */
export function droppedPorts({ list, capabilities, network }: CachedAttachment): readonly PortMapping[] {
  if (list === undefined || publishesPorts(list)) return [];
  try {
    return readPortMappings(readRuntimeConfig(capabilities, network).portMappings);
  } catch (error) {
    if (error instanceof NetmoorError) return [];
    throw error;
  }
}
