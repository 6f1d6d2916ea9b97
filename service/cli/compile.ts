import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { provingKeyBytes } from '../../prover/files/zkey-size.js';
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
  const keyBytes = provingKeyBytes(r1cs);
  // α in G1, β, γ, δ in G2, one G1 point for each public signal and one for the constant.
  const verifyingKeyBytes = 64 + 3 * 128 + 64 * (r1cs.publicCount + 1);
  const digest = options.out ? await writeR1cs(options.out, r1cs) : undefined;
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ rows: r1cs.constraintCount, wires: r1cs.wireCount, publicSignals: r1cs.publicCount, provingKeyBytes: keyBytes, verifyingKeyBytes, layers, notes, circuitHash: digest })}\n`,
    );
    return;
  }
  const width = Math.max(...layers.map(({ name }) => name.length));
  const line = (name: string, type: string, rows: number, wires: number, rest: string): void =>
    void process.stdout.write(
      `${name.padEnd(width)}  ${type.padEnd(18)} ${String(rows).padStart(9)} rows ${String(wires).padStart(9)} wires  ${rest}\n`,
    );
  for (const { name, type, rows, wires, elements } of layers)
    line(name, type, rows, wires, elements > 0 ? `${(rows / elements).toFixed(1)} rows an output` : '');
  line('total', '', r1cs.constraintCount, r1cs.wireCount, `${r1cs.publicCount} public signals`);
  const roundings = layers.filter(({ name, elements }) => name.endsWith(': rounding') && elements > 0);
  if (roundings.length > 0) {
    const perActivation = roundings.map(({ rows, elements }) => rows / elements);
    process.stdout.write(
      `activations (requantization, ReLU and clamp): ${Math.min(...perActivation).toFixed(1)} to ${Math.max(...perActivation).toFixed(1)} rows each; pooling stands apart\n`,
    );
  }
  process.stdout.write(
    `proving key ${(keyBytes / 2 ** 20).toFixed(1)} MiB, verifying key ${verifyingKeyBytes} bytes\n`,
  );
  for (const note of notes) process.stdout.write(`note: ${note}\n`);
  if (digest) process.stdout.write(`circuitHash ${digest}\n`);
}
