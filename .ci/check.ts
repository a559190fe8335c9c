/** `npm run check`: what can be said about the sources without running them. Also the first tier of `npm test`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compileSchemas } from '../schemas/compile.ts';

const ROOT = resolve(import.meta.dirname, '..');
const TOOLS = join(ROOT, 'node_modules/.bin');
const FOLDERS = ['cli', 'hooks', 'ipam', 'lib', 'plugins', 'schemas', 'test'].filter((name) =>
  existsSync(join(ROOT, name)),
);

export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** What the tool said. */
  readonly output: string;
}

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: ['tsc', '--noEmit', '--pretty', 'false'],
  'lint and format': ['biome', 'check', '--error-on-warnings', '--colors=off', '--max-diagnostics=50', '.'],
  'import rules': ['depcruise', '--config', '.ci/import-rules.js', ...FOLDERS],
};

/** The tools are scripts for the Node.js of the project, which comes first in their PATH. */
function runTool([tool = '', ...args]: readonly string[]): { ok: boolean; output: string } {
  const env = { ...process.env, PATH: `${TOOLS}:${process.env['PATH']}` };
  const { error, status, stdout, stderr } = spawnSync(join(TOOLS, tool), args, {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  });
  return { ok: status === 0, output: error ? error.message : `${stdout}${stderr}`.trim() };
}

async function compile(): Promise<Finding> {
  try {
    await compileSchemas();
    return { check: 'schemas', ok: true, output: '' };
  } catch (error) {
    return { check: 'schemas', ok: false, output: String(error) };
  }
}

/** The formatter leaves comments alone: they end where code does. */
const LONGEST_LINE = 120;

function longComments(): Finding {
  // Files that are not committed yet as well.
  const list = ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.js'];
  const { stdout } = spawnSync('git', list, { cwd: ROOT, encoding: 'utf8' });
  const found = stdout.split('\n').flatMap((file) => {
    if (file === '' || !existsSync(join(ROOT, file))) return [];
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
    return lines.flatMap((line, index) =>
      [...line].length > LONGEST_LINE && /^\s*(\/\/|\/?\*)/.test(line) ? [`${file}:${index + 1}`] : [],
    );
  });
  return { check: 'comments within 120 columns', ok: found.length === 0, output: found.join('\n') };
}

/** Runs every check, also after one that failed. */
export async function checkSources(): Promise<Finding[]> {
  const findings = [await compile(), longComments()];
  for (const [check, command] of Object.entries(CHECKS)) findings.push({ check, ...runTool(command) });
  return findings;
}

if (import.meta.main) {
  for (const { check, ok, output } of await checkSources()) {
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${check}${ok ? '' : `\n${output}\n`}`);
    if (!ok) process.exitCode = 1;
  }
}
