import { answersOf } from './answer-record.js';
import { type Quantization, viewOf } from './boundary.js';
import { ModelRefused } from './errors.js';
import type { AttributeValue, Graph } from './onnx/graph.js';
import {
  PACKED_DTYPES,
  packedDtypeOf,
  signalCount,
  SIGNAL_BYTES,
  type PackedDtype,
} from './public-signals.js';
import { type QuantizationRecord, recordOf } from './quantization-record.js';
import type { ResolvedGraph } from './resolve.js';
import { elementCount } from './tensor.js';

export type InputMode = 'committed' | 'public';
export type OutputMode = 'packed' | 'commitment';

export interface TensorInfo {
  readonly name: string;
  /** Type of the integers that are packed. */
  readonly dtype: PackedDtype;
  readonly shape: readonly number[];
  readonly quantization?: Quantization;
  /** Signals of the packed tensor. */
  readonly signalCount: number;
}

/** What the public signals of a model mean: plain JSON, hashed into modelId, so that no other reading fits the key. */
export interface Manifest {
  readonly manifestVersion: 1;
  readonly inputMode: InputMode;
  /** In the order they are packed. `given` is the dtype a caller supplies (float32 is quantized first). */
  readonly inputs: readonly (TensorInfo & {
    readonly given: string;
    /** `ordered-float32`: the integer is the float's place in the order of float32, +0 = −0 = 0, NaN 0x7f800001. */
    readonly encoding?: 'ordered-float32';
    /** Inclusive, where not all of the packed type stands for something: 4-bit integers, ordered floats. */
    readonly range?: readonly [number, number];
  })[];
  /** Bytes of all packed inputs, without padding: the length inside the commitment. */
  readonly inputByteLength: number;
  readonly outputMode: OutputMode;
  readonly outputs: readonly TensorInfo[];
  readonly outputByteLength: number;
  readonly packing: {
    readonly signalBytes: number;
    readonly elementOrder: 'row-major';
    readonly byteOrder: 'big-endian';
  };
  /** Public signals of a proof: ctx, input, outputs. */
  readonly publicSignalCount: number;
  /** What happens to the proven integers outside the proof, in order. */
  readonly postProcessing: readonly PostProcessingStep[];
  /** How well the int8 model agrees with the float one it was made of; absent for a model that was never float. */
  readonly quantizedFrom?: QuantizationRecord;
  /** The model's own outputs, after post-processing. */
  readonly results: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
  }[];
}

export interface PostProcessingStep {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | string | readonly number[] | readonly string[]>>;
  readonly quantization?: Quantization;
}

export function manifestOf(
  graph: Graph,
  { boundary, types }: ResolvedGraph,
  inputMode: InputMode,
  outputMode: OutputMode,
): Manifest {
  // Its salt would be free: one public input would have many output commitments, and two honest proofs would pass
  // for the contradiction that freezes a model on chain.
  if (inputMode === 'public' && outputMode === 'commitment')
    throw new ModelRefused({
      where: 'manifest',
      what: 'outputMode',
      expected: 'packed where the input is public',
      got: outputMode,
    });
  const steps = boundary.postProcessing.map((node): PostProcessingStep => {
    const { type, inputs, outputs, attributes } = node;
    const step = { operator: type, inputs, outputs, attributes: plainAttributes(attributes) };
    if (type !== 'DequantizeLinear') return step;
    const view = viewOf(graph, node);
    // A tail may quantize again: its integers have the type of the zero point.
    const dtype = types.get(inputs[0])?.dtype ?? view.operands[2]?.dtype ?? 'uint8';
    const zeroPoint = view.zeroPoints(2, 'x_zero_point', dtype)[0];
    return { ...step, quantization: { scale: view.scales(1, 'x_scale')[0], zeroPoint } };
  });
  const inputs = boundary.inputs.map(({ name, given, dtype, shape, quantization, isOrdered }) => ({
    ...(given.range && { range: given.range }),
    name,
    given: given.dtype,
    dtype,
    shape,
    ...(quantization && { quantization }),
    ...(isOrdered && { encoding: 'ordered-float32' as const }),
    signalCount: signalCount(dtype, elementCount(shape)),
  }));
  const outputs = boundary.outputs.map((name): TensorInfo => {
    const { dtype: own, shape } = types.get(name)!;
    const dtype = packedDtypeOf(own)!;
    const quantization = steps.find((step) => step.inputs[0] === name)?.quantization;
    return {
      name,
      dtype,
      shape,
      ...(quantization && { quantization }),
      signalCount: signalCount(dtype, elementCount(shape)),
    };
  });
  const quantizedFrom = recordOf(graph.metadata);
  const signals = (tensors: readonly TensorInfo[]) =>
    tensors.reduce((sum, tensor) => sum + tensor.signalCount, 0);
  return {
    manifestVersion: 1,
    inputMode,
    inputs,
    inputByteLength: byteLength(inputs),
    outputMode,
    outputs,
    outputByteLength: byteLength(outputs),
    packing: { signalBytes: SIGNAL_BYTES, elementOrder: 'row-major', byteOrder: 'big-endian' },
    publicSignalCount:
      1 + (inputMode === 'public' ? signals(inputs) : 1) + (outputMode === 'packed' ? signals(outputs) : 1),
    postProcessing: [...steps, ...namingSteps(graph)],
    ...(quantizedFrom && { quantizedFrom }),
    results: graph.outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}

/** Class names that were taken off the answers: ai.onnx.ml's operators, behind everything else. */
function namingSteps({ metadata, outputs }: Graph): PostProcessingStep[] {
  const names = outputs.map(({ name }) => name);
  return answersOf(metadata, names).map(({ operator, tensor, output, labels }) => {
    const isText = labels.every((label) => typeof label === 'string');
    const attributes =
      operator === 'LabelEncoder'
        ? { keys_int64s: labels.map((_, i) => i), values_strings: labels }
        : { [isText ? 'classlabels_strings' : 'classlabels_int64s']: labels };
    return { operator, inputs: [tensor], outputs: [output], attributes };
  }) as PostProcessingStep[];
}

function byteLength(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((sum, { dtype, shape }) => sum + PACKED_DTYPES[dtype].bytes * elementCount(shape), 0);
}

function plainAttributes(attributes: ReadonlyMap<string, AttributeValue>): PostProcessingStep['attributes'] {
  const plain: Record<string, number | string | readonly number[] | readonly string[]> = {};
  for (const name of [...attributes.keys()].sort()) {
    const attribute = attributes.get(name)!;
    if (attribute.kind !== 'tensor') plain[name] = attribute.value;
  }
  return plain;
}
