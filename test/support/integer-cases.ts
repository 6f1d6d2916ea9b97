/** Random cases of integer operators whose results depend on ranges: division, shifts, powers, wide products, casts. */
import type { AttributeValue, Dtype } from '../../circuits/onnx/graph.js';
import { dtypeCodes } from '../../circuits/onnx/tensor.js';
import { GraphWriter, int } from './graphs.js';
import type { OperatorCase } from './operator-cases.js';
import type { Random } from './random.js';
import { between, carriedRanges, integers, type Range } from './values.js';

interface Pair {
  readonly dtypes: readonly Dtype[];
  /** What the operands may be, now and then narrower than the type. */
  readonly ranges: (r: Random, dtype: Dtype) => readonly [Range, Range];
  readonly attributes?: (r: Random) => Record<string, AttributeValue>;
  readonly output?: Dtype;
}

/** An operator of two operands, either of which may be a constant or broadcast. */
function pair(type: string, { dtypes, ranges, attributes, output }: Pair): (r: Random) => OperatorCase {
  return (r) => {
    const g = new GraphWriter();
    const dtype = r.pick(dtypes);
    const shape = [between(r, 1, 2), between(r, 1, 3)];
    const [first, second] = ranges(r, dtype);
    const constant = r.below(4);
    const operand = (name: string, range: Range, isConstant: boolean) => {
      const own = r.pick([shape, shape, [shape[1]], []]);
      const count = own.reduce((all, size) => all * size, 1);
      return isConstant
        ? g.constant(dtype, own, integers(r, count, ...range))
        : g.input(name, dtype, name === 'x' ? shape : own);
    };
    const y = operand('y', second, constant === 0);
    const x = operand('x', first, constant === 1);
    // A constant x alone decides no shape: its partner is drawn whole.
    const named = (g.constants.get(x)?.shape ?? shape).length;
    const shapes = [x, y].map(
      (name) => g.constants.get(name)?.shape ?? g.inputs.find((input) => input.name === name)!.shape,
    );
    const joint = shapes.reduce((p, q) => (named >= 0 && p.length >= q.length ? p : q));
    const widest = joint.map((size, i) =>
      Math.max(size, ...shapes.map((own) => own[i - joint.length + own.length] ?? 1)),
    );
    const z = g.node(type, [x, y], attributes?.(r));
    return {
      graph: g.finish([{ name: z, dtype: output ?? dtype, shape: widest }]),
      inRuntime: true,
      ranges: { x: first, y: second },
    };
  };
}

const whole = (dtype: Dtype): Range => carriedRanges[dtype]!;
const INTEGERS: readonly Dtype[] = ['int32', 'int64'];

/** Small where a 64-bit result would leave int32 too often. */
function factors(r: Random, dtype: Dtype): readonly [Range, Range] {
  const range = whole(dtype);
  if (r.below(4) === 0 || dtype === 'int32') return [range, range];
  const narrow: Range = [Math.max(range[0], -40000), Math.min(range[1], 40000)];
  return [narrow, narrow];
}

function divisors(r: Random, dtype: Dtype): readonly [Range, Range] {
  const [lo, hi] = whole(dtype);
  const divisor = r.pick<Range>([
    [1, hi],
    [1, 9],
    [lo < 0 ? lo : 1, lo < 0 ? -1 : hi],
    [1, Math.min(255, hi)],
  ]);
  // −2³¹ / −1 has no answer in C.
  return [[lo < -(2 ** 30) ? lo + 1 : lo, hi], divisor];
}

function cast(r: Random): OperatorCase {
  const g = new GraphWriter();
  const [from, to] = [
    r.pick(Object.keys(carriedRanges) as Dtype[]),
    r.pick(Object.keys(carriedRanges) as Dtype[]),
  ];
  const shape = [between(r, 1, 3), 2];
  const y = g.node('Cast', [g.input('x', from, shape)], { to: int(dtypeCodes[to]) });
  const range: Range =
    r.below(2) === 0 ? whole(from) : [Math.max(whole(from)[0], -3), Math.min(3, whole(from)[1])];
  return { graph: g.finish([{ name: y, dtype: to, shape }]), inRuntime: true, ranges: { x: range } };
}

/** Few values, so that ties abound. */
function argument(type: string): (r: Random) => OperatorCase {
  return (r) => {
    const g = new GraphWriter();
    const dtype = r.pick<Dtype>(['int8', 'uint8', 'int32']);
    const shape = [between(r, 1, 3), between(r, 1, 6), between(r, 1, 2)];
    const axis = r.below(3);
    const keep = r.below(2);
    const attributes = { axis: int(axis), keepdims: int(keep), select_last_index: int(r.below(2)) };
    const y = g.node(type, [g.input('x', dtype, shape)], attributes);
    const to = shape.flatMap((size, i) => (i !== axis ? [size] : keep ? [1] : []));
    const [lo, hi] = whole(dtype);
    const range: Range =
      r.below(2) === 0 ? [Math.max(lo, -2), 2] : [Math.max(lo, -(2 ** 29)), Math.min(hi, 2 ** 29)];
    return {
      graph: g.finish([{ name: y, dtype: 'int64', shape: to }]),
      inRuntime: true,
      ranges: { x: range },
    };
  };
}

function cumulativeSum(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(INTEGERS);
  const shape = [between(r, 1, 3), between(r, 1, 4)];
  const axis = g.constant('int64', [], [between(r, -2, 1)]);
  const attributes = { exclusive: int(r.below(2)), reverse: int(r.below(2)) };
  const y = g.node('CumSum', [g.input('x', dtype, shape), axis], attributes);
  const range: Range = dtype === 'int32' ? whole(dtype) : [-(2 ** 28), 2 ** 28];
  return { graph: g.finish([{ name: y, dtype, shape }]), inRuntime: true, ranges: { x: range } };
}

