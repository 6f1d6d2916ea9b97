/** How good is the integer graph? Compared with the float one through ONNX Runtime, sample by sample and layer by layer. */
import type * as ort from 'onnxruntime-node';
import { encodeGraph } from '../onnx/encode.js';
import type { Graph } from '../onnx/graph.js';
import { type CalibrationInput, openSession, toOrtTensor } from './calibrate.js';
import type { QuantizedGraph } from './quantize-graph.js';

export interface LayerFidelity {
  /** Float value and the layer's signal-to-noise ratio in decibels: 10·log10(Σ float² / Σ (float − int8)²). */
  readonly value: string;
  readonly decibels: number;
}

export interface Evaluation {
  readonly samples: number;
  /** Shares of samples with the right label; null without labels. */
  readonly floatAccuracy: number | null;
  readonly int8Accuracy: number | null;
  /** Share of samples on which both give the same label. */
  readonly agreement: number;
  /** Largest difference of an output element, in the output's unit. */
  readonly maxDifference: number;
  /** The least faithful values, worst first. */
  readonly worstLayers: readonly LayerFidelity[];
}

const WORST_LAYERS = 5;
/** Layer-wise comparison needs few samples; it keeps every activation. */
const LAYER_SAMPLES = 32;

/**
 * The label that an output stands for: an integer output is the label itself, one score says "above the threshold",
 * several name the greatest (the lowest index on ties).
 */
export function labelOf(values: ArrayLike<number | bigint>, threshold: number): number {
  if (typeof values[0] === 'bigint') return Number(values[0]);
  if (values.length === 1) return Number(values[0]! > threshold);
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** @param labels one per input, or none. */
export async function evaluateQuantized(
  floatGraph: Graph,
  quantized: QuantizedGraph,
  inputs: readonly CalibrationInput[],
  labels: readonly number[] | undefined,
): Promise<Evaluation> {
  const output = floatGraph.outputs[0]!.name;
  // A single score after a Sigmoid is a probability; without one it is a log-odds.
  const isProbability = floatGraph.nodes.some(
    (node) => node.outputs[0] === output && node.type === 'Sigmoid',
  );
  const threshold = isProbability ? 0.5 : 0;
  const floatSession = await openSession(encodeGraph(floatGraph));
  const session = await openSession(encodeGraph(quantized.graph));
  let [agreed, floatRight, right, maxDifference] = [0, 0, 0, 0];
  for (const [i, input] of inputs.entries()) {
    const [expected, got] = await Promise.all([run(floatSession, input), run(session, input)]);
    const [a, b] = [expected[output]!.data, got[output]!.data] as [ArrayLike<number>, ArrayLike<number>];
    for (let k = 0; k < a.length; k++)
      maxDifference = Math.max(maxDifference, Math.abs(Number(a[k]!) - Number(b[k]!)));
    const [floatLabel, label] = [labelOf(a, threshold), labelOf(b, threshold)];
    if (floatLabel === label) agreed++;
    if (labels && floatLabel === labels[i]) floatRight++;
    if (labels && label === labels[i]) right++;
  }
  await Promise.all([floatSession.release(), session.release()]);
  const share = (count: number): number => (inputs.length > 0 ? count / inputs.length : 0);
  return {
    samples: inputs.length,
    floatAccuracy: labels ? share(floatRight) : null,
    int8Accuracy: labels ? share(right) : null,
    agreement: share(agreed),
    maxDifference,
    worstLayers: await compareLayers(floatGraph, quantized, inputs.slice(0, LAYER_SAMPLES)),
  };
}

async function compareLayers(
  floatGraph: Graph,
  { graph, integers }: QuantizedGraph,
  inputs: readonly CalibrationInput[],
): Promise<LayerFidelity[]> {
  const outputs = new Set(floatGraph.outputs.map(({ name }) => name));
  // What only a rectifier reads loses its negative part on purpose.
  const isClampedAway = (name: string): boolean => {
    const readers = floatGraph.nodes.filter((node) => node.inputs.includes(name));
    return readers.length > 0 && readers.every(({ type }) => type === 'Relu' || type === 'Clip');
  };
  const values = floatGraph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => integers.has(name) && (outputs.has(name) || !isClampedAway(name)));
  const inner = values.filter((name) => !outputs.has(name));
  const floatSession = await openSession(encodeGraph(floatGraph, { observed: inner }));
  const session = await openSession(
    encodeGraph(graph, { observed: [...new Set(values.map((name) => integers.get(name)!.name))] }),
  );
  const signal = new Map<string, number>();
  const noise = new Map<string, number>();
  for (const input of inputs) {
    const [expected, got] = await Promise.all([run(floatSession, input), run(session, input)]);
    for (const name of values) {
      const { name: integer, scale, zeroPoint } = integers.get(name)!;
      const [x, q] = [expected[name]?.data as Float32Array, got[integer]?.data as Int8Array];
      if (!x || !q || x.length !== q.length) continue;
      let [power, error] = [signal.get(name) ?? 0, noise.get(name) ?? 0];
      x.forEach((value, k) => {
        power += value * value;
        error += (value - scale * (q[k]! - zeroPoint)) ** 2;
      });
      signal.set(name, power);
      noise.set(name, error);
    }
  }
  await Promise.all([floatSession.release(), session.release()]);
  const decibels = (name: string): number =>
    Math.round(100 * Math.log10(signal.get(name)! / Math.max(noise.get(name)!, 1e-30))) / 10;
  return [...signal.keys()]
    .filter((name) => signal.get(name)! > 0)
    .map((value) => ({ value, decibels: decibels(value) }))
    .sort((a, b) => a.decibels - b.decibels)
    .slice(0, WORST_LAYERS);
}

async function run(
  session: ort.InferenceSession,
  input: CalibrationInput,
): Promise<ort.InferenceSession.OnnxValueMapType> {
  return session.run(Object.fromEntries([...input].map(([name, tensor]) => [name, toOrtTensor(tensor)])));
}
