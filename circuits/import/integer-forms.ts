/**
 * Operators on integers written in those that a circuit carries: products and sums along axes by halving, matrix products
 * as broadcast products and a sum, scattering with a reduction as one round for each repetition of a target.
 */
import type { Dtype } from '../onnx/graph.js';
import { scatterTargets } from '../onnx/index-wiring.js';
import { refuseNode, stringAttribute } from '../onnx/node.js';
import { broadcastShapes, sizeOf, type NodeContext } from '../onnx/shape.js';
import { dtypeCodes } from '../onnx/tensor.js';
import { reducedAxes } from '../onnx/wiring.js';
import type { GraphBuilder, Tensor } from './builder.js';
import { emitInteger } from './emit-integer.js';
import type { Lowering } from './lowering.js';
import { rangeOf } from './quantization.js';
import { emitWiring, reshape } from './wires.js';

export function castTo(builder: GraphBuilder, name: string, x: Tensor, dtype: Dtype): Tensor {
  if (x.dtype === dtype) return x;
  const attributes = { to: { kind: 'int', value: dtypeCodes[dtype] } } as const;
  return emitInteger(builder, `${name}/${dtype}`, { dtype, shape: x.shape }, 'Cast', [x], attributes);
}

/**
 * Sums and products over an axis are taken as int64, of which a circuit carries what fits int32: what int32 becomes
 * beyond its range differs between ONNX Runtime's kernels, so such an inference is refused.
 */
const WIDE: Partial<Record<Dtype, Dtype>> = { int32: 'int64', uint32: 'int64', uint64: 'int64' };

function widened(builder: GraphBuilder, name: string, x: Tensor): Tensor {
  return castTo(builder, name, x, WIDE[x.dtype] ?? x.dtype);
}

/** One axis down to size 1: halves are combined element by element until one is left. */
function halved(builder: GraphBuilder, name: string, x: Tensor, axis: number, operator: string): Tensor {
  let whole = x;
  while (whole.shape[axis]! > 1) {
    const size = whole.shape[axis]!;
    const half = Math.floor(size / 2);
    const part = (from: number, to: number): Tensor => {
      const bounds = [[from], [to], [axis]].map((list) => builder.int64s('slice', list).name);
      const shape = whole.shape.map((dim, i) => (i === axis ? to - from : dim));
      return builder.emit(
        `${name}/part`,
        { dtype: x.dtype, shape },
        { type: 'Slice', inputs: [whole.name, ...bounds] },
      );
    };
    const [first, second] = [part(0, half), part(half, 2 * half)];
    let joint = emitInteger(builder, `${name}/half`, first, operator, [first, second]);
    if (size % 2 === 1) {
      const rest = part(size - 1, size);
      const shape = joint.shape.map((dim, i) => (i === axis ? dim + 1 : dim));
      joint = builder.emit(
        `${name}/rest`,
        { dtype: x.dtype, shape },
        {
          type: 'Concat',
          inputs: [joint.name, rest.name],
          attributes: { axis: { kind: 'int', value: axis } },
        },
      );
    }
    whole = joint;
  }
  return whole;
}

/** What ONNX lets these reductions take. */
const reduced: readonly Dtype[] = ['int32', 'uint32', 'int64', 'uint64'];

/** ReduceProd, ReduceL1, ReduceSumSquare and ReduceMean of integers. */
export function reducedIntegers(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const given = lowering.integer(node, 0);
  if (!reduced.includes(given.dtype)) refuseNode(node, 'dtype', reduced.join(', '), given.dtype);
  const x = widened(builder, node.name, given);
  const axes = [...reducedAxes(context)].sort((p, q) => p - q);
  const shape = lowering.shapeOf(node.outputs[0]!);
  if (node.type === 'ReduceProd') {
    const product = axes.reduce((whole, axis) => halved(builder, node.name, whole, axis, 'Mul'), x);
    return castTo(builder, node.name, reshape(builder, node.name, product, shape), given.dtype);
  }
  const terms =
    node.type === 'ReduceMean'
      ? x
      : node.type === 'ReduceL1'
        ? emitInteger(builder, `${node.name}/magnitude`, x, 'Abs', [x])
        : emitInteger(builder, `${node.name}/square`, x, 'Mul', [x, x]);
  const sum = reshape(
    builder,
    node.name,
    axes.reduce((whole, axis) => halved(builder, node.name, whole, axis, 'Add'), terms),
    shape,
  );
  if (node.type !== 'ReduceMean') return castTo(builder, node.name, sum, given.dtype);
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  const divisor = builder.scalar(`${node.name}/count`, x.dtype, count);
  const mean = emitInteger(builder, node.name, { dtype: x.dtype, shape }, 'Div', [sum, divisor]);
  return castTo(builder, node.name, mean, given.dtype);
}

