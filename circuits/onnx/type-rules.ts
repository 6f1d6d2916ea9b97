/** How the type of a result follows from the types of the operands: the rules that several operators share. */
import { axisOf, hasAttribute, intAttribute, integersGiven, refuseNode, whereOf } from './node.js';
import { broadcastShapes, type NodeContext, type ValueType } from './shape.js';
import { dtypeOf } from './tensor.js';
import { reducedAxes } from './wiring.js';
import type { Dtype, GraphNode } from './graph.js';

export type Rule = (context: NodeContext) => readonly ValueType[];

export function need(context: NodeContext, i: number): ValueType {
  return context.type(i) ?? refuseNode(context.node, `input ${i}`, 'present', 'absent');
}

export const same: Rule = (context) => [need(context, 0)];

export function broadcastAs(dtype: (context: NodeContext) => Dtype, from = 0): Rule {
  return (context) => {
    const shapes = context.node.inputs.map((_, i) => need(context, i).shape);
    // Before opset 7 a second operand was aligned at `axis`; nothing recent writes that.
    if (context.opset < 7 && hasAttribute(context.node, 'axis'))
      refuseNode(context.node, 'axis', 'absent (opset 7 broadcasting)', 'given');
    const shape = broadcastShapes(...shapes.slice(from));
    if (!shape)
      refuseNode(
        context.node,
        'input shapes',
        'broadcastable',
        shapes.map((s) => `[${s.join(',')}]`).join(' '),
      );
    return [{ dtype: dtype(context), shape: broadcastShapes(...shapes)! }];
  };
}

export const binary = broadcastAs((context) => {
  const dtypes = new Set(context.node.inputs.map((_, i) => need(context, i).dtype));
  if (dtypes.size !== 1) refuseNode(context.node, 'input dtypes', 'alike', [...dtypes]);
  return need(context, 0).dtype;
});
export const comparison = broadcastAs(() => 'bool');

/** Output shape of A·B with numpy's rules for vectors and stacked matrices. */
export function matmulShape(node: GraphNode, a: readonly number[], b: readonly number[]): number[] {
  const left = a.length === 1 ? [1, a[0]!] : a;
  const right = b.length === 1 ? [b[0]!, 1] : b;
  const stack = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  if (a.length === 0 || b.length === 0 || !stack || left.at(-1) !== right.at(-2)) {
    refuseNode(node, 'input shapes', 'matrices that multiply', `[${a.join(',')}] [${b.join(',')}]`);
  }
  return [...stack, ...(a.length === 1 ? [] : [left.at(-2)!]), ...(b.length === 1 ? [] : [right.at(-1)!])];
}

export function matmul(dtype: Dtype | undefined, b = 1): Rule {
  return (context) => [
    {
      dtype: dtype ?? need(context, 0).dtype,
      shape: matmulShape(context.node, need(context, 0).shape, need(context, b).shape),
    },
  ];
}

export function gemm(dtype: (context: NodeContext) => Dtype, b: number): Rule {
  return (context) => {
    const left = need(context, 0).shape;
    const right = need(context, b).shape;
    if (left.length !== 2 || right.length !== 2)
      refuseNode(context.node, 'input ranks', '2 and 2', `${left.length} and ${right.length}`);
    const [m, k] = intAttribute(context.node, 'transA', 0) ? [left[1]!, left[0]!] : [left[0]!, left[1]!];
    const [k2, n] = intAttribute(context.node, 'transB', 0) ? [right[1]!, right[0]!] : [right[0]!, right[1]!];
    if (k !== k2) refuseNode(context.node, 'inner dimensions', 'alike', `${k} and ${k2}`);
    return [{ dtype: dtype(context), shape: [m, n] }];
  };
}

/** The dtype of a zero point, or the default when it is left out. */
export function zeroPointDtype(i: number, fallback: Dtype): (context: NodeContext) => Dtype {
  return (context) => context.type(i)?.dtype ?? fallback;
}

export const quantized: Rule = (context) => {
  const code = intAttribute(context.node, 'output_dtype', 0);
  const dtype = context.type(2)?.dtype ?? (code === 0 ? 'uint8' : dtypeOf(code, whereOf(context.node)));
  return [{ dtype, shape: need(context, 0).shape }];
};
export const dequantized: Rule = (context) => [{ dtype: 'float32', shape: need(context, 0).shape }];

