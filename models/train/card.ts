/** Writes a model folder: float and int8 ONNX, held-out samples, and the card that says how good it is. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSession, type CalibrationInput } from '../../circuits/quantize/calibrate.js';
import type { QuantizeOptions } from '../../circuits/quantize/emitter.js';
import { quantizeGraph } from '../../circuits/quantize/quantize-graph.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { Graph } from '../../circuits/onnx/graph.js';
import { argMax, type LabelledSample } from './network.js';
import * as ort from 'onnxruntime-node';

export interface HeldOutSample {
  /** Position in the data set, so that the sample can be found again. */
  readonly index: number;
  readonly sample: LabelledSample;
}

export interface ModelFolder {
  /** Folder under models/. */
  readonly name: string;
  readonly graph: Graph;
  readonly calibration: readonly LabelledSample[];
  readonly heldOut: readonly HeldOutSample[];
  readonly savedSamples: number;
  /** Digits after the point that the data set itself carries. */
  readonly decimals: number;
  readonly options: QuantizeOptions;
  /** Architecture, data, licence, seeds: whatever a reader needs to repeat the training. */
  readonly training: Readonly<Record<string, unknown>>;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Label of every sample by the given ONNX file. */
export async function classifyAll(
  model: Uint8Array,
  graph: Graph,
  samples: readonly LabelledSample[],
): Promise<number[]> {
  const session = await openSession(model);
  const input = graph.inputs[0]!;
  const labels: number[] = [];
  for (const { x } of samples) {
    const results = await session.run({ [input.name]: new ort.Tensor('float32', x, [...input.shape]) });
    labels.push(argMax(results[graph.outputs[0]!.name]!.data as Float32Array));
  }
  await session.release();
  return labels;
}

export async function writeModelFolder(folder: ModelFolder): Promise<void> {
  const { graph, heldOut, options } = folder;
  const input = graph.inputs[0]!;
  const asInput = ({ x }: LabelledSample): CalibrationInput =>
    new Map([[input.name, { dtype: 'float32', shape: input.shape, data: x }]]);
  const floatModel = encodeGraph(graph);
  const model = encodeGraph((await quantizeGraph(graph, folder.calibration.map(asInput), options)).graph);
  const samples = heldOut.map(({ sample }) => sample);
  const floatLabels = await classifyAll(floatModel, graph, samples);
  const labels = await classifyAll(model, graph, samples);
  const share = (hits: number): number => hits / samples.length;
  const right = (found: number[]): number => found.filter((label, i) => label === samples[i]!.label).length;
  const card = {
    name: folder.name,
    ...folder.training,
    parameters: [...graph.constants.values()].reduce((sum, { data }) => sum + data.length, 0),
    heldOutSamples: samples.length,
    floatAccuracy: share(right(floatLabels)),
    int8Accuracy: share(right(labels)),
    labelAgreement: share(labels.filter((label, i) => label === floatLabels[i]).length),
    quantization: {
      ...options,
      calibrationSamples: folder.calibration.length,
      scheme: 'lattice scales, QOperator, s8×s8',
    },
    onnxruntime: ort.env.versions.node ?? 'unknown',
    files: { 'float.onnx': sha256(floatModel), 'model.onnx': sha256(model) },
  };
  const directory = join(process.cwd(), 'models', folder.name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'float.onnx'), floatModel);
  writeFileSync(join(directory, 'model.onnx'), model);
  writeFileSync(join(directory, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
  const saved = heldOut.slice(0, folder.savedSamples).map(({ index, sample }) => ({
    index,
    label: sample.label,
    x: Array.from(sample.x, (value) => Number(value.toFixed(folder.decimals))),
  }));
  const lines = saved.map((sample) => `    ${JSON.stringify(sample)}`).join(',\n');
  writeFileSync(
    join(directory, 'samples.json'),
    `{\n  "source": ${JSON.stringify(folder.training.data)},\n  "shape": ${JSON.stringify(input.shape)},\n  "samples": [\n${lines}\n  ]\n}\n`,
  );
  process.stdout.write(`${JSON.stringify(card, null, 2)}\n`);
}
