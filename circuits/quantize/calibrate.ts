/** Runs a float graph through ONNX Runtime and records what range every value takes. */
import * as ort from 'onnxruntime-node';
import { encodeGraph } from '../onnx/encode.js';
import type { ConstantTensor, Graph } from '../onnx/graph.js';
import type { ValueRange } from './lattice.js';

/** One input to the graph: a tensor per graph input, float32 unless the graph says otherwise. */
export type CalibrationInput = ReadonlyMap<string, ConstantTensor>;

export interface ObservedValue extends ValueRange {
  readonly shape: readonly number[];
  /** By index of the last axis, for graph inputs. */
  readonly columnMin?: Float32Array;
  readonly columnMax?: Float32Array;
}

/** Subsample kept per value: enough for a stable squared error, small enough for wide nets. */
const SAMPLE_LENGTH = 1 << 16;

export function toOrtTensor({ dtype, data, shape }: ConstantTensor): ort.Tensor {
  return new ort.Tensor(dtype as 'float32', data as Float32Array, [...shape]);
}

/** `session.x64quantprecision` keeps u8×s8 products exact on CPUs without VNNI. */
export async function openSession(bytes: Uint8Array): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { x64quantprecision: '1' } },
  });
}

/** Ranges and shapes of every float value of the graph, inputs included, over all calibration inputs. */
export async function observeValues(
  graph: Graph,
  inputs: readonly CalibrationInput[],
): Promise<Map<string, ObservedValue>> {
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const columns = new Map<string, { columnMin: Float32Array; columnMax: Float32Array }>();
  const inner = graph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => name !== '' && !outputs.has(name));
  const session = await openSession(encodeGraph(graph, { observed: inner }));
  const perRun = Math.max(64, Math.ceil(SAMPLE_LENGTH / Math.max(1, inputs.length)));
  const seen = new Map<
    string,
    { min: number; max: number; shape: readonly number[]; parts: Float32Array[] }
  >();
  const record = (name: string, values: Float32Array, shape: readonly number[]): void => {
    let entry = seen.get(name);
    if (!entry) seen.set(name, (entry = { min: Infinity, max: -Infinity, shape, parts: [] }));
    for (const v of values) {
      // Infinities and NaN of a function outside its domain have no place in a range.
      if (v < entry.min && v > -Infinity) entry.min = v;
      if (v > entry.max && v < Infinity) entry.max = v;
    }
    const stride = Math.max(1, Math.floor(values.length / perRun));
    entry.parts.push(values.filter((v, i) => i % stride === 0 && Number.isFinite(v)));
  };
  for (const input of inputs) {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, tensor] of input) {
      feeds[name] = toOrtTensor(tensor);
      if (tensor.dtype !== 'float32') continue;
      record(name, tensor.data as Float32Array, tensor.shape);
      recordColumns(columns, name, tensor);
    }
    const results = await session.run(feeds);
    for (const [name, tensor] of Object.entries(results))
      if (tensor.type === 'float32') record(name, tensor.data as Float32Array, tensor.dims);
  }
  await session.release();
  return new Map(
    [...seen].map(([name, { min, max, shape, parts }]) => [
      name,
      {
        min: Number.isFinite(min) ? min : 0,
        max: Number.isFinite(max) ? max : 0,
        shape,
        sample: concatenate(parts),
        ...columns.get(name),
      },
    ]),
  );
}

function recordColumns(
  columns: Map<string, { columnMin: Float32Array; columnMax: Float32Array }>,
  name: string,
  { data, shape }: ConstantTensor,
): void {
  const width = shape[shape.length - 1] ?? 1;
  const entry = columns.get(name) ?? {
    columnMin: new Float32Array(width).fill(Infinity),
    columnMax: new Float32Array(width).fill(-Infinity),
  };
  columns.set(name, entry);
  (data as Float32Array).forEach((value, i) => {
    const column = i % width;
    entry.columnMin[column] = Math.min(entry.columnMin[column]!, value);
    entry.columnMax[column] = Math.max(entry.columnMax[column]!, value);
  });
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
