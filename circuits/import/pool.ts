/** Pools and means. A maximum commutes with quantization; an average is a convolution with equal weights, exact in integers. */
import { intAttribute, refuseNode } from '../onnx/node.js';
import { mapByCoordinates, sizeOf, stridesOf, type NodeContext } from '../onnx/shape.js';
import { windowOf } from '../onnx/window.js';
import { reducedAxes } from '../onnx/wiring.js';
import type { Tensor } from './builder.js';
import { emitConvolution, emitMatrixProduct, type Operand } from './linear.js';
import type { Lowering } from './lowering.js';
import type { Quantization } from './quantization.js';
import type { DequantizedFloat } from './value.js';
import { reshape } from './wires.js';

export function emitPool(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  if (node.outputs[1]) refuseNode(node, 'outputs', '1 (no indices)', 2);
  if (node.type === 'MaxPool' || node.type === 'GlobalMaxPool') maximum(lowering, context);
  else if (node.type === 'ReduceMax' || node.type === 'ReduceMin') reducedExtremum(lowering, context);
  else average(lowering, context);
}

function maximum(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  const spatial = context.type(0)!.shape.slice(2);
  const window = node.type === 'MaxPool' ? windowOf(context, spatial) : undefined;
  if (intAttribute(node, 'storage_order', 0) !== 0) refuseNode(node, 'storage_order', '0', 1);
  const apply = ([x]: readonly Tensor[]): Tensor =>
    lowering.builder.emit(
      node.name,
      { dtype: x!.dtype, shape },
      {
        type: 'MaxPool',
        inputs: [x!.name],
        attributes: {
          ceil_mode: { kind: 'int', value: intAttribute(node, 'ceil_mode', 0) },
          dilations: { kind: 'ints', value: window?.dilations ?? spatial.map(() => 1) },
          kernel_shape: { kind: 'ints', value: window?.kernel ?? spatial },
          pads: {
            kind: 'ints',
            value: window ? [...window.before, ...window.after] : spatial.flatMap(() => [0, 0]),
          },
          strides: { kind: 'ints', value: window?.strides ?? spatial.map(() => 1) },
        },
      },
    );
  pickedBy(lowering, context, apply);
}

/** ReduceMax and ReduceMin: like a pool over whole axes, the smallest too. */
function reducedExtremum(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const { builder } = lowering;
  const axes = builder.int64s('axes', [...reducedAxes(context)]);
  const keepdims = { kind: 'int', value: intAttribute(node, 'keepdims', 1) } as const;
  const shape = lowering.shapeOf(node.outputs[0]!);
  pickedBy(lowering, context, ([x]) =>
    builder.emit(
      node.name,
      { dtype: x!.dtype, shape },
      { type: node.type, inputs: [x!.name, axes.name], attributes: { keepdims } },
    ),
  );
}

/** An operator that picks elements commutes with quantization: it is emitted on the integers. */
function pickedBy(
  lowering: Lowering,
  { node }: NodeContext,
  apply: (tensors: readonly Tensor[]) => Tensor,
): void {
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  const value = lowering.value(node.inputs[0]!)!;
  if (value.kind === 'integer') return lowering.setInteger(output, apply([value.tensor]));
  const { float } = value;
  if (float.op === 'dequantized' && float.quantization.axis === undefined) {
    lowering.setFloat(output, { ...float, tensor: apply([float.tensor]), shape });
  } else {
    lowering.setFloat(output, { op: 'moved', node, shape, sources: [float], apply });
  }
}

/** For every output element the input elements it averages. */
interface Averaging {
  readonly members: readonly number[][];
}

function average(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const output = node.outputs[0]!;
  const shape = lowering.shapeOf(output);
  const source = lowering.dequantized(node, 0);
  lowering.setFloat(output, {
    op: 'pooled',
    node,
    shape,
    source,
    emit: (from, to) =>
      node.type === 'ReduceMean' || node.type === 'ReduceSum'
        ? emitMean(lowering, context, from, to, shape)
        : emitWindowAverage(lowering, context, from, to, shape),
  });
}

function ones(lowering: Lowering, dtype: 'int8' | 'uint8', shape: readonly number[], scale: number): Operand {
  const count = sizeOf(shape);
  const data = dtype === 'int8' ? new Int8Array(count).fill(1) : new Uint8Array(count).fill(1);
  const constant = { dtype, shape, data };
  return {
    tensor: lowering.builder.constant('ones', constant),
    quantization: { dtype, scales: Float32Array.of(scale), zeroPoints: [0], axis: undefined },
    constant,
  };
}

