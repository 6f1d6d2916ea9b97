/**
 * How often the executed graph, the one that is served and proven, answers otherwise than the file as uploaded: both
 * run in ONNX Runtime, without graph optimisation, on the same inputs. Measured when a model is registered; reported.
 */
import type * as ort from 'onnxruntime-node';
import type { ConstantTensor, Graph, ValueInfo } from '../onnx/graph.js';
import { sizeOf } from '../onnx/shape.js';
import { newTensorData } from '../onnx/tensor.js';
import { openSession, toOrtTensor } from '../quantize/calibrate.js';
import { rangeOf } from './quantization.js';

export interface Agreement {
  readonly samples: number;
  /** Elements of all outputs of the model over all samples. */
  readonly elements: number;
  readonly mismatchedElements: number;
  /** Largest absolute difference of two elements. */
  readonly maxDifference: number;
}

/** @param samples full inputs by name; at least one. */
export async function measureAgreement(
  uploaded: Uint8Array,
  executed: Uint8Array,
  samples: readonly ReadonlyMap<string, ConstantTensor>[],
): Promise<Agreement> {
  const sessions = [await openSession(uploaded), await openSession(executed)];
  // A ZipMap's output is none of the executed graph's, and no tensor that could be fetched.
  const names = sessions[0]!.outputNames.filter((name) => sessions[1]!.outputNames.includes(name));
  let elements = 0;
  let mismatchedElements = 0;
  let maxDifference = 0;
  for (const sample of samples) {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, tensor] of sample) feeds[name] = toOrtTensor(tensor);
    const [given, own] = await Promise.all(sessions.map((session) => session.run(feeds, names)));
    for (const name of names) {
      // Text of labels, whose index is what is proven.
      if (given![name]!.type === 'string') continue;
      const [expected, got] = [given, own].map((answer) => answer![name]!.data as ArrayLike<number | bigint>);
      for (let i = 0; i < expected!.length; i++) {
        elements++;
        if (expected![i] === got![i]) continue;
        mismatchedElements++;
        maxDifference = Math.max(maxDifference, Math.abs(Number(expected![i]) - Number(got![i])));
      }
    }
  }
  await Promise.all(sessions.map((session) => session.release()));
  return { samples: samples.length, elements, mismatchedElements, maxDifference };
}

/**
 * Inputs for a first measurement, when nothing better is at hand: uniform over what each input can take, the same on
 * every machine. Undefined for a float input that no QuantizeLinear reads, whose range the graph does not say.
 */
export function uniformSamples(graph: Graph, count: number): Map<string, ConstantTensor>[] | undefined {
  const ranges = graph.inputs.map((input) => inputRange(graph, input));
  if (ranges.some((range) => !range)) return undefined;
  let state = 0x9e3779b9;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return Array.from({ length: count }, () => {
    const tensors = graph.inputs.map(({ name, dtype, shape }, i): [string, ConstantTensor] => {
      const [low, high] = ranges[i]!;
      const data = newTensorData(dtype, sizeOf(shape));
      for (let k = 0; k < data.length; k++) {
        const x = low + uniform() * (high - low);
        data[k] = (
          dtype === 'float32'
            ? x
            : data instanceof BigInt64Array || data instanceof BigUint64Array
              ? BigInt(Math.round(x))
              : Math.round(x)
        ) as never;
      }
      return [name, { dtype, shape, data }];
    });
    return new Map(tensors);
  });
}

function inputRange(graph: Graph, { name, dtype }: ValueInfo): readonly [number, number] | undefined {
  if (dtype === 'int64') return rangeOf('int32');
  if (dtype === 'uint64') return rangeOf('uint32');
  if (dtype !== 'float32') return rangeOf(dtype);
  const node = graph.nodes.find(({ type, inputs }) => type === 'QuantizeLinear' && inputs[0] === name);
  const [scale, zeroPoint] = [1, 2].map((i) => graph.constants.get(node?.inputs[i] ?? ''));
  if (scale?.data.length !== 1 || zeroPoint?.data.length !== 1) return undefined;
  const [low, high] = rangeOf(zeroPoint.dtype);
  const at = (q: number): number => (q - Number(zeroPoint.data[0])) * Number(scale.data[0]);
  return [at(low), at(high)];
}
