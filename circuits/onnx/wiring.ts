/**
 * Operators that only move elements: every output element is one input element or one constant fill. Their meaning is
 * an index map, written once here and used for constant folding, for the integer reference and for wires alike.
 */
import type { GraphNode } from './graph.js';
import { gather, gatherElements, gatherNd, scatter } from './index-wiring.js';
import { depthToSpace, expand, pad, spaceToDepth, tile } from './layout-wiring.js';
import { axisOf, integersGiven, intAttribute, intsAttribute, refuseNode } from './node.js';
import { resizeNearest } from './resize.js';
import { centerCropPad, compress, reverseSequence } from './selection-wiring.js';
import {
  dot,
  inputShape,
  mapByCoordinates,
  sizeOf,
  stridesOf,
  type NodeContext,
  type Wiring,
} from './shape.js';

/** The index maps of a wiring operator, one an output; undefined for every other operator. */
export function wiringOf(context: NodeContext): readonly Wiring[] | undefined {
  return context.node.domain === '' || context.node.domain === 'ai.onnx.ml'
    ? wirings[context.node.type]?.(context)
    : undefined;
}

export function isWiring(node: GraphNode): boolean {
  return node.domain === '' && node.type in wirings;
}

type WiringRule = (context: NodeContext) => readonly Wiring[];

/** The axes a Reduce operator sums over. */
export function reducedAxes(context: NodeContext): Set<number> {
  const rank = inputShape(context).length;
  const axes = integersGiven(context, 'axes', 1);
  if (!axes || axes.length === 0) {
    const keepsAll = intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0;
    return new Set(keepsAll ? [] : Array.from({ length: rank }, (_, i) => i));
  }
  return new Set(axes.map((axis) => axisOf(context.node, axis, rank)));
}

const sameElements = (shape: readonly number[]): readonly Wiring[] => [
  { shape, sources: [0], map: () => Int32Array.from({ length: sizeOf(shape) }, (_, i) => i) },
];

const reshape: WiringRule = (context) => {
  const from = inputShape(context);
  const wanted = integersGiven(context, 'shape', 1);
  if (!wanted) refuseNode(context.node, 'shape', 'given', 'none');
  const keepsZero = intAttribute(context.node, 'allowzero', 0) !== 0;
  const shape = wanted.map((dim, axis) =>
    dim === 0 && !keepsZero
      ? (from[axis] ??
        refuseNode(context.node, 'shape', `0 only on the ${from.length} input axes`, [...wanted]))
      : dim,
  );
  const unknown = shape.indexOf(-1);
  if (unknown >= 0) {
    const known = shape.reduce((product, dim, axis) => (axis === unknown ? product : product * dim), 1);
    shape[unknown] = known === 0 ? -1 : sizeOf(from) / known;
  }
  if (shape.some((dim) => !Number.isInteger(dim) || dim < 0) || sizeOf(shape) !== sizeOf(from)) {
    refuseNode(context.node, 'shape', `of ${sizeOf(from)} elements`, [...wanted]);
  }
  return sameElements(shape);
};

const flatten: WiringRule = (context) => {
  const from = inputShape(context);
  const given = intAttribute(context.node, 'axis', 1);
  const axis =
    given === from.length
      ? given
      : from.length === 0 && given === 1
        ? 0
        : axisOf(context.node, given, from.length);
  return sameElements([sizeOf(from.slice(0, axis)), sizeOf(from.slice(axis))]);
};

const squeeze: WiringRule = (context) => {
  const from = inputShape(context);
  const axes = integersGiven(context, 'axes', 1)?.map((axis) => axisOf(context.node, axis, from.length));
  const drop = new Set(axes ?? from.flatMap((dim, axis) => (dim === 1 ? [axis] : [])));
  for (const axis of drop)
    if (from[axis] !== 1) refuseNode(context.node, `axis ${axis}`, 'of size 1', from[axis]);
  return sameElements(from.filter((_, axis) => !drop.has(axis)));
};

const unsqueeze: WiringRule = (context) => {
  const from = inputShape(context);
  const axes = integersGiven(context, 'axes', 1) ?? refuseNode(context.node, 'axes', 'given', 'none');
  const rank = from.length + axes.length;
  const inserted = new Set(axes.map((axis) => axisOf(context.node, axis, rank)));
  if (inserted.size !== axes.length) refuseNode(context.node, 'axes', 'distinct', [...axes]);
  let next = 0;
  return sameElements(Array.from({ length: rank }, (_, axis) => (inserted.has(axis) ? 1 : from[next++]!)));
};

const transpose: WiringRule = (context) => {
  const from = inputShape(context);
  const perm = intsAttribute(context.node, 'perm') ?? from.map((_, i) => from.length - 1 - i);
  if (
    perm.length !== from.length ||
    new Set(perm).size !== perm.length ||
    perm.some((axis) => from[axis] === undefined)
  ) {
    refuseNode(context.node, 'perm', `a permutation of ${from.length} axes`, [...perm]);
  }
  const shape = perm.map((axis) => from[axis]!);
  const strides = stridesOf(from);
  const permuted = perm.map((axis) => strides[axis]!);
  return [{ shape, sources: [0], map: () => mapByCoordinates(shape, (c) => dot(c, permuted)) }];
};

