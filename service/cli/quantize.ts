/** `verinfer quantize`: a float model and calibration data to an int8 model that can be proved, with a report. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { loadGraph } from '../../circuits/onnx/load.js';
import { type CalibrationMethod, quantizeModel, type QuantizeReport } from '../../circuits/quantize/index.js';
import { readNpz } from '../../circuits/quantize/npz.js';
import { addShape } from './compile.js';
import { labelsOf, samplesOf } from '../../circuits/quantize/samples.js';

interface Options {
  readonly calibration: string;
  readonly evaluate?: string;
  readonly out?: string;
  readonly report?: string;
  readonly bits: number;
  readonly method: CalibrationMethod;
  readonly divisorMax: number;
  readonly shape?: Record<string, readonly number[]>;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('quantize <model>')
    .description('float ONNX file to int8, with accuracy, agreement and proving cost')
    .requiredOption('--calibration <npz>', 'inputs like those the model will see')
    .option('--evaluate <npz>', 'inputs and labels to measure on (x and y)')
    .option('--out <file>', 'default: <model>.int8.onnx')
    .option('--report <file>', 'write the report as JSON')
    .option('--bits <n>', 'width of weights and activations, 4 to 8', Number, 8)
    .option('--method <name>', 'minmax, percentile or mse', 'mse')
    .option(
      '--divisor-max <n>',
      'greatest requantization divisor: smaller is cheaper and coarser',
      Number,
      511,
    )
    .option(
      '--shape <name=dims>',
      'full shape of an input with symbolic dimensions, e.g. x=1,3,32,32',
      addShape,
      {},
    )
    .option('--json', 'print the report as JSON')
    .action(run);
}

async function run(path: string, options: Options): Promise<void> {
  const bytes = await readFile(path);
  const shapes = options.shape ?? {};
  const graph = loadGraph(bytes, { shapes });
  const calibration = samplesOf(graph, readNpz(await readFile(options.calibration)), 'calibration');
  const { bits, method, divisorMax } = options;
  let evaluation: { inputs: typeof calibration; labels?: number[] } | undefined;
  if (options.evaluate) {
    const arrays = readNpz(await readFile(options.evaluate));
    const inputs = samplesOf(graph, arrays, 'evaluation');
    const labels = labelsOf(arrays, inputs.length);
    evaluation = { inputs, ...(labels && { labels }) };
  }
  const { model, report } = await quantizeModel(bytes, calibration, {
    bits,
    method,
    divisorMax,
    shapes,
    ...(evaluation && { evaluation }),
  });
  const out = options.out ?? `${path.replace(/\.onnx$/, '')}.int8.onnx`;
  await writeFile(out, model);
  if (options.report) await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(options.json ? `${JSON.stringify({ out, ...report })}\n` : describe(out, report));
}

function describe(out: string, { evaluation, cost, refusal, calibrationSamples }: QuantizeReport): string {
  const percent = (share: number | null): string =>
    share === null ? 'no labels' : `${(100 * share).toFixed(2)} %`;
  const lines = [
    ['float accuracy', percent(evaluation.floatAccuracy)],
    ['int8 accuracy', percent(evaluation.int8Accuracy)],
    ['agreement', `${percent(evaluation.agreement)} of ${evaluation.samples} samples`],
    ['largest difference', evaluation.maxDifference.toPrecision(4)],
    ...evaluation.worstLayers.map(({ value, decibels }, i): [string, string] => [
      i === 0 ? 'worst layers' : '',
      `${decibels.toFixed(1)} dB  ${value}`,
    ]),
    ['calibrated on', `${calibrationSamples} inputs`],
  ];
  if (cost) {
    const { rows, domainPower, keyBytes, provingSeconds } = cost;
    lines.push(['rows', `${rows} (domain 2^${domainPower})`]);
    lines.push(['proving key', `about ${(keyBytes / 1e6).toFixed(0)} MB`]);
    lines.push([
      'proving time',
      `about ${provingSeconds.native.toFixed(2)} s native, ${provingSeconds.snarkjs.toFixed(1)} s snarkjs`,
    ]);
  } else lines.push(['cannot be proved yet', refusal ?? '']);
  return `${[['written', out], ...lines].map(([name, value]) => `${name!.padEnd(20)} ${value}`).join('\n')}\n`;
}
