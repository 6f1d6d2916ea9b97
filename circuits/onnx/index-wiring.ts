/** Gather and Scatter operators by constant indices: they move elements, so they are wiring (wiring.ts). */
import { axisOf, intAttribute, integersOf, refuseNode, stringAttribute } from './node.js';
import {
  dot,
  inputShape,
  mapByCoordinates,
  sizeOf,
  stridesOf,
  type NodeContext,
  type Wiring,
} from './shape.js';

function wrapIndex(context: NodeContext, index: number, dim: number): number {
  if (index < -dim || index >= dim) refuseNode(context.node, 'indices', `in [${-dim}, ${dim - 1}]`, index);
  return index < 0 ? index + dim : index;
}

/** Gather by constant indices moves elements; by computed indices it is a table look-up and no wiring. */
export const gather: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  const indices = context.constant(1);
  if (!indices) return undefined;
  const from = inputShape(context);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), from.length);
  const at = integersOf(indices).map((index) => wrapIndex(context, index, from[axis]!));
  const shape = [...from.slice(0, axis), ...indices.shape, ...from.slice(axis + 1)];
  const inner = sizeOf(from.slice(axis + 1));
  return [
    {
      shape,
      sources: [0],
      map: () =>
        Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
          const outer = Math.floor(i / (at.length * inner));
          const middle = Math.floor(i / inner) % at.length;
          return (outer * from[axis]! + at[middle]!) * inner + (i % inner);
        }),
    },
  ];
};

export const gatherElements: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  const indices = context.constant(1);
  if (!indices) return undefined;
  const from = inputShape(context);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), from.length);
  const at = integersOf(indices).map((index) => wrapIndex(context, index, from[axis]!));
  const strides = stridesOf(from);
  let i = 0;
  const map = (): Int32Array => {
    i = 0;
    return mapByCoordinates(indices.shape, (c) => dot(c, strides) + (at[i++]! - c[axis]!) * strides[axis]!);
  };
  return [{ shape: indices.shape, sources: [0], map }];
};

export const gatherNd: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  const indices = context.constant(1);
  if (!indices) return undefined;
  const from = inputShape(context);
  const batch = intAttribute(context.node, 'batch_dims', 0);
  const depth = indices.shape.at(-1) ?? 0;
  if (batch < 0 || batch + depth > from.length || batch >= indices.shape.length)
    refuseNode(context.node, 'indices', `of depth at most ${from.length - batch}`, [...indices.shape]);
  const at = integersOf(indices);
  const outer = indices.shape.slice(0, -1);
  const inner = from.slice(batch + depth);
  const shape = [...outer, ...inner];
  const strides = stridesOf(from);
  const innerSize = sizeOf(inner);
  const perBatch = sizeOf(outer.slice(batch));
  const batchStride = sizeOf(from.slice(batch));
  const map = (): Int32Array =>
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
      const tuple = Math.floor(i / innerSize);
      let element = Math.floor(tuple / perBatch) * batchStride + (i % innerSize);
      for (let d = 0; d < depth; d++)
        element += wrapIndex(context, at[tuple * depth + d]!, from[batch + d]!) * strides[batch + d]!;
      return element;
    });
  return [{ shape, sources: [0], map }];
};

/** The element of the data that each update goes to, in the order of the updates; the indices are constant. */
export function scatterTargets(context: NodeContext): Int32Array {
  const { node } = context;
  const indices = context.constant(1)!;
  const shape = inputShape(context);
  const strides = stridesOf(shape);
  if (node.type === 'ScatterElements') {
    const axis = axisOf(node, intAttribute(node, 'axis', 0), shape.length);
    const at = integersOf(indices).map((index) => wrapIndex(context, index, shape[axis]!));
    let i = 0;
    return mapByCoordinates(indices.shape, (c) => dot(c, strides) + (at[i++]! - c[axis]!) * strides[axis]!);
  }
  const depth = indices.shape.at(-1) ?? 0;
  const at = integersOf(indices);
  const inner = sizeOf(shape.slice(depth));
  const tuples = at.length / Math.max(depth, 1);
  const targets = new Int32Array(tuples * inner);
  for (let tuple = 0; tuple < tuples; tuple++) {
    let base = 0;
    for (let d = 0; d < depth; d++)
      base += wrapIndex(context, at[tuple * depth + d]!, shape[d]!) * strides[d]!;
    for (let j = 0; j < inner; j++) targets[tuple * inner + j] = base + j;
  }
  return targets;
}

/** Scatter operators by constant indices that overwrite; those with a reduction are arithmetic, not wiring. */
export const scatter: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  if (!context.constant(1) || stringAttribute(context.node, 'reduction', 'none') !== 'none') return undefined;
  const shape = inputShape(context);
  const map = (): Int32Array => {
    const size = sizeOf(shape);
    const out = Int32Array.from({ length: size }, (_, i) => i);
    scatterTargets(context).forEach((target, update) => (out[target] = size + update));
    return out;
  };
  return [{ shape, sources: [0, 2], map }];
};