/** Windows of one size everywhere: a depthwise convolution with weights 1 at scale 1/size. */
function emitWindowAverage(
  lowering: Lowering,
  context: NodeContext,
  from: DequantizedFloat,
  to: Quantization,
  shape: readonly number[],
): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const dtype = from.quantization.dtype as 'int8' | 'uint8';
  const [, channels, ...spatial] = from.shape as [number, number, ...number[]];
  const window =
    node.type === 'GlobalAveragePool'
      ? {
          kernel: spatial,
          strides: spatial.map(() => 1),
          dilations: spatial.map(() => 1),
          before: spatial.map(() => 0),
          after: spatial.map(() => 0),
          output: spatial.map(() => 1),
        }
      : windowOf(context, spatial);
  const countsPadding = intAttribute(node, 'count_include_pad', 0) !== 0;
  const overhangs = spatial.some((dim, i) => {
    const last =
      (window.output[i]! - 1) * window.strides[i]! +
      (window.kernel[i]! - 1) * window.dilations[i]! -
      window.before[i]!;
    return last >= dim + window.after[i]!;
  });
  const padded = window.before.some((x) => x > 0) || window.after.some((x) => x > 0);
  if (overhangs || (padded && !countsPadding))
    return emitUnevenAverage(lowering, context, from, to, shape, countsPadding);
  const w = ones(lowering, dtype, [channels, 1, ...window.kernel], Math.fround(1 / sizeOf(window.kernel)));
  return emitConvolution(builder, {
    node,
    name: node.name,
    x: from,
    w,
    to,
    shape,
    attributes: {
      dilations: window.dilations,
      group: channels,
      kernel_shape: window.kernel,
      pads: [...window.before, ...window.after],
      strides: window.strides,
    },
  });
}

/** Windows that count differently: a matrix of zeros and ones over the spatial axes, with one scale a column. */
function emitUnevenAverage(
  lowering: Lowering,
  context: NodeContext,
  from: DequantizedFloat,
  to: Quantization,
  shape: readonly number[],
  countsPadding: boolean,
): Tensor {
  const { node } = context;
  const [n, channels, ...spatial] = from.shape as [number, number, ...number[]];
  const window = windowOf(context, spatial);
  const strides = stridesOf(spatial);
  const counts: number[] = [];
  const members: number[][] = [];
  mapByCoordinates(window.output, (at) => {
    const inside: number[] = [];
    let count = 0;
    mapByCoordinates(window.kernel, (k) => {
      const x = at.map((o, i) => o * window.strides[i]! + k[i]! * window.dilations[i]! - window.before[i]!);
      if (x.every((xi, i) => xi >= 0 && xi < spatial[i]!))
        inside.push(x.reduce((sum, xi, i) => sum + xi * strides[i]!, 0));
      // Padding counts where asked for, what overhangs the padding never does.
      if (x.every((xi, i) => xi < spatial[i]! + window.after[i]!)) count++;
      return 0;
    });
    members.push(inside);
    counts.push(countsPadding ? count : inside.length);
    return 0;
  });
  const rows = reshape(lowering.builder, `${node.name}/rows`, from.tensor, [n * channels, sizeOf(spatial)]);
  const y = emitAveragingProduct(
    lowering,
    context,
    { ...from, tensor: rows, shape: rows.shape },
    to,
    { members },
    counts,
  );
  return reshape(lowering.builder, `${node.name}/result`, y, shape);
}

function emitMean(
  lowering: Lowering,
  context: NodeContext,
  from: DequantizedFloat,
  to: Quantization,
  shape: readonly number[],
): Tensor {
  const { builder } = lowering;
  const { node } = context;
  const axes = reducedAxes(context);
  if (axes.size === 0) refuseNode(node, 'axes', 'at least one', 'none');
  const kept = from.shape.map((_, axis) => axis).filter((axis) => !axes.has(axis));
  const perm = [...kept, ...[...axes].sort((p, q) => p - q)];
  const count = [...axes].reduce((product, axis) => product * from.shape[axis]!, 1);
  const inOrder = perm.every((axis, i) => axis === i);
  const turned = inOrder
    ? from.tensor
    : builder.emit(
        `${node.name}/turned`,
        { dtype: from.tensor.dtype, shape: perm.map((axis) => from.shape[axis]!) },
        {
          type: 'Transpose',
          inputs: [from.tensor.name],
          attributes: { perm: { kind: 'ints', value: perm } },
        },
      );
  const rows = reshape(builder, `${node.name}/rows`, turned, [sizeOf(from.shape) / count, count]);
  const members = [Array.from({ length: count }, (_, i) => i)];
  const y = emitAveragingProduct(
    lowering,
    context,
    { ...from, tensor: rows, shape: rows.shape },
    to,
    { members },
    [node.type === 'ReduceSum' ? 1 : count],
  );
  return reshape(builder, `${node.name}/result`, y, shape);
}

function emitAveragingProduct(
  lowering: Lowering,
  { node }: NodeContext,
  rows: DequantizedFloat,
  to: Quantization,
  { members }: Averaging,
  counts: readonly number[],
): Tensor {
  const { builder } = lowering;
  const dtype = rows.quantization.dtype as 'int8' | 'uint8';
  const [height, width] = rows.shape as [number, number];
  const columns = members.length;
  const data = dtype === 'int8' ? new Int8Array(width * columns) : new Uint8Array(width * columns);
  members.forEach((inside, column) => inside.forEach((row) => (data[row * columns + column] = 1)));
  const constant = { dtype, shape: [width, columns], data };
  const same = counts.every((count) => count === counts[0]);
  const b: Operand = {
    tensor: builder.constant(`${node.name}/windows`, constant),
    quantization: {
      dtype,
      scales: Float32Array.from(same ? [1 / counts[0]!] : counts.map((count) => 1 / count)),
      zeroPoints: new Array<number>(same ? 1 : columns).fill(0),
      axis: same ? undefined : 1,
    },
    constant,
  };
  return emitMatrixProduct(builder, { node, name: node.name, a: rows, b, to, shape: [height, columns] });
}