const slice: WiringRule = (context) => {
  const from = inputShape(context);
  const starts = integersGiven(context, 'starts', 1);
  const ends = integersGiven(context, 'ends', 2);
  if (!starts || !ends || starts.length !== ends.length)
    refuseNode(
      context.node,
      'starts and ends',
      'given, of one length',
      `${starts?.length} and ${ends?.length}`,
    );
  const axes = (integersGiven(context, 'axes', 3) ?? starts.map((_, i) => i)).map((axis) =>
    axisOf(context.node, axis, from.length),
  );
  const steps = integersGiven(context, 'steps', 4) ?? starts.map(() => 1);
  const first = from.map(() => 0);
  const step = from.map(() => 1);
  const shape = [...from];
  axes.forEach((axis, i) => {
    const dim = from[axis]!;
    const by = steps[i]!;
    if (by === 0) refuseNode(context.node, 'steps', 'not 0', 0);
    const wrap = (x: number): number => (x < 0 ? x + dim : x);
    const clampTo = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
    const start = clampTo(wrap(starts[i]!), 0, by > 0 ? dim : dim - 1);
    const end = clampTo(wrap(ends[i]!), by > 0 ? 0 : -1, dim);
    first[axis] = start;
    step[axis] = by;
    shape[axis] = Math.max(0, Math.ceil((end - start) / by));
  });
  const strides = stridesOf(from);
  const base = dot(first, strides);
  const jumps = strides.map((stride, axis) => stride * step[axis]!);
  return [{ shape, sources: [0], map: () => mapByCoordinates(shape, (c) => base + dot(c, jumps)) }];
};

const split: WiringRule = (context) => {
  const from = inputShape(context);
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', 0), from.length);
  const parts = context.node.outputs.length;
  const even = Math.ceil(from[axis]! / parts);
  const sizes =
    integersGiven(context, 'split', 1) ??
    Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(even, from[axis]! - i * even)));
  if (
    sizes.length !== parts ||
    sizes.some((size) => size < 0) ||
    sizes.reduce((a, b) => a + b, 0) !== from[axis]
  ) {
    refuseNode(context.node, 'split', `${parts} sizes that sum to ${from[axis]}`, [...sizes]);
  }
  const strides = stridesOf(from);
  let start = 0;
  return sizes.map((size) => {
    const base = start * strides[axis]!;
    start += size;
    const shape = from.map((dim, i) => (i === axis ? size : dim));
    return { shape, sources: [0], map: () => mapByCoordinates(shape, (c) => base + dot(c, strides)) };
  });
};

const concat: WiringRule = (context) => {
  const shapes = context.node.inputs.map((_, i) => inputShape(context, i));
  const rank = shapes[0]!.length;
  const axis = axisOf(context.node, intAttribute(context.node, 'axis', context.opset < 4 ? 1 : 0), rank);
  for (const shape of shapes) {
    if (shape.length !== rank || shape.some((dim, i) => i !== axis && dim !== shapes[0]![i])) {
      refuseNode(
        context.node,
        'input shapes',
        `alike except on axis ${axis}`,
        shapes.map((s) => `[${s.join(',')}]`).join(' '),
      );
    }
  }
  const shape = shapes[0]!.map((dim, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[axis]!, 0) : dim));
  return [{ shape, sources: shapes.map((_, i) => i), map: () => concatMap(shapes, shape, axis) }];
};

function concatMap(
  shapes: readonly (readonly number[])[],
  shape: readonly number[],
  axis: number,
): Int32Array {
  const owner: { offset: number; start: number; strides: number[] }[] = [];
  let start = 0;
  let offset = 0;
  for (const part of shapes) {
    const strides = stridesOf(part);
    for (let i = 0; i < part[axis]!; i++) owner.push({ offset, start, strides });
    start += part[axis]!;
    offset += sizeOf(part);
  }
  return mapByCoordinates(shape, (c) => {
    const { offset, start, strides } = owner[c[axis]!]!;
    return offset + dot(c, strides) - start * strides[axis]!;
  });
}

/** By a computed k the diagonal is no wiring but a comparison. */
const trilu: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  const shape = inputShape(context);
  if (shape.length < 2) refuseNode(context.node, 'input rank', 'at least 2', shape.length);
  if (context.type(1) && !context.constant(1)) return undefined;
  const k = context.type(1) ? integersGiven(context, 'k', 1)![0]! : 0;
  const isUpper = intAttribute(context.node, 'upper', 1) !== 0;
  const strides = stridesOf(shape);
  const map = (): Int32Array =>
    mapByCoordinates(shape, (c) => {
      const offset = c.at(-1)! - c.at(-2)!;
      return (isUpper ? offset >= k : offset <= k) ? dot(c, strides) : -1;
    });
  return [{ shape, sources: [0], map, fill: 0 }];
};

const identity: WiringRule = (context) => sameElements(inputShape(context));

/** Dropout at inference is the identity; a mask output has no meaning here. */
const dropout: WiringRule = (context) => {
  if (context.node.outputs.length > 1 && context.node.outputs[1] !== '')
    refuseNode(context.node, 'outputs', '1 (no mask)', 2);
  if (context.type(2) && Number(context.constant(2)?.data[0] ?? 1) !== 0)
    refuseNode(context.node, 'training_mode', 'false', 'true');
  return identity(context);
};

const resize: (context: NodeContext) => readonly Wiring[] | undefined = (context) => {
  const plan = resizeNearest(context);
  return plan && [{ shape: plan.shape, sources: [0], map: () => mapByCoordinates(plan.shape, plan.at) }];
};

const wirings: Readonly<Record<string, (context: NodeContext) => readonly Wiring[] | undefined>> = {
  Identity: identity,
  Dropout: dropout,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Slice: slice,
  Split: split,
  Concat: concat,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatter,
  ScatterND: scatter,
  Compress: compress,
  ReverseSequence: reverseSequence,
  CenterCropPad: centerCropPad,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  Resize: resize,
  Upsample: resize,
};
