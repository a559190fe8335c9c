/**
 * What a compiled schema refused, in words for the person who wrote the input: the place, the value, and the nearest
 * key or value that exists. Unknown keys are CNI code 2, whose message must hold key and value (specification, section
 * 5 "Error").
 */
import { NetmoorError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { isJsonObject } from './json.ts';
import { quote } from './quote.ts';

/** One entry of a compiled validator's `errors` (ajv). */
export interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
}

/** Of a JSON pointer (RFC 6901 section 4). */
function pointerSteps(pointer: string): string[] {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Of a place in our own schema, which ajv writes as a URI fragment (section 6). */
function fragmentSteps(fragment: string): string[] {
  return pointerSteps(fragment).map(decodeURIComponent);
}

function valueAt(root: unknown, steps: readonly string[]): unknown {
  let value = root;
  for (const step of steps) {
    if (Array.isArray(value)) value = value[Number(step)];
    else value = isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

/** "ranges[0][1].subnet" under a prefix such as "ipam". */
function placeName(prefix: string, steps: readonly string[]): string {
  let name = prefix;
  for (const step of steps) {
    if (/^\d+$/.test(step)) name += `[${step}]`;
    else name += name === '' ? step : `.${step}`;
  }
  return name;
}

function unknownKey(
  prefix: string,
  steps: readonly string[],
  key: string,
  value: unknown,
  known: readonly string[],
): NetmoorError {
  const meant = nearest(key, known);
  return new NetmoorError(
    'unsupported-field',
    `unknown key ${placeName(prefix, [...steps, key])}: ${quote(value)}`,
    `${meant === undefined ? '' : `did you mean "${meant}"? `}known keys here: ${known.join(', ')}`,
  );
}

function notAllowed(place: string, value: unknown, allowed: readonly unknown[]): NetmoorError {
  const words = allowed.filter((item) => typeof item === 'string');
  const meant = typeof value === 'string' ? nearest(value, words) : undefined;
  return new NetmoorError(
    'bad-config',
    `${place} must be one of ${allowed.map(quote).join(', ')}, not ${quote(value)}`,
    meant === undefined ? 'write one of these' : `did you mean "${meant}"?`,
  );
}

function adviceOn(keyword: string, value: unknown): string {
  if (keyword === 'maximum') return 'lower it';
  if (keyword === 'minimum' || keyword === 'exclusiveMinimum') return 'raise it';
  if (keyword === 'minItems') return 'name at least one, or leave the key out';
  return typeof value === 'string' && value.includes('\0') ? 'no path has a NUL byte: take it out' : '';
}

/** Of alternatives (`oneOf`) the one that the value is of the type of says what is wrong with it. */
function telling(errors: readonly SchemaError[]): SchemaError | undefined {
  const [first] = errors;
  const last = errors.at(-1);
  if (first === undefined || last?.keyword !== 'oneOf') return first;
  const isMismatch = ({ keyword, instancePath }: SchemaError): boolean =>
    keyword === 'type' && instancePath === last.instancePath;
  const within = errors.find((error) => error !== last && !isMismatch(error));
  if (within !== undefined || !isMismatch(first)) return within ?? first;
  return { ...first, params: { type: errors.filter(isMismatch).flatMap(({ params }) => params['type']) } };
}

function adviceOnType(wanted: readonly string[], value: unknown): string {
  const isWord = typeof value === 'string';
  if (wanted.includes('boolean') && (value === 'true' || value === 'false'))
    return `write ${value}, without quotes`;
  if (wanted.includes('array') && (isWord || typeof value === 'number'))
    return `put it in brackets: [${quote(value)}]`;
  if (wanted.includes('string')) return 'write it as string, in quotes';
  if (wanted.includes('array')) return 'write it as a list, in brackets';
  if (wanted.includes('object')) return 'write it as object, in braces';
  return `write it as ${wanted.join(' or ')}, without quotes`;
}

/**
 * The first of `errors` as a NetmoorError: 'unsupported-field' for unknown keys, 'bad-config' for all else. `prefix` is
 * the place of `data` in the whole document, '' for all of it.
 */
export function schemaProblem(
  schema: unknown,
  errors: readonly SchemaError[] | null | undefined,
  data: unknown,
  prefix: string,
): NetmoorError {
  const error = telling(errors ?? []);
  if (error === undefined)
    return new NetmoorError('internal', `${prefix || 'the configuration'} was refused without a reason`);
  const steps = pointerSteps(error.instancePath);
  const place = placeName(prefix, steps) || 'the configuration';
  const value = valueAt(data, steps);
  const { additionalProperty, allowedValues, missingProperty, type } = error.params;
  if (typeof additionalProperty === 'string') {
    const owner = valueAt(schema, [...fragmentSteps(error.schemaPath).slice(0, -1), 'properties']);
    const unknown = isJsonObject(value) ? value[additionalProperty] : undefined;
    return unknownKey(
      prefix,
      steps,
      additionalProperty,
      unknown,
      isJsonObject(owner) ? Object.keys(owner) : [],
    );
  }
  if (Array.isArray(allowedValues)) return notAllowed(place, value, allowedValues);
  if (typeof missingProperty === 'string') {
    return new NetmoorError(
      'bad-config',
      `${placeName(prefix, [...steps, missingProperty])} is missing`,
      `add it to ${place}`,
    );
  }
  if (error.keyword === 'type') {
    const wanted = [type].flat().map(String);
    const message = `${place} must be of type ${wanted.join(' or ')}, not ${quote(value)}`;
    return new NetmoorError('bad-config', message, adviceOnType(wanted, value));
  }
  const message = `${place} ${error.message ?? 'is not allowed'}, not ${quote(value)}`;
  return new NetmoorError('bad-config', message, adviceOn(error.keyword, value));
}