function sign(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick(Object.keys(carriedRanges) as Dtype[]);
  const own = dtype === 'bool' ? 'int32' : dtype;
  const y = g.node('Sign', [g.input('x', own, [3, 2])]);
  const range: Range = r.below(2) === 0 ? whole(own) : [Math.max(whole(own)[0], -1), 1];
  return { graph: g.finish([{ name: y, dtype: own, shape: [3, 2] }]), inRuntime: true, ranges: { x: range } };
}

/** Computed indices into computed or constant data, along any axis. */
function gatherComputed(r: Random): OperatorCase {
  const g = new GraphWriter();
  const shape = [between(r, 1, 3), between(r, 1, 4), between(r, 1, 2)];
  const axis = r.below(3);
  const count = shape.reduce((all, size) => all * size, 1);
  const data =
    r.below(2) === 0
      ? g.constant('int8', shape, integers(r, count, -128, 127))
      : g.input('data', 'int8', shape);
  const own = r.pick([[], [2], [1, 3]]);
  const indices = g.input('indices', r.pick<Dtype>(['int32', 'int64']), own);
  const y = g.node('Gather', [data, indices], { axis: int(axis) });
  const to = [...shape.slice(0, axis), ...own, ...shape.slice(axis + 1)];
  const limit = shape[axis] + (r.below(6) === 0 ? 1 : 0);
  return {
    graph: g.finish([{ name: y, dtype: 'int8', shape: to }]),
    inRuntime: true,
    ranges: { indices: [-limit, limit - 1] },
  };
}

const COMPARED: readonly Dtype[] = ['int32', 'int64', 'int8', 'uint8'];

/** Operands close together now and then, so that equality happens. */
function compared(type: string): (r: Random) => OperatorCase {
  return pair(type, {
    dtypes: type === 'Equal' ? INTEGERS : COMPARED,
    ranges: (r, dtype) => {
      const [lo, hi] = whole(dtype);
      const near: Range = [Math.max(lo, -2), 2];
      return r.pick<readonly [Range, Range]>([
        [whole(dtype), whole(dtype)],
        [near, near],
        [
          [lo, lo + 2],
          [hi - 2, hi],
        ],
      ]);
    },
    output: 'bool',
  });
}

const logical = (type: string) =>
  pair(type, { dtypes: ['bool'], ranges: () => [whole('bool'), whole('bool')] });

function where(r: Random): OperatorCase {
  const g = new GraphWriter();
  const dtype = r.pick<Dtype>(['uint8', 'int32', 'int64']);
  const shape = [between(r, 1, 3), between(r, 1, 3)];
  const condition = g.input('c', 'bool', r.pick([shape, [shape[1]]]));
  const y =
    r.below(2) === 0 ? g.constant(dtype, [], [between(r, ...whole(dtype))]) : g.input('y', dtype, shape);
  const z = g.node('Where', [condition, g.input('x', dtype, shape), y]);
  return { graph: g.finish([{ name: z, dtype, shape }]), inRuntime: true };
}

function negation(r: Random): OperatorCase {
  const g = new GraphWriter();
  const shape = [between(r, 1, 3), 2];
  const y = g.node('Not', [g.input('x', 'bool', shape)]);
  return { graph: g.finish([{ name: y, dtype: 'bool', shape }]), inRuntime: true };
}

export const INTEGER_CASES: Readonly<Record<string, (r: Random) => OperatorCase>> = {
  ':Add': pair('Add', { dtypes: [...INTEGERS, 'int32'], ranges: factors }),
  ':Sub': pair('Sub', { dtypes: [...INTEGERS, 'int32'], ranges: factors }),
  ':Mul': pair('Mul', { dtypes: [...INTEGERS, 'int32'], ranges: factors }),
  ':Div': pair('Div', { dtypes: INTEGERS, ranges: divisors }),
  ':Mod': pair('Mod', {
    dtypes: ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
    ranges: divisors,
    attributes: (r) => ({ fmod: int(r.below(2)) }),
  }),
  ':BitShift': pair('BitShift', {
    dtypes: ['uint8', 'uint32', 'uint64'],
    ranges: (r, dtype) => {
      const [, hi] = whole(dtype);
      return dtype === 'uint8'
        ? [
            [0, hi],
            [0, 7],
          ]
        : [
            [0, r.pick([15, hi])],
            [0, r.pick([15, 31])],
          ];
    },
    attributes: (r) => ({ direction: { kind: 'string', value: r.pick(['LEFT', 'RIGHT']) } }),
  }),
  ':Pow': pair('Pow', {
    dtypes: INTEGERS,
    ranges: (r) =>
      r.pick([
        [
          [-9, 9],
          [0, 9],
        ],
        [
          [-2, 2],
          [0, 30],
        ],
        [
          [-46340, 46340],
          [0, 2],
        ],
        [
          [-99, 99],
          [0, 4],
        ],
      ]),
  }),
  ':Cast': cast,
  ':ArgMax': argument('ArgMax'),
  ':ArgMin': argument('ArgMin'),
  ':CumSum': cumulativeSum,
  ':Sign': sign,
  ...Object.fromEntries(
    ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((type) => [`:${type}`, compared(type)]),
  ),
  ...Object.fromEntries(['And', 'Or', 'Xor'].map((type) => [`:${type}`, logical(type)])),
  ':Not': negation,
  ':Where': where,
  ':Gather computed': gatherComputed,
};