/** MatMul of integer tensors: every product by itself, then sums over the inner axis. */
export function integerMatMul(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  const given = [lowering.integer(node, 0), lowering.integer(node, 1)] as const;
  const { dtype } = given[0];
  if (dtype !== given[1].dtype) refuseNode(node, 'operand dtypes', 'alike', `${dtype} and ${given[1].dtype}`);
  if (!reduced.includes(dtype)) refuseNode(node, 'dtype', reduced.join(', '), dtype);
  const [a, b] = given.map((operand) => widened(builder, node.name, operand)) as [Tensor, Tensor];
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  // [.., m, k, 1] · [.., 1, k, n] is [.., m, k, n].
  const rows = reshape(builder, `${node.name}/rows`, a, [...left, 1]);
  const columns = reshape(builder, `${node.name}/columns`, b, [...right.slice(0, -2), 1, ...right.slice(-2)]);
  const shape = broadcastShapes(rows.shape, columns.shape)!;
  const products = emitInteger(builder, `${node.name}/products`, { dtype: a.dtype, shape }, 'Mul', [
    rows,
    columns,
  ]);
  const sums = halved(builder, node.name, products, shape.length - 2, 'Add');
  return castTo(
    builder,
    node.name,
    reshape(builder, node.name, sums, lowering.shapeOf(node.outputs[0]!)),
    dtype,
  );
}

const neutral: Readonly<Record<string, { operator: string; value: (dtype: Dtype) => number }>> = {
  add: { operator: 'Add', value: () => 0 },
  mul: { operator: 'Mul', value: () => 1 },
  max: { operator: 'Max', value: (dtype) => rangeOf(dtype)[0]! },
  min: { operator: 'Min', value: (dtype) => rangeOf(dtype)[1]! },
};

/** A list of one repeated index asks for as many rounds as it is long, each over all elements. */
const MAX_ROUNDS = 2 ** 10;
const MAX_ROUND_ELEMENTS = 2 ** 24;

/** Updates that meet one target are taken one round after the other; in a round every other element is left alone. */
export function scatteredIntegers(lowering: Lowering, context: NodeContext): Tensor {
  const { node } = context;
  const { builder } = lowering;
  if (!context.constant(1)) refuseNode(node, 'indices', 'a constant', 'a value computed at run time');
  const reduction = stringAttribute(node, 'reduction', 'none');
  const rule = neutral[reduction] ?? refuseNode(node, 'reduction', 'none, add, mul, max or min', reduction);
  const data = lowering.integer(node, 0);
  const updates = lowering.integer(node, 2);
  if (data.dtype === 'bool') refuseNode(node, 'dtype', 'an integer type', data.dtype);
  const size = sizeOf(data.shape);
  const rounds: Int32Array[] = [];
  const met = new Uint32Array(size);
  const most = Math.max(1, Math.min(MAX_ROUNDS, Math.floor(MAX_ROUND_ELEMENTS / size)));
  scatterTargets(context).forEach((target, update) => {
    const round = ++met[target]!;
    if (round > most) refuseNode(node, 'updates of one element', `at most ${most}`, `${round} or more`);
    if (round > rounds.length) rounds.push(new Int32Array(size).fill(-1));
    rounds[round - 1]![target] = update;
  });
  // Beyond int32 nothing is carried, so the ends of int32 stand for those of wider types.
  const fill = Math.min(Math.max(rule.value(data.dtype), -(2 ** 31)), 2 ** 31 - 1);
  return rounds.reduce((whole, map) => {
    const wiring = { shape: data.shape, sources: [2], map: () => map, fill };
    const moved = emitWiring(
      builder,
      { ...context, node: { ...node, type: 'Gather' } },
      wiring,
      [updates],
      fill,
    );
    return emitInteger(builder, node.name, data, rule.operator, [whole, moved]);
  }, data);
}
