import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import type { LayerCost } from '../../circuits/compile.js';
import { estimateLayers } from '../../circuits/import/estimate.js';
import { importModel } from '../../circuits/import/import.js';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { provingKeyBytes } from '../../prover/files/zkey-size.js';
import { compileUpload } from '../install.js';

interface Options {
  readonly out?: string;
  readonly json?: boolean;
  readonly estimate?: boolean;
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed';
  readonly shape?: Record<string, readonly number[]>;
}

type Shapes = Record<string, readonly number[]>;

export function register(program: Command): void {
  program
    .command('compile <model>')
    .description('ONNX file to R1CS: rows, wires and nonzeros of every layer')
    .option('--out <file>', 'write the circuit as .r1cs')
    .option('--input-mode <mode>', 'committed or public', 'committed')
    .option('--output-mode <mode>', 'packed or commitment', 'packed')
    .option('--estimate', 'upper bounds from shapes alone, without building the circuit')
    .option(
      '--shape <name=dims>',
      'full shape of an input with symbolic dimensions (with --estimate)',
      addShape,
      {},
    )
    .option('--json', 'machine-readable')
    .action(run);
}

/** `name=1,3,32,32` added to the shapes given before. */
export function addShape(text: string, known: Shapes): Shapes {
  const [name, dims = ''] = text.split(/=(?=[\d,]+$)/);
  const shape = dims.split(',').map(Number);
  if (!name || shape.some((dim) => !Number.isInteger(dim) || dim < 1))
    throw new InvalidArgumentError('expected name=1,3,32,32');
  return { ...known, [name]: shape };
}

async function run(path: string, options: Options): Promise<void> {
  const bytes = await readFile(path);
  if (options.estimate) return estimate(bytes, options);
  const { compiled, notes } = compileUpload(bytes, options);
  const { r1cs, layers, manifest } = compiled;
  const keyBytes = provingKeyBytes(r1cs);
  // α in G1, β, γ, δ in G2, one G1 point for each public signal and one for the constant.
  const verifyingKeyBytes = 64 + 3 * 128 + 64 * (r1cs.publicCount + 1);
  const digest = options.out ? await writeR1cs(options.out, r1cs) : undefined;
  const { quantizedFrom } = manifest;
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ rows: r1cs.constraintCount, wires: r1cs.wireCount, publicSignals: r1cs.publicCount, provingKeyBytes: keyBytes, verifyingKeyBytes, layers, notes, circuitHash: digest, quantizedFrom })}\n`,
    );
    return;
  }
  printLayers(layers, r1cs.constraintCount);
  process.stdout.write(`${r1cs.publicCount} public signals\n`);
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
  if (quantizedFrom)
    process.stdout.write(
      `agrees with its float model on ${(quantizedFrom.agreementPpm / 1e4).toFixed(2)} % of ${quantizedFrom.samples} samples\n`,
    );
  for (const note of notes) process.stdout.write(`note: ${note}\n`);
  if (digest) process.stdout.write(`circuitHash ${digest}\n`);
}

function printLayers(layers: readonly LayerCost[], total: number): void {
  const width = Math.max(...layers.map(({ name }) => name.length), 'total'.length);
  const line = (name: string, type: string, cells: readonly string[]): void =>
    void process.stdout.write(
      `${name.padEnd(width)}  ${type.padEnd(18)}${cells.map((cell) => cell.padStart(12)).join('')}\n`,
    );
  line('layer', 'operator', ['rows', 'wires', 'nonzeros', 'share', 'rows/output']);
  const sum = { rows: 0, wires: 0, nonzeros: 0 };
  for (const { name, type, rows, wires, nonzeros, elements } of layers) {
    const each = elements > 0 ? (rows / elements).toFixed(1) : '';
    line(name, type, [`${rows}`, `${wires}`, `${nonzeros}`, `${((100 * rows) / total).toFixed(1)} %`, each]);
    sum.rows += rows;
    sum.wires += wires;
    sum.nonzeros += nonzeros;
  }
  line('total', '', [`${sum.rows}`, `${sum.wires}`, `${sum.nonzeros}`, '100.0 %']);
}

/** Nothing is built: rows and linear terms that the shapes allow at most. */
function estimate(bytes: Uint8Array, { shape = {}, json }: Options): void {
  const { graph } = importModel(bytes, { shapes: shape });
  const layers = estimateLayers(graph);
  const total = layers.reduce((sum, { rows }) => sum + rows, 0n);
  const terms = layers.reduce((sum, layer) => sum + layer.terms, 0n);
  if (json) {
    const plain = layers.map(({ name, type, rows, terms: own }) => ({
      name,
      type,
      rows: Number(rows),
      terms: Number(own),
    }));
    process.stdout.write(`${JSON.stringify({ rows: Number(total), terms: Number(terms), layers: plain })}\n`);
    return;
  }
  const width = Math.max(...layers.map(({ name }) => name.length), 5);
  process.stdout.write(`at most, from shapes alone; nothing was built\n`);
  for (const { name, type, rows, terms: own } of layers) {
    const share = total === 0n ? 0 : Number((1000n * rows) / total) / 10;
    process.stdout.write(
      `${name.padEnd(width)}  ${type.padEnd(18)}${String(rows).padStart(11)} rows${String(own).padStart(13)} terms${share.toFixed(1).padStart(7)} %\n`,
    );
  }
  process.stdout.write(`total ${total} rows, ${terms} linear terms\n`);
}
