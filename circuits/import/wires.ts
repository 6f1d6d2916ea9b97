/**
 * Emitting operators that only move elements, in the few forms that the executed graph uses: Reshape, Transpose, Slice,
 * Concat and Gather by constant indices. Whatever else the uploaded graph said has become one of these.
 */
import type { ConstantTensor } from '../onnx/graph.js';
import { intAttribute, intsAttribute } from '../onnx/node.js';
import { sizeOf, stridesOf, type NodeContext } from '../onnx/shape.js';
import { newTensorData } from '../onnx/tensor.js';
import type { Wiring } from '../onnx/shape.js';
import type { GraphBuilder, Tensor } from './builder.js';

/** Emits one output of a wiring node on integer tensors; `fill` is the integer for elements that come from no input. */
export function emitWiring(
  builder: GraphBuilder,
  context: NodeContext,
  wiring: Wiring,
  sources: readonly Tensor[],
  fill: number,
): Tensor {
  const { node } = context;
  const [source] = sources as [Tensor];
  const type = { dtype: source.dtype, shape: wiring.shape };
  if (node.type === 'Concat') {
    const axis = intAttribute(node, 'axis', 0);
    return builder.emit(node.name, type, {
      type: 'Concat',
      inputs: sources.map(({ name }) => name),
      attributes: { axis: { kind: 'int', value: axis } },
    });
  }
  if (node.type === 'Transpose') {
    const perm = intsAttribute(node, 'perm') ?? source.shape.map((_, i) => source.shape.length - 1 - i);
    return builder.emit(node.name, type, {
      type: 'Transpose',
      inputs: [source.name],
      attributes: { perm: { kind: 'ints', value: perm } },
    });
  }
  const map = wiring.map();
  if (sources.length === 1 && map.length === sizeOf(source.shape) && map.every((from, i) => from === i)) {
    return reshape(builder, node.name, source, wiring.shape);
  }
  const sliced = sources.length === 1 ? sliceOf(source.shape, wiring.shape, map) : undefined;
  if (sliced) {
    const { starts, steps } = sliced;
    const ends = starts.map((start, axis) => {
      const last = start + steps[axis]! * (wiring.shape[axis]! - 1);
      const end = last + Math.sign(steps[axis]!);
      return end < 0 ? -source.shape[axis]! - 1 : end;
    });
    const inputs = [starts, ends, starts.map((_, axis) => axis), steps].map(
      (values) => builder.int64s('slice', values).name,
    );
    return builder.emit(node.name, type, { type: 'Slice', inputs: [source.name, ...inputs] });
  }
  return gatherFlat(builder, node.name, sources, map, fill, wiring.shape);
}

export function reshape(
  builder: GraphBuilder,
  name: string,
  source: Tensor,
  shape: readonly number[],
): Tensor {
  if (shape.length === source.shape.length && shape.every((dim, i) => dim === source.shape[i])) return source;
  return builder.emit(
    name,
    { dtype: source.dtype, shape },
    { type: 'Reshape', inputs: [source.name, builder.int64s('shape', shape).name] },
  );
}

/** Start and step per axis, when the map is a slice of the same rank. */
function sliceOf(
  from: readonly number[],
  to: readonly number[],
  map: Int32Array,
): { starts: number[]; steps: number[] } | undefined {
  if (from.length !== to.length || from.length === 0 || map.length === 0 || map[0]! < 0) return undefined;
  const strides = stridesOf(from);
  const toStrides = stridesOf(to);
  const starts = strides.map((stride, axis) => Math.floor(map[0]! / stride) % from[axis]!);
  const steps = strides.map((stride, axis) =>
    to[axis]! > 1 ? (map[toStrides[axis]!]! - map[0]!) / stride : 1,
  );
  if (steps.some((step) => !Number.isInteger(step) || step === 0)) return undefined;
  for (let i = 0; i < map.length; i++) {
    let expected = map[0]!;
    for (let axis = 0; axis < to.length; axis++) {
      const at = Math.floor(i / toStrides[axis]!) % to[axis]!;
      const x = starts[axis]! + at * steps[axis]!;
      if (x < 0 || x >= from[axis]!) return undefined;
      expected += at * steps[axis]! * strides[axis]!;
    }
    if (map[i] !== expected) return undefined;
  }
  return { starts, steps };
}

/** Any index map: flatten, join the sources and the fill, gather, reshape. */
export function gatherFlat(
  builder: GraphBuilder,
  name: string,
  sources: readonly Tensor[],
  map: Int32Array,
  fill: number,
  shape: readonly number[],
): Tensor {
  const { dtype } = sources[0]!;
  const flat = sources.map((source) => reshape(builder, `${name}/flat`, source, [sizeOf(source.shape)]));
  const total = flat.reduce((sum, tensor) => sum + sizeOf(tensor.shape), 0);
  const hasFill = map.some((from) => from < 0);
  if (hasFill) {
    const data = newTensorData(dtype, 1);
    data[0] = (dtype === 'int64' || dtype === 'uint64' ? BigInt(fill) : fill) as never;
    flat.push(builder.constant('fill', { dtype, shape: [1], data }));
  }
  const count = total + (hasFill ? 1 : 0);
  const joined =
    flat.length === 1
      ? flat[0]!
      : builder.emit(
          `${name}/joined`,
          { dtype, shape: [count] },
          {
            type: 'Concat',
            inputs: flat.map((tensor) => tensor.name),
            attributes: { axis: { kind: 'int', value: 0 } },
          },
        );
  const indices: ConstantTensor = {
    dtype: 'int64',
    shape: [map.length],
    data: BigInt64Array.from(map, (from) => BigInt(from < 0 ? total : from)),
  };
  const gathered = builder.emit(
    `${name}/gathered`,
    { dtype, shape: [map.length] },
    {
      type: 'Gather',
      inputs: [joined.name, builder.constant(`${name}/indices`, indices).name],
      attributes: { axis: { kind: 'int', value: 0 } },
    },
  );
  return reshape(builder, name, gathered, shape);
}

/** The same elements, repeated to a larger shape. */
export function broadcast(
  builder: GraphBuilder,
  name: string,
  tensor: Tensor,
  shape: readonly number[],
): Tensor {
  if (tensor.shape.join() === shape.join()) return tensor;
  return builder.emit(
    `${name}/broadcast`,
    { dtype: tensor.dtype, shape },
    { type: 'Expand', inputs: [tensor.name, builder.int64s('shape', shape).name] },
  );
}
