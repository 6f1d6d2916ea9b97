/**
 * Values known when the model is loaded. Integers fold in bigints and wrap as their type does; floats fold only
 * through operations that IEEE 754 rounds correctly, so that a folded model is the same model.
 */
import type { ConstantTensor, Dtype, GraphNode } from './graph.js';
import { integersOf, intAttribute, refuseNode } from './node.js';
import {
  broadcastMap,
  mapByCoordinates,
  sizeOf,
  stridesOf,
  type NodeContext,
  type ValueType,
} from './shape.js';
import { newTensorData } from './tensor.js';
import { reducedAxes, wiringOf } from './wiring.js';

/** The outputs of a node whose inputs are known, or undefined if it stays in the graph. */
export function foldNode(context: NodeContext, outputs: readonly ValueType[]): ConstantTensor[] | undefined {
  const { node } = context;
  if (node.domain !== '') return undefined;
  if (node.type === 'Constant') return [constantValue(node)];
  if (node.type === 'Shape') return [int64(shapeSlice(context))];
  if (node.type === 'Size')
    return [{ dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(sizeOf(context.type(0)!.shape))) }];
  if (node.type === 'EyeLike') return [eye(context, outputs[0]!)];
  if (node.inputs.some((name, i) => name !== '' && !context.constant(i))) return undefined;
  const wirings = wiringOf(context);
  if (wirings)
    return wirings.map((wiring, i) =>
      moved(context, wiring.sources, wiring.map(), wiring.fill ?? 0, outputs[i]!),
    );
  const value = folds[node.type]?.(context, outputs[0]!);
  return value && [value];
}

/** The value of a Constant node, whichever attribute holds it. */
export function constantValue(node: GraphNode): ConstantTensor {
  for (const attribute of node.attributes.values()) {
    switch (attribute.kind) {
      case 'tensor':
        return attribute.value;
      case 'float':
        return { dtype: 'float32', shape: [], data: Float32Array.of(attribute.value) };
      case 'floats':
        return {
          dtype: 'float32',
          shape: [attribute.value.length],
          data: Float32Array.from(attribute.value),
        };
      case 'int':
        return { dtype: 'int64', shape: [], data: BigInt64Array.of(BigInt(attribute.value)) };
      case 'ints':
        return {
          dtype: 'int64',
          shape: [attribute.value.length],
          data: BigInt64Array.from(attribute.value.map(BigInt)),
        };
    }
  }
  return refuseNode(node, 'value', 'given', 'none');
}

function int64(values: readonly number[]): ConstantTensor {
  return { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values.map(BigInt)) };
}

function shapeSlice(context: NodeContext): number[] {
  const { shape } = context.type(0)!;
  return [...shape].slice(
    intAttribute(context.node, 'start', 0),
    intAttribute(context.node, 'end', shape.length),
  );
}

function eye(context: NodeContext, { dtype, shape }: ValueType): ConstantTensor {
  const k = intAttribute(context.node, 'k', 0);
  return filled(dtype, shape, (i) => ((i % shape[1]!) - Math.floor(i / shape[1]!) === k ? 1 : 0));
}

