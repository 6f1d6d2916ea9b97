/** `verinfer uniqueness`: does the input fix every wire of a circuit? From the constraints alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { r1csDigest, readR1cs } from '../../circuits/r1cs/file.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import { compileUpload } from '../install.js';

interface Options {
  readonly r1cs?: string;
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed';
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('uniqueness <model>')
    .description('check that the constraints leave the prover no choice (ONNX file, or a model folder)')
    .option(
      '--r1cs <file>',
      'check this circuit file instead of a fresh compile; it must be the same circuit',
    )
    .option('--input-mode <mode>', 'committed or public', 'committed')
    .option('--output-mode <mode>', 'packed or commitment', 'packed')
    .option('--json', 'machine-readable')
    .action(run);
}

async function run(path: string, options: Options): Promise<void> {
  const file = path.endsWith('.onnx') ? path : join(path, 'model.onnx');
  const { compiled } = compileUpload(await readFile(file), options);
  const { givenWires } = compiled;
  const stored = options.r1cs ? await readR1cs(options.r1cs) : compiled.r1cs;
  const isSame = r1csDigest(stored) === r1csDigest(compiled.r1cs);
  const started = performance.now();
  const report = checkUniqueness(stored, { givenWires });
  const seconds = (performance.now() - started) / 1000;
  const { ok, undetermined, loose, freeInverses } = report;
  if (options.json) process.stdout.write(`${JSON.stringify({ ...report, isSame, seconds })}\n`);
  else {
    process.stdout.write(
      `${stored.constraintCount} rows, ${stored.wireCount} wires, ${seconds.toFixed(1)} s\n` +
        `${loose.length} bits of exact-range groups, fixed in their sum; ${freeInverses.length} inverses of is-zero tests\n` +
        `${undetermined.length} wires not determined${ok ? ': the prover has no choice' : ''}\n`,
    );
    for (const wire of undetermined.slice(0, 20)) process.stdout.write(`  wire ${wire}\n`);
    if (!isSame) process.stdout.write('the circuit file is not what this model compiles to\n');
  }
  if (!ok || !isSame) process.exitCode = 1;
}
