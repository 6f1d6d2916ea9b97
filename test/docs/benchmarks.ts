/** docs/benchmarks.md, printed from the figures that `make bench` recorded. */
import { readFileSync } from 'node:fs';

export const recordsFile = 'docs/benchmarks.json';

export type Records = Record<
  string,
  {
    readonly on: string;
    readonly machine: string;
    /** What the Makefile said of it. */
    readonly says: string;
    /** The line of JSON with which the benchmark ended; null when it failed. */
    readonly result: Readonly<Record<string, unknown>> | null;
  }
>;

/** `bench-…` targets of the Makefile, with what it says of them. */
export const targets = (): { name: string; says: string }[] =>
  [...readFileSync('Makefile', 'utf8').matchAll(/^bench-([a-z]+):[^#\n]*## (.+)$/gm)].map(
    ([, name, says]) => ({
      name: name!,
      says: says!,
    }),
  );

export function benchmarksPage(): string {
  const records = JSON.parse(readFileSync(recordsFile, 'utf8')) as Records;
  const sections = Object.entries(records).map(([name, { on, machine, says, result }]) => {
    const head = `## bench-${name}\n\n${says[0]!.toUpperCase()}${says.slice(1)}.\n`;
    if (!result) return `${head}\nFailed on ${on} (${machine}).\n`;
    const rows = flat(result).map(([field, value]) => `| ${field} | ${value} |`);
    return `${head}\nMeasured on ${on}: ${machine}.\n\n| | |\n| --- | ---: |\n${rows.join('\n')}\n`;
  });
  return `# Benchmarks

Printed by \`make bench\` from the line of JSON with which each benchmark ends; no figure here is typed. Units stand in the
names: \`Ms\`, \`S\`, \`Bytes\`, \`PerS\`; \`null\` is what this run did not measure. Ratios are taken within one run on one
machine. The bars that the project holds itself to are in the tests and in the benchmarks themselves. What stands here was
recorded; \`make help\` lists every benchmark.

${sections.join('\n')}`;
}

/** Nested results as dotted rows; long lists by their length. */
function flat(value: unknown, path = ''): [string, string][] {
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object'))
      return [[path, value.length > 8 ? `${value.length} values` : value.join(', ')]];
    return value.flatMap((item, index) => flat(item, `${path}[${index}]`));
  }
  if (value !== null && typeof value === 'object')
    return Object.entries(value).flatMap(([key, item]) => flat(item, path ? `${path}.${key}` : key));
  const text =
    typeof value === 'number' && !Number.isInteger(value)
      ? String(Number(value.toPrecision(4)))
      : String(value);
  return [[path, text.replaceAll('|', '\\|')]];
}
