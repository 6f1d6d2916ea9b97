/**
 * One inference twice: by ONNX Runtime on the executed graph and by the integer reference, every intermediate tensor
 * of both. Says at which layer two runs part, instead of only that the answers differ.
 */
import { createHash } from 'node:crypto';
import { elementQuantization } from '../../circuits/boundary.js';
import { interpret } from '../../circuits/interpret.js';
import type { IntegerTensors, Manifest } from '../../circuits/index.js';
import { floatOfOrder } from '../../circuits/ordered-float.js';
import type { ImportedModel } from '../../circuits/import/import.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import { resolve } from '../../circuits/resolve.js';
import { openSession } from '../inference/session.js';
import { tensorOf, type TensorDtype, type TensorValues } from '../inference/tensors.js';

export interface TracedTensor {
  readonly name: string;
  /** The node that made it; `input` for a quantized input. */
  readonly node: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number | bigint>;
}

/** In the order of computation. */
export type Trace = readonly TracedTensor[];

export interface Divergence {
  readonly node: string;
  readonly tensor: string;
  /** First differing element, row-major. */
  readonly element: number;
  readonly left: string;
  readonly right: string;
  readonly differingCount: number;
}

export function traceReference({ graph }: ImportedModel, inputs: IntegerTensors): Trace {
  const trace: TracedTensor[] = [];
  interpret(resolve(graph), inputs, (name, { dtype, shape, data }, node) => {
    trace.push({ name, node, dtype, shape, values: data });
  });
  return trace;
}

/** ONNX Runtime with every inner tensor as an output too. */
export async function traceRuntime(
  model: ImportedModel,
  manifest: Manifest,
  inputs: IntegerTensors,
): Promise<Trace> {
  const { executedGraph } = model;
  const own = new Set(executedGraph.outputs.map(({ name }) => name));
  const observed = executedGraph.nodes.flatMap(({ outputs }) =>
    outputs.filter((name) => name !== '' && !own.has(name)),
  );
  const specs = executedGraph.inputs.map(({ name, dtype, shape }) => ({
    name,
    dtype: dtype as TensorDtype,
    shape,
  }));
  const session = await openSession(encodeGraph(executedGraph, { observed }), specs);
  try {
    const results = new Map(
      (await session.run(runtimeInputs(manifest, inputs))).map((tensor) => [tensor.name, tensor]),
    );
    return executedGraph.nodes.flatMap(({ name: node, outputs }) =>
      outputs.flatMap((name) => {
        const tensor = results.get(name);
        return tensor
          ? [{ name, node, dtype: tensor.dtype, shape: tensor.shape, values: tensor.values }]
          : [];
      }),
    );
  } finally {
    await session.close();
  }
}

/**
 * What ONNX Runtime is fed so that its own QuantizeLinear gives back these integers: (q − zero point)·scale, whose
 * rounding error is far below half a step.
 */
export function runtimeInputs(manifest: Manifest, inputs: IntegerTensors): Map<string, TensorValues> {
  const feeds = new Map<string, TensorValues>();
  for (const { name, given, shape, quantization, encoding } of manifest.inputs) {
    const integers = inputs.get(name);
    if (integers === undefined) throw new RangeError(`input "${name}": must be given, got none`);
    const values = Array.from(integers, (value, i) => {
      if (encoding === 'ordered-float32') return floatOfOrder(value);
      if (quantization === undefined) return value;
      const { scale, zeroPoint } = elementQuantization(quantization, shape, i);
      return (value - zeroPoint) * scale;
    });
    feeds.set(name, tensorOf(given as TensorDtype, values));
  }
  return feeds;
}

/** The first tensor, in the left run's order, that both runs have and that differs; undefined if none does. */
export function firstDivergence(left: Trace, right: Trace): Divergence | undefined {
  const others = new Map(right.map((tensor) => [tensor.name, tensor]));
  for (const { name, node, values } of left) {
    const other = others.get(name);
    if (other === undefined) continue;
    const differing = differences(values, other.values);
    if (differing.length === 0) continue;
    const [element] = differing;
    return {
      node,
      tensor: name,
      element,
      left: String(values[element]),
      right: String(other.values[element]),
      differingCount: differing.length,
    };
  }
  return undefined;
}

function differences(left: ArrayLike<number | bigint>, right: ArrayLike<number | bigint>): number[] {
  const differing: number[] = [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] === undefined || right[i] === undefined || Number(left[i]) !== Number(right[i]))
      differing.push(i);
  }
  return differing;
}

/** A trace small enough to send: a run elsewhere is compared by it. */
export function traceDigests(
  trace: Trace,
): { name: string; node: string; dtype: string; shape: readonly number[]; sha256: string }[] {
  return trace.map(({ name, node, dtype, shape, values }) => ({
    ...{ name, node, dtype, shape },
    sha256: createHash('sha256').update(Array.from(values, String).join()).digest('hex'),
  }));
}
