/**
 * `make bench-quantize FOLDER=…`: every labelled float model of a folder (one folder a model: model.onnx and data.npz with
 * x_calib, x, y) quantized with the default options. Table, then one line of JSON.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGraph } from '../../circuits/onnx/load.js';
import { quantizeModel } from '../../circuits/quantize/index.js';
import { readNpz } from '../../circuits/quantize/npz.js';
import { labelsOf, samplesOf } from '../../circuits/quantize/samples.js';
import { ModelRefused } from '../../circuits/errors.js';

/** More distinct labels than this are a regression's targets. */
const CLASS_LIMIT = 32;

/** Percentage points that int8 may lose against float. */
const TARGET = 0.5;

const folder = process.env['FOLDER'] ?? join('..', 'shared', 'models', 'trained');
const rows: { name: string; float: number; int8: number; agreement: number; rows: number | null }[] = [];
const skipped: string[] = [];
for (const name of readdirSync(folder).sort()) {
  const [file, data] = ['model.onnx', 'data.npz'].map((part) => join(folder, name, part));
  if (!existsSync(file!) || !existsSync(data!)) continue;
  try {
    const bytes = readFileSync(file!);
    const graph = loadGraph(bytes);
    const arrays = readNpz(readFileSync(data!));
    const inputs = samplesOf(graph, arrays, 'evaluation');
    const labels = labelsOf(arrays, inputs.length);
    const isClassification = labels !== undefined && new Set(labels).size <= CLASS_LIMIT;
    if (!isClassification) throw new Error('no class labels');
    const calibration = samplesOf(graph, arrays, 'calibration');
    const { report } = await quantizeModel(bytes, calibration, { evaluation: { inputs, labels } });
    const { floatAccuracy, int8Accuracy, agreement } = report.evaluation;
    rows.push({
      name,
      float: floatAccuracy!,
      int8: int8Accuracy!,
      agreement,
      rows: report.cost?.rows ?? null,
    });
  } catch (error) {
    if (!(error instanceof ModelRefused) && (error as Error).message !== 'no class labels') throw error;
    skipped.push(`${name}: ${(error as Error).message}`);
  }
}
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`.padStart(9);
for (const { name, float, int8, agreement, rows: cost } of rows)
  process.stdout.write(
    `${name.padEnd(24)} float ${percent(float)}  int8 ${percent(int8)}  agreement ${percent(agreement)}  ${cost ?? '-'} rows\n`,
  );
for (const line of skipped) process.stdout.write(`skipped ${line}\n`);
const worst = Math.max(0, ...rows.map(({ float, int8 }) => 100 * (float - int8)));
const isMet = rows.length > 0 && worst <= TARGET;
process.stdout.write(
  `${JSON.stringify({ models: rows.length, worstLossPoints: Number(worst.toFixed(3)), target: TARGET, isMet })}\n`,
);
process.exitCode = isMet ? 0 : 1;
