/**
 * Convolutions whose filters have zero points of their own: ONNX Runtime's kernels take one zero point for all, so each
 * output channel becomes a convolution of its own, on the input channels of its group.
 */
import type { ConstantTensor } from '../onnx/graph.js';
import { newTensorData } from '../onnx/tensor.js';
import type { GraphBuilder, Tensor } from './builder.js';
import type { Operand } from './linear.js';

/** True if the filters do not share one zero point. */
export function hasOwnZeros({ quantization }: Operand): boolean {
  return quantization.zeroPoints.some((zero) => zero !== quantization.zeroPoints[0]);
}

/** The convolution of channel c is `emit(x, w, c, shape)`; they are joined along axis 1. */
export function channelByChannel(
  builder: GraphBuilder,
  name: string,
  x: Operand,
  w: Operand,
  shape: readonly number[],
  emit: (x: Operand, w: Operand, channel: number, shape: readonly number[]) => Tensor,
): Tensor {
  const [filters, depth] = w.tensor.shape as [number, number];
  const groups = x.tensor.shape[1]! / depth;
  const inputs = Array.from({ length: groups }, (_, group) =>
    groups === 1
      ? x
      : { ...x, constant: undefined, tensor: channels(builder, x.tensor, group * depth, depth) },
  );
  const own = [shape[0]!, 1, ...shape.slice(2)];
  const parts = Array.from({ length: filters }, (_, c) =>
    emit(inputs[Math.floor((c * groups) / filters)]!, filter(builder, w, c), c, own),
  );
  return builder.emit(
    name,
    { dtype: parts[0]!.dtype, shape },
    {
      type: 'Concat',
      inputs: parts.map((part) => part.name),
      attributes: { axis: { kind: 'int', value: 1 } },
    },
  );
}

function channels(builder: GraphBuilder, x: Tensor, from: number, count: number): Tensor {
  const bounds = [[from], [from + count], [1]].map((list) => builder.int64s('slice', list).name);
  const shape = x.shape.map((dim, axis) => (axis === 1 ? count : dim));
  return builder.emit(
    `${x.name}/group`,
    { dtype: x.dtype, shape },
    { type: 'Slice', inputs: [x.name, ...bounds] },
  );
}

/** One filter of constant weights. */
function filter(builder: GraphBuilder, w: Operand, c: number): Operand {
  const { dtype, shape, data } = w.constant!;
  const size = data.length / shape[0]!;
  const values = newTensorData(dtype, size);
  for (let i = 0; i < size; i++) values[i] = data[c * size + i]! as never;
  const constant: ConstantTensor = { dtype, shape: [1, ...shape.slice(1)], data: values };
  const { scales, zeroPoints } = w.quantization;
  const quantization = {
    ...w.quantization,
    axis: undefined,
    scales: Float32Array.of(scales[scales.length === 1 ? 0 : c]!),
    zeroPoints: [zeroPoints[c]!],
  };
  return { tensor: builder.constant(`${w.tensor.name}/${c}`, constant), quantization, constant };
}
