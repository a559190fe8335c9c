/** Who asks and who answers: DUIDs as hexadecimal digits (RFC 9915, sections 21.2 and 21.3). */
import { duidBytes, duidDigits } from '../duid.ts';
import type { OptionType } from '../option.ts';

function identifier(code: number): OptionType<string> {
  return { code, put: duidBytes, get: duidDigits };
}

export const clientId = identifier(1);
export const serverId = identifier(2);
