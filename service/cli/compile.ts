import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { compileUpload } from '../install.js';

interface Options {
  readonly out?: string;
  readonly json?: boolean;
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed';
}

export function register(program: Command): void {
  program
    .command('compile <model>')
    .description('ONNX file to R1CS: prints what every layer costs')
    .option('--out <file>', 'write the circuit as .r1cs')
    .option('--input-mode <mode>', 'committed or public', 'committed')
    .option('--output-mode <mode>', 'packed or commitment', 'packed')
    .option('--json', 'machine-readable')
    .action(run);
}

async function run(path: string, options: Options): Promise<void> {
  const { compiled, notes } = compileUpload(await readFile(path), options);
  const { r1cs, layers } = compiled;
  const digest = options.out ? await writeR1cs(options.out, r1cs) : undefined;
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ rows: r1cs.constraintCount, wires: r1cs.wireCount, publicSignals: r1cs.publicCount, layers, notes, circuitHash: digest })}\n`,
    );
    return;
  }
  const width = Math.max(...layers.map(({ name }) => name.length));
  for (const { name, type, rows, wires } of layers)
    process.stdout.write(
      `${name.padEnd(width)}  ${type.padEnd(18)} ${String(rows).padStart(9)} rows ${String(wires).padStart(9)} wires\n`,
    );
  process.stdout.write(
    `${'total'.padEnd(width)}  ${''.padEnd(18)} ${String(r1cs.constraintCount).padStart(9)} rows ${String(r1cs.wireCount).padStart(9)} wires, ${r1cs.publicCount} public signals\n`,
  );
  for (const note of notes) process.stdout.write(`note: ${note}\n`);
  if (digest) process.stdout.write(`circuitHash ${digest}\n`);
}