export const globalPool: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const channelsLast = intAttribute(context.node, 'channels_last', 0) !== 0;
  return [
    {
      dtype,
      shape: shape.map((dim, axis) =>
        axis === 0 || axis === (channelsLast ? shape.length - 1 : 1) ? dim : 1,
      ),
    },
  ];
};

export const reduction: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axes = reducedAxes(context);
  const keeps = intAttribute(context.node, 'keepdims', 1) !== 0;
  return [{ dtype, shape: shape.flatMap((dim, axis) => (!axes.has(axis) ? [dim] : keeps ? [1] : [])) }];
};

export const argument: Rule = (context) => {
  const { shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), shape.length);
  const keeps = intAttribute(context.node, 'keepdims', 1) !== 0;
  return [{ dtype: 'int64', shape: shape.flatMap((dim, i) => (i !== axis ? [dim] : keeps ? [1] : [])) }];
};

export const topK: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', -1), shape.length);
  const k = hasAttribute(context.node, 'k')
    ? intAttribute(context.node, 'k', 1)
    : integersGiven(context, 'K', 1)?.[0];
  if (k === undefined || k < 1 || k > shape[axis]!) refuseNode(context.node, 'K', `1 to ${shape[axis]}`, k);
  const out = shape.map((dim, i) => (i === axis ? k : dim));
  return [
    { dtype, shape: out },
    { dtype: 'int64', shape: out },
  ];
};

export const shapeOfShape: Rule = (context) => {
  const rank = need(context, 0).shape.length;
  const bound = (name: string, fallback: number): number => {
    const given = intAttribute(context.node, name, fallback);
    return Math.min(Math.max(given < 0 ? given + rank : given, 0), rank);
  };
  return [{ dtype: 'int64', shape: [Math.max(0, bound('end', rank) - bound('start', 0))] }];
};

export const constantOfShape: Rule = (context) => {
  const value = context.node.attributes.get('value');
  return [
    {
      dtype: value?.kind === 'tensor' ? value.value.dtype : 'float32',
      shape: integersGiven(context, 'shape', 0)!,
    },
  ];
};

export const range: Rule = (context) => {
  const [start, limit, step] = [0, 1, 2].map((i) => {
    const constant = context.constant(i);
    return constant
      ? Number(constant.data[0])
      : refuseNode(context.node, `input ${i}`, 'a constant', 'a value computed at run time');
  }) as [number, number, number];
  if (step === 0) refuseNode(context.node, 'delta', 'not 0', 0);
  return [{ dtype: need(context, 0).dtype, shape: [Math.max(0, Math.ceil((limit - start) / step))] }];
};

export const gatherComputed: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), shape.length);
  return [{ dtype, shape: [...shape.slice(0, axis), ...need(context, 1).shape, ...shape.slice(axis + 1)] }];
};

/** GatherND by computed indices; by constant ones it is wiring. */
export const gatherTuples: Rule = (context) => {
  const { dtype, shape } = need(context, 0);
  const indices = need(context, 1).shape;
  const batch = intAttribute(context.node, 'batch_dims', 0);
  const depth = indices.at(-1) ?? 0;
  if (batch < 0 || batch >= indices.length || batch + depth > shape.length)
    refuseNode(context.node, 'indices', `of depth at most ${shape.length - batch}`, [...indices]);
  return [{ dtype, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

export const oneHot: Rule = (context) => {
  const { shape } = need(context, 0);
  const depth = integersGiven(context, 'depth', 1)![0]!;
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', -1), shape.length + 1);
  return [{ dtype: need(context, 2).dtype, shape: [...shape.slice(0, axis), depth, ...shape.slice(axis)] }];
};

export const cast: Rule = (context) => [
  {
    dtype: dtypeOf(intAttribute(context.node, 'to', 0), whereOf(context.node)),
    shape: need(context, 0).shape,
  },
];

export function table(domain: string, types: readonly string[], rule: Rule): [string, Rule][] {
  return types.map((type) => [`${domain}:${type}`, rule]);
}
