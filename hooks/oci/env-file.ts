/**
 * Variables for flags, from files in the syntax of systemd's EnvironmentFile= (systemd.exec(5)), so that a unit
 * template and the hook of its bundle read the same file. The process environment is never looked at: what a hook
 * inherits is the runtime's.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { quote } from '../../lib/cni/quote.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function unquoted(raw: string): string | undefined {
  const value = raw.trim();
  const mark = value[0];
  if (mark !== '"' && mark !== "'") return value.replaceAll(/\\(.)/g, '$1');
  if (value.length < 2 || !value.endsWith(mark)) return undefined;
  const inside = value.slice(1, -1);
  return mark === "'" ? inside : inside.replaceAll(/\\(["\\$`])/g, '$1');
}

/**
 * Reads NAME=VALUE lines; lines that begin with "#" or ";" and empty ones do not count. Throws
 * NetmoorError('bad-config').
 */
export function parseEnvFile(text: string, file: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [index, line] of text
    .replaceAll(/\\\r?\n/g, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const equals = line.indexOf('=');
    const name = line.slice(0, Math.max(equals, 0)).trim();
    const value = equals < 0 ? undefined : unquoted(line.slice(equals + 1));
    if (!NAME.test(name) || value === undefined) {
      throw new NetmoorError(
        'bad-config',
        `${file} line ${index + 1} is no NAME=VALUE`,
        'write it as for EnvironmentFile= of systemd',
      );
    }
    variables.set(name, value);
  }
  return variables;
}

/**
 * Replaces $NAME and ${NAME} by the variables, $$ by a dollar sign. Throws NetmoorError('bad-config') for what is not
 * there.
 */
export function expandVariables(
  text: string,
  variables: ReadonlyMap<string, string> | undefined,
  place: string,
): string {
  return text.replaceAll(
    /\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})?/g,
    (whole, plain?: string, braced?: string) => {
      if (whole === '$$') return '$';
      const name = plain ?? braced;
      if (name === undefined)
        throw new NetmoorError(
          'bad-config',
          `${place}: ${quote(text)} has a stray "$"`,
          'write "$$" for a dollar sign',
        );
      const value = variables?.get(name);
      if (value !== undefined) return value;
      const advice =
        variables === undefined
          ? 'name the file that sets it with --env-file'
          : 'set it in the file that --env-file names';
      throw new NetmoorError('bad-config', `${place}: variable ${name} is not set`, advice);
    },
  );
}