/** A tensor from a function of the element number; integers wrap into the dtype. */
function filled(dtype: Dtype, shape: readonly number[], at: (i: number) => number | bigint): ConstantTensor {
  const data = newTensorData(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = toDtype(dtype, at(i)) as never;
  return { dtype, shape, data };
}

function toDtype(dtype: Dtype, value: number | bigint): number | bigint {
  if (dtype === 'int64' || dtype === 'uint64')
    return typeof value === 'bigint' ? value : BigInt(Number.isFinite(value) ? Math.trunc(value) : 0);
  if (dtype === 'bool') return Number(value) !== 0 ? 1 : 0;
  if (isFloating(dtype)) return Number(value);
  // Typed arrays wrap 53-bit integers as ONNX's fixed-width types do; wider bigints are reduced first.
  return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value;
}

const isFloating = (dtype: Dtype): boolean => dtype === 'float32' || dtype === 'float64';

/** Elements of the source inputs, picked by an index map. */
export function moved(
  context: NodeContext,
  sources: readonly number[],
  map: Int32Array,
  fill: number,
  { dtype, shape }: ValueType,
): ConstantTensor {
  const inputs = sources.map((i) => context.constant(i)!.data);
  const data = newTensorData(dtype, map.length);
  for (let i = 0; i < map.length; i++) {
    let element = map[i]!;
    if (element < 0) {
      data[i] = toDtype(dtype, fill) as never;
      continue;
    }
    let k = 0;
    while (element >= inputs[k]!.length) element -= inputs[k++]!.length;
    data[i] = inputs[k]![element]! as never;
  }
  return { dtype, shape, data };
}

type Fold = (context: NodeContext, output: ValueType) => ConstantTensor | undefined;

function binary(
  integer: (a: bigint, b: bigint) => bigint | undefined,
  float: (a: number, b: number) => number,
): Fold {
  return (context, { dtype, shape }) => {
    const [a, b] = [context.constant(0)!, context.constant(1)!];
    const [mapA, mapB] = [broadcastMap(a.shape, shape), broadcastMap(b.shape, shape)];
    const isFloat = isFloating(a.dtype);
    let undefinedResult = false;
    // Of float32 the exact operation in double, rounded once more where it is stored, is the operation in float32.
    const result = filled(dtype, shape, (i) => {
      const [x, y] = [a.data[mapA[i]!]!, b.data[mapB[i]!]!];
      if (isFloat) return float(Number(x), Number(y));
      const value = integer(BigInt(x), BigInt(y));
      if (value === undefined) undefinedResult = true;
      return BigInt.asIntN(64, value ?? 0n);
    });
    return undefinedResult ? undefined : result;
  };
}

const isTrue = (condition: boolean): bigint => (condition ? 1n : 0n);
const compare = (test: (a: number | bigint, b: number | bigint) => boolean): Fold =>
  binary(
    (a, b) => isTrue(test(a, b)),
    (a, b) => Number(test(a, b)),
  );

function unary(float: (x: number) => number, integer: (x: bigint) => bigint): Fold {
  return (context, { dtype, shape }) => {
    const { data, dtype: from } = context.constant(0)!;
    return filled(dtype, shape, (i) =>
      isFloating(from) ? float(Number(data[i])) : integer(BigInt(data[i]!)),
    );
  };
}

const largest = <T extends number | bigint>(a: T, b: T): T => (a > b ? a : b);
const smallest = <T extends number | bigint>(a: T, b: T): T => (a < b ? a : b);

const reduceFold =
  (start: bigint, combine: (a: bigint, b: bigint) => bigint): Fold =>
  (context, { dtype, shape }) => {
    const { data, dtype: from, shape: fromShape } = context.constant(0)!;
    if (isFloating(from)) return undefined;
    const axes = reducedAxes(context);
    const kept = fromShape.map((dim, axis) => (axes.has(axis) ? 1 : dim));
    const strides = stridesOf(kept);
    const sums = new Array<bigint>(sizeOf(shape)).fill(start);
    let i = 0;
    mapByCoordinates(fromShape, (c) => {
      const at = c.reduce((sum, x, axis) => sum + (axes.has(axis) ? 0 : x * strides[axis]!), 0);
      sums[at] = combine(sums[at]!, BigInt(data[i++]!));
      return 0;
    });
    return filled(dtype, shape, (at) => sums[at]!);
  };

const folds: Readonly<Record<string, Fold>> = {
  Add: binary(
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  Sub: binary(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  Mul: binary(
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  Div: binary(
    (a, b) => (b === 0n ? undefined : a / b),
    (a, b) => a / b,
  ),
  // The sign of the divisor, or with fmod that of the dividend.
  Mod: (context, output) =>
    binary(
      (a, b) =>
        b === 0n ? undefined : intAttribute(context.node, 'fmod', 0) === 1 ? a % b : ((a % b) + b) % b,
      (a, b) => a % b,
    )(context, output),
  Max: binary(largest, largest),
  Min: binary(smallest, smallest),
  And: binary(
    (a, b) => a & b,
    () => 0,
  ),
  Or: binary(
    (a, b) => a | b,
    () => 0,
  ),
  Equal: compare((a, b) => a === b),
  Greater: compare((a, b) => a > b),
  Less: compare((a, b) => a < b),
  GreaterOrEqual: compare((a, b) => a >= b),
  LessOrEqual: compare((a, b) => a <= b),
  Not: unary(Number, (x) => isTrue(x === 0n)),
  Neg: unary(
    (x) => -x,
    (x) => -x,
  ),
  Abs: unary(Math.abs, (x) => (x < 0n ? -x : x)),
  Sqrt: unary(Math.sqrt, (x) => x),
  Reciprocal: unary(
    (x) => 1 / x,
    (x) => x,
  ),
  Floor: unary(Math.floor, (x) => x),
  Ceil: unary(Math.ceil, (x) => x),
  Relu: unary(
    (x) => Math.max(x, 0),
    (x) => largest(x, 0n),
  ),
  Cast: (context, { dtype, shape }) => {
    const { data } = context.constant(0)!;
    return filled(dtype, shape, (i) =>
      !isFloating(dtype) && dtype !== 'bool' && typeof data[i] === 'number' ? Math.trunc(data[i]!) : data[i]!,
    );
  },
  Where: (context, { dtype, shape }) => {
    const [test, yes, no] = [0, 1, 2].map((i) => context.constant(i)!) as [
      ConstantTensor,
      ConstantTensor,
      ConstantTensor,
    ];
    const maps = [test, yes, no].map((tensor) => broadcastMap(tensor.shape, shape)) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    return filled(dtype, shape, (i) =>
      test.data[maps[0][i]!] ? yes.data[maps[1][i]!]! : no.data[maps[2][i]!]!,
    );
  },
  ConstantOfShape: (context, { dtype, shape }) => {
    const value = context.node.attributes.get('value');
    const fill = value?.kind === 'tensor' ? value.value.data[0]! : 0;
    return filled(dtype, shape, () => fill);
  },
  Range: (context, { dtype, shape }) => {
    const [start, , step] = [0, 1, 2].map((i) => Number(context.constant(i)!.data[0])) as [
      number,
      number,
      number,
    ];
    return filled(dtype, shape, (i) => start + i * step);
  },
  ReduceSum: reduceFold(0n, (a, b) => a + b),
  ReduceProd: reduceFold(1n, (a, b) => a * b),
  ReduceMax: reduceFold(-(2n ** 63n), largest),
  ReduceMin: reduceFold(2n ** 63n - 1n, smallest),
  OneHot: (context, { dtype, shape }) => {
    if (intAttribute(context.node, 'axis', -1) !== -1) return undefined;
    const depth = shape.at(-1)!;
    const hot = integersOf(context.constant(0)!);
    const values = context.constant(2)!.data;
    return filled(dtype, shape, (i) => {
      const index = hot[Math.floor(i / depth)]!;
      return values[(index < 0 ? index + depth : index) === i % depth ? 1 : 0]!;
    });
  },
};
