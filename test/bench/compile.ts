/**
 * `make bench-compile`: rows a second, memory a row, and the time of a witness, each model in a process of its own. Table,
 * then one line of JSON. The large models stand in the folder of trained models; where it is missing they are null.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILE_FLAGS } from '../../circuits/node-flags.js';

interface Measured {
  readonly rows: number;
  readonly wires: number;
  readonly nonzeros: number;
  readonly importSeconds: number;
  readonly compileSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly grownBytes: number;
  readonly coldWitnessMs: number;
  readonly warmWitnessMs: number;
}

const folder = process.env['FOLDER'] ?? join('..', 'shared', 'models', 'trained');
const files: Readonly<Record<string, string>> = {
  lenet5: join('models', 'lenet5', 'model.onnx'),
  cnn264k: join(folder, 'cnn_cifar_264k', 'model_qdq_int8.onnx'),
  dense4m: join(folder, 'dense_4m', 'model_qdq_int8.onnx'),
};

/** Bars of the bench: rows a second, bytes a row beside the nonzeros, seconds and bytes of the large models, ms. */
const BARS = { rowsPerSecond: 300_000, bytesPerRow: 200, seconds: 60, peakBytes: 4 * 2 ** 30, witnessMs: 40 };
/** What the finished system holds of one nonzero: wire and coefficient id. */
const BYTES_PER_NONZERO = 8;

const script = fileURLToPath(new URL('compile-once.js', import.meta.url));
const measured = new Map<string, Measured>();
for (const [name, path] of Object.entries(files)) {
  if (!existsSync(path)) continue;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...COMPILE_FLAGS, '--max-old-space-size=4096', script, path],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  measured.set(name, JSON.parse(stdout) as Measured);
}

const rowsPerSecond = ({ rows, compileSeconds }: Measured): number => rows / compileSeconds;
/** What the process grew by, a row: in all, and beside the nonzeros themselves. */
const grownPerRow = ({ rows, grownBytes }: Measured): number => grownBytes / rows;
const bytesPerRow = (m: Measured): number =>
  Math.max(0, grownPerRow(m) - (BYTES_PER_NONZERO * m.nonzeros) / m.rows);

const cells = (values: readonly string[]): string => values.map((value) => value.padStart(12)).join('');
process.stdout.write(
  `${'model'.padEnd(10)}${cells(['rows', 'nonzeros', 'import s', 'compile s', 'rows/s', 'peak MiB', 'grown/row', 'of nonzeros', 'bytes/row', 'witness ms', 'cold ms'])}\n`,
);
for (const [name, m] of measured)
  process.stdout.write(
    `${name.padEnd(10)}${cells([
      String(m.rows),
      String(m.nonzeros),
      m.importSeconds.toFixed(2),
      m.compileSeconds.toFixed(2),
      rowsPerSecond(m).toFixed(0),
      (m.peakBytes / 2 ** 20).toFixed(0),
      grownPerRow(m).toFixed(0),
      ((BYTES_PER_NONZERO * m.nonzeros) / m.rows).toFixed(0),
      bytesPerRow(m).toFixed(0),
      m.warmWitnessMs.toFixed(1),
      m.coldWitnessMs.toFixed(1),
    ])}\n`,
  );

const of = <T>(name: string, read: (m: Measured) => T): T | null => {
  const found = measured.get(name);
  return found ? read(found) : null;
};
const round = (value: number): number => Math.round(value * 1000) / 1000;
const total = (m: Measured): number => round(m.importSeconds + m.compileSeconds);
const result = {
  lenetRowsPerSecond: of('lenet5', (m) => Math.round(rowsPerSecond(m))),
  cnnRowsPerSecond: of('cnn264k', (m) => Math.round(rowsPerSecond(m))),
  cnnGrownBytesPerRow: of('cnn264k', (m) => Math.round(grownPerRow(m))),
  cnnBytesPerRow: of('cnn264k', (m) => Math.round(bytesPerRow(m))),
  cnnSeconds: of('cnn264k', total),
  denseSeconds: of('dense4m', total),
  peakMiB:
    measured.size === 3
      ? Math.round(Math.max(...[...measured.values()].map((m) => m.peakBytes)) / 2 ** 20)
      : null,
  lenetWitnessMs: of('lenet5', (m) => round(m.warmWitnessMs)),
  lenetColdWitnessMs: of('lenet5', (m) => round(m.coldWitnessMs)),
};
const isMet =
  result.cnnRowsPerSecond !== null &&
  result.cnnRowsPerSecond >= BARS.rowsPerSecond &&
  result.cnnBytesPerRow! <= BARS.bytesPerRow &&
  Math.max(result.cnnSeconds!, result.denseSeconds ?? Infinity) <= BARS.seconds &&
  result.peakMiB !== null &&
  result.peakMiB * 2 ** 20 <= BARS.peakBytes &&
  result.lenetWitnessMs! <= BARS.witnessMs;
process.stdout.write(`${JSON.stringify({ ...result, bars: BARS, isMet })}\n`);
process.exitCode = isMet ? 0 : 1;
