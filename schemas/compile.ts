/**
 * Compiles every schemas/*.schema.json to schemas/compiled/<name>.js, a plain validator that imports nothing (ajv's
 * standalone code), and <name>.d.ts, the TypeScript type of what it accepts. Run by `npm run build`; nothing compiles
 * schemas at run time.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { compile as compileTypes } from 'json-schema-to-typescript';
import type { JSONSchema } from 'json-schema-to-typescript';

const SCHEMAS = import.meta.dirname;
const COMPILED = join(SCHEMAS, 'compiled');
const SUFFIX = '.schema.json';

/**
 * The one helper that ajv's code would take from ajv: the length of a string in code points (JSON Schema, `maxLength`).
 */
const UCS2_LENGTH = /require\("ajv\/dist\/runtime\/ucs2length"\)\.default/g;
const CODE_POINTS = '(text) => { let n = 0; for (const _ of text) n++; return n; }';

function validatorOf(name: string, schema: object): string {
  const ajv = new Ajv({
    strict: true,
    allowUnionTypes: true,
    code: { source: true, esm: true, lines: true },
  });
  const code = standalone.default(ajv, ajv.compile(schema)).replaceAll(UCS2_LENGTH, CODE_POINTS);
  const left = /require\([^)]*\)/.exec(code);
  if (left) throw new Error(`${name}: the compiled validator needs ${left[0]}, which is not inlined`);
  return `${code.replace(/^"use strict";\s*/, '').replace(/export default \w+;\s*/, '')}\n`;
}

async function typesOf(name: string, schema: JSONSchema): Promise<string> {
  const { title } = schema;
  if (typeof title !== 'string') throw new Error(`${name}: a schema needs a title, the name of its type`);
  // What a schema lets pass is nothing for the type to name.
  const options = { bannerComment: '', format: false, additionalProperties: false };
  const types = await compileTypes(structuredClone(schema), title, options);
  return `${types}
/** One reason why a value was refused. */
export interface SchemaError {
  instancePath: string;
  schemaPath: string;
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
}
export declare const validate: { (value: unknown): value is ${title}; errors?: SchemaError[] | null };
`;
}

/** Whoever reads while this writes sees the old file or the new one. */
function replaceFile(path: string, text: string): void {
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

async function compileSchema(name: string): Promise<void> {
  const schema = JSON.parse(readFileSync(join(SCHEMAS, name + SUFFIX), 'utf8'));
  replaceFile(join(COMPILED, `${name}.js`), validatorOf(name, schema));
  replaceFile(join(COMPILED, `${name}.d.ts`), await typesOf(name, schema));
}

/** Compiles all schemas; leaves nothing in schemas/compiled that has no schema. */
export async function compileSchemas(): Promise<void> {
  mkdirSync(COMPILED, { recursive: true });
  const names = readdirSync(SCHEMAS)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length));
  for (const name of names) await compileSchema(name);
  const wanted = new Set(names.flatMap((name) => [`${name}.js`, `${name}.d.ts`]));
  for (const file of readdirSync(COMPILED)) if (!wanted.has(file)) rmSync(join(COMPILED, file));
}

if (import.meta.main) await compileSchemas();
