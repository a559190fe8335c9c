/** Refusing what a configuration says. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';

export function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

/** Names the key of what cannot be read. */
export function reading<T>(key: string, work: () => T, advice: string): T {
  try {
    return work();
  } catch (error) {
    return refuse(`${key}: ${errorText(error)}`, advice);
  }
}
