/**
 * `make bench`: runs every `bench-…` target, keeps the line of JSON with which each ends in docs/benchmarks.json, and
 * prints docs/benchmarks.md from that file. `--from folder` takes recorded output instead (<name>.txt), whose last line
 * is that JSON. A benchmark that was not run keeps its former figures and their date; one that failed has none.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarksPage, type Records, recordsFile, targets } from '../docs/benchmarks.js';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, from: { type: 'string', default: '' } },
});
const wanted = values.only.split(',').filter(Boolean);
const records = JSON.parse(readFileSync(recordsFile, 'utf8')) as Records;

for (const { name, says } of targets()) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const text = values.from ? recorded(values.from, name) : measured(name);
  if (text === undefined) continue;
  const result = lastLine(text);
  records[name] = { on: new Date().toISOString().slice(0, 10), machine: machine(), says, result };
  process.stdout.write(`${name}: ${result ? JSON.stringify(result) : 'no figures'}\n`);
  if (!result) process.exitCode = 1;
}
writeFileSync(recordsFile, `${JSON.stringify(records, null, 1)}\n`);
writeFileSync('docs/benchmarks.md', benchmarksPage());

function recorded(folder: string, name: string): string | undefined {
  const path = join(folder, `${name}.txt`);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** What people see while it runs is the table; the JSON behind it is for the page. */
function measured(name: string): string {
  const { stdout } = spawnSync('make', ['-s', `bench-${name}`], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MAKEFLAGS: '', ONLY: '' },
  });
  process.stdout.write(stdout);
  return stdout;
}

function lastLine(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text.trim().split('\n').at(-1)!);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Generically: the figures are for comparison in kind, not for a product sheet. */
function machine(): string {
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const isa = ['avx512ifma', 'avx2', 'adx', 'bmi2'].filter((flag) => flags.includes(flag));
  const cores = Math.min(availableParallelism(), cpus().length);
  return `x64, ${cores} cores, ${Math.round(totalmem() / 2 ** 30)} GiB${isa.length > 0 ? `, ${isa.join(' ')}` : ''}`;
}
