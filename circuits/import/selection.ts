/**
 * Operators that choose elements by computed integers, written in operators that a circuit carries: comparisons with
 * constants, Where, and Gather along one axis, whose one-hot choice proves that every index lies in its range.
 */
import type { AttributeValue, Dtype } from '../onnx/graph.js';
import { axisOf, intAttribute, refuseNode } from '../onnx/node.js';
import { sizeOf, stridesOf, type NodeContext } from '../onnx/shape.js';
import { dtypeCodes, newTensorData } from '../onnx/tensor.js';
import type { GraphBuilder, Tensor } from './builder.js';
import { lowerChoice } from './choice.js';
import { emitInteger } from './emit-integer.js';
import type { Lowering } from './lowering.js';
import { reshape } from './wires.js';

function constants(
  builder: GraphBuilder,
  wish: string,
  dtype: Dtype,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor {
  const data = newTensorData(dtype, values.length);
  for (let i = 0; i < values.length; i++)
    data[i] = (dtype === 'int64' || dtype === 'uint64' ? BigInt(values[i]!) : values[i]!) as never;
  return builder.constant(wish, { dtype, shape, data });
}

const axisAttribute = (axis: number): Readonly<Record<string, AttributeValue>> => ({
  axis: { kind: 'int', value: axis },
});

/** Trilu by a computed diagonal k: x where column − row is on the right side of k, else 0. */
export function triangle(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const x = lowering.integer(node, 0);
  const k = lowering.integer(node, 1);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const offsets = Int32Array.from(
    { length: rows * columns },
    (_, i) => (i % columns) - Math.floor(i / columns),
  );
  const diagonals = constants(builder, `${node.name}/diagonals`, k.dtype, [rows, columns], offsets);
  const isUpper = intAttribute(node, 'upper', 1) !== 0;
  const scalar = reshape(builder, `${node.name}/k`, k, []);
  const kept = emitInteger(
    builder,
    `${node.name}/kept`,
    { dtype: 'bool', shape: [rows, columns] },
    isUpper ? 'GreaterOrEqual' : 'LessOrEqual',
    [diagonals, scalar],
  );
  const zero = constants(builder, 'zero', x.dtype, [], [0]);
  return emitInteger(builder, node.name, x, 'Where', [kept, x, zero]);
}

/** OneHot: on where the index or the index + depth is the position, else off. */
export function lowerOneHot(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const { builder } = lowering;
  const indices = lowering.integer(node, 0);
  const output = node.outputs[0]!;
  const type = { dtype: lowering.dtypeOf(node.outputs[0]!), shape: lowering.shapeOf(node.outputs[0]!) };
  const axis = axisOf(node, intAttribute(node, 'axis', -1), indices.shape.length + 1);
  const depth = type.shape[axis]!;
  // The positions need not fit the type of the indices.
  const wide = emitInteger(
    builder,
    `${node.name}/wide`,
    { dtype: 'int64', shape: indices.shape },
    'Cast',
    [indices],
    { to: { kind: 'int', value: dtypeCodes.int64 } },
  );
  const own = reshape(builder, `${node.name}/indices`, wide, [
    ...indices.shape.slice(0, axis),
    1,
    ...indices.shape.slice(axis),
  ]);
  const matches = [0, depth].map((back) => {
    const shape = [depth, ...indices.shape.slice(axis).map(() => 1)];
    const positions = Int32Array.from({ length: depth }, (_, i) => i - back);
    const at = constants(builder, `${node.name}/positions`, 'int64', shape, positions);
    return emitInteger(builder, `${node.name}/equal`, { dtype: 'bool', shape: type.shape }, 'Equal', [
      own,
      at,
    ]);
  });
  const isOn = emitInteger(builder, `${node.name}/on`, { dtype: 'bool', shape: type.shape }, 'Or', matches);
  if (type.dtype === 'float32') return chooseFloats(lowering, context, isOn);
  const values = lowering.integer(node, 2);
  const [off, on] = [0, 1].map((i) =>
    builder.emit(
      `${node.name}/value`,
      { dtype: values.dtype, shape: [1] },
      {
        type: 'Slice',
        inputs: [values.name, ...[[i], [i + 1], [0]].map((list) => builder.int64s('slice', list).name)],
      },
    ),
  ) as [Tensor, Tensor];
  lowering.setInteger(output, emitInteger(builder, node.name, type, 'Where', [isOn, on, off]));
}

/** On and off values that are floats: a Where between two constants. */
function chooseFloats(lowering: Lowering, context: NodeContext, isOn: Tensor): void {
  const { node } = context;
  const values = context.constant(2);
  if (!values) return refuseNode(node, 'values', 'a constant', 'a value computed at run time');
  const names = ['on', 'on value', 'off value'].map((wish) => `${node.name}/${wish}`) as [
    string,
    string,
    string,
  ];
  lowering.setInteger(names[0], isOn);
  [1, 0].forEach((place, i) => {
    const data = (values.data as Float32Array).slice(place, place + 1);
    const tensor = { dtype: 'float32', shape: [], data } as const;
    lowering.setFloat(names[i + 1]!, { op: 'constant', shape: [], tensor });
  });
  lowerChoice(lowering, { ...context, node: { ...node, type: 'Where', inputs: names } });
}

/** Gather, GatherElements and GatherND by computed indices. */
export function gatherComputed(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const data = lowering.integer(node, 0);
  const indices = lowering.integer(node, 1);
  const type = { dtype: data.dtype, shape: lowering.shapeOf(node.outputs[0]!) };
  if (node.type === 'Gather') {
    const axis = axisOf(node, intAttribute(node, 'axis', 0), data.shape.length);
    return builder.emit(node.name, type, {
      type: 'Gather',
      inputs: [data.name, indices.name],
      attributes: axisAttribute(axis),
    });
  }
  const strides = stridesOf(data.shape);
  if (node.type === 'GatherElements') {
    const axis = axisOf(node, intAttribute(node, 'axis', 0), data.shape.length);
    const own = stridesOf(indices.shape);
    const bases = Int32Array.from({ length: sizeOf(indices.shape) }, (_, i) =>
      own.reduce(
        (sum, stride, at) =>
          at === axis ? sum : sum + (Math.floor(i / stride) % indices.shape[at]!) * strides[at]!,
        0,
      ),
    );
    const steps = scaledIndices(builder, node.name, indices, data.shape[axis]!, strides[axis]!);
    return gatherFlat(builder, node.name, data, added(builder, node.name, steps, bases), type);
  }
  const batch = intAttribute(node, 'batch_dims', 0);
  const depth = indices.shape.at(-1)!;
  if (depth === 0) refuseNode(node, 'indices', 'tuples of at least one', [...indices.shape]);
  const tuples = indices.shape.slice(0, -1);
  const inner = sizeOf(data.shape.slice(batch + depth));
  // Tuples address blocks of `inner` elements; each batch starts at its own block.
  const blocks = sizeOf(data.shape) / inner;
  const perBatch = sizeOf(tuples.slice(batch));
  const bases = Int32Array.from(
    { length: sizeOf(tuples) },
    (_, i) => Math.floor(i / perBatch) * (sizeOf(data.shape.slice(batch)) / inner),
  );
  let flat: Tensor | undefined;
  for (let d = 0; d < depth; d++) {
    const bounds = [[d], [d + 1], [indices.shape.length - 1]].map(
      (list) => builder.int64s('slice', list).name,
    );
    const column = builder.emit(
      `${node.name}/index`,
      { dtype: indices.dtype, shape: [...tuples, 1] },
      { type: 'Slice', inputs: [indices.name, ...bounds] },
    );
    const step = strides[batch + d]! / inner;
    const steps = scaledIndices(
      builder,
      node.name,
      reshape(builder, `${node.name}/index`, column, tuples),
      data.shape[batch + d]!,
      step,
    );
    flat = flat
      ? emitInteger(builder, `${node.name}/flat`, { dtype: 'int64', shape: tuples }, 'Add', [flat, steps])
      : steps;
  }
  const rows = reshape(builder, `${node.name}/rows`, data, [blocks, inner]);
  const at = added(builder, node.name, flat!, bases);
  const gathered = builder.emit(
    `${node.name}/gathered`,
    { dtype: data.dtype, shape: [...tuples, inner] },
    { type: 'Gather', inputs: [rows.name, at.name], attributes: axisAttribute(0) },
  );
  return reshape(builder, node.name, gathered, type.shape);
}

/** index·stride, negative indices counted from the end: a look-up that also proves the index in range. */
function scaledIndices(
  builder: GraphBuilder,
  name: string,
  indices: Tensor,
  size: number,
  stride: number,
): Tensor {
  const steps = Int32Array.from({ length: size }, (_, i) => i * stride);
  const list = constants(builder, `${name}/steps`, 'int64', [size], steps);
  return builder.emit(
    `${name}/step`,
    { dtype: 'int64', shape: indices.shape },
    { type: 'Gather', inputs: [list.name, indices.name], attributes: axisAttribute(0) },
  );
}

function added(builder: GraphBuilder, name: string, flat: Tensor, bases: Int32Array): Tensor {
  if (bases.every((base) => base === 0)) return flat;
  const base = constants(builder, `${name}/bases`, 'int64', flat.shape, bases);
  return emitInteger(builder, `${name}/flat`, flat, 'Add', [flat, base]);
}

function gatherFlat(
  builder: GraphBuilder,
  name: string,
  data: Tensor,
  at: Tensor,
  type: Pick<Tensor, 'dtype' | 'shape'>,
): Tensor {
  const list = reshape(builder, `${name}/list`, data, [sizeOf(data.shape)]);
  return builder.emit(name, type, {
    type: 'Gather',
    inputs: [list.name, at.name],
    attributes: axisAttribute(0),
  });
}
