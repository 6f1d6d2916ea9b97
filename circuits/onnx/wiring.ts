/**
 * Operators that only move elements: every output element is one input element or one constant fill. Their meaning is
 * an index map, written once here and used for constant folding, for the integer reference and for wires alike.
 */
import type { GraphNode } from './graph.js';
import { axisOf, intAttribute, integersOf, intsAttribute, refuseNode, stringAttribute } from './node.js';
import { gather, gatherElements, gatherNd, scatter } from './index-wiring.js';
import { centerCropPad, compress, reverseSequence } from './selection-wiring.js';
import { resizeNearest } from './resize.js';
import {
  broadcastMap,
  broadcastShapes,
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

/** Integers that ONNX moved from an attribute to an input over time; they must be known when the model is loaded. */
export function integersGiven(
  context: NodeContext,
  attribute: string,
  input: number,
): readonly number[] | undefined {
  const fromAttribute = intsAttribute(context.node, attribute);
  if (fromAttribute) return fromAttribute;
  if (!context.type(input)) return undefined;
  const constant = context.constant(input);
  if (!constant) refuseNode(context.node, attribute, 'a constant', 'a value computed at run time');
  return integersOf(constant);
}

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

const expand: WiringRule = (context) => {
  const from = inputShape(context);
  const wanted = integersGiven(context, 'shape', 1) ?? [];
  const shape =
    broadcastShapes(from, wanted) ??
    refuseNode(context.node, 'shape', `broadcastable with [${from.join(',')}]`, [...wanted]);
  return [{ shape, sources: [0], map: () => broadcastMap(from, shape) }];
};

const tile: WiringRule = (context) => {
  const from = inputShape(context);
  const repeats = integersGiven(context, 'repeats', 1) ?? [];
  if (repeats.length !== from.length || repeats.some((n) => n < 0))
    refuseNode(context.node, 'repeats', `${from.length} counts`, [...repeats]);
  const shape = from.map((dim, i) => dim * repeats[i]!);
  const strides = stridesOf(from);
  return [
    {
      shape,
      sources: [0],
      map: () =>
        mapByCoordinates(shape, (c) =>
          strides.reduce((sum, stride, i) => sum + stride * (c[i]! % from[i]!), 0),
        ),
    },
  ];
};

const pad: WiringRule = (context) => {
  const { node } = context;
  const from = inputShape(context);
  const mode = stringAttribute(node, 'mode', 'constant');
  if (!['constant', 'reflect', 'edge', 'wrap'].includes(mode))
    refuseNode(node, 'mode', 'constant, reflect, edge or wrap', mode);
  const given =
    intsAttribute(node, 'paddings') ??
    integersGiven(context, 'pads', 1) ??
    refuseNode(node, 'pads', 'given', 'none');
  const axes = (context.type(3) ? integersGiven(context, 'axes', 3)! : from.map((_, i) => i)).map((axis) =>
    axisOf(node, axis, from.length),
  );
  if (given.length !== 2 * axes.length) refuseNode(node, 'pads', `${2 * axes.length} numbers`, [...given]);
  const before = from.map(() => 0);
  const shape = [...from];
  axes.forEach((axis, i) => {
    before[axis] = given[i]!;
    shape[axis] = from[axis]! + given[i]! + given[axes.length + i]!;
  });
  if (shape.some((dim) => dim < 1)) refuseNode(node, 'pads', 'leaving at least one element', [...given]);
  const strides = stridesOf(from);
  const source = (x: number, dim: number): number => {
    if (x >= 0 && x < dim) return x;
    if (mode === 'constant') return -1;
    if (mode === 'edge') return x < 0 ? 0 : dim - 1;
    if (mode === 'wrap') return ((x % dim) + dim) % dim;
    if (dim === 1) return 0;
    const period = 2 * (dim - 1);
    const y = ((x % period) + period) % period;
    return y < dim ? y : period - y;
  };
  const value = context.type(2)
    ? (context.constant(2) ??
      refuseNode(node, 'constant_value', 'a constant', 'a value computed at run time'))
    : undefined;
  const attribute = node.attributes.get('value');
  const fill = value ? Number(value.data[0]) : attribute?.kind === 'float' ? attribute.value : 0;
  const map = (): Int32Array =>
    mapByCoordinates(shape, (c) => {
      let element = 0;
      for (let axis = 0; axis < c.length; axis++) {
        const x = source(c[axis]! - before[axis]!, from[axis]!);
        if (x < 0) return -1;
        element += x * strides[axis]!;
      }
      return element;
    });
  return [{ shape, sources: [0], map, fill }];
};

const depthToSpace: WiringRule = (context) => {
  const from = inputShape(context);
  const block = intAttribute(context.node, 'blocksize', 0);
  const [n, c, h, w] = from as [number, number, number, number];
  if (from.length !== 4 || block < 1 || c % (block * block) !== 0)
    refuseNode(context.node, 'blocksize', 'dividing the channels of a 4-D input', block);
  const depth = c / (block * block);
  const columnFirst = stringAttribute(context.node, 'mode', 'DCR') === 'CRD';
  const shape = [n, depth, h * block, w * block];
  const strides = stridesOf(from);
  return [
    {
      shape,
      sources: [0],
      map: () =>
        mapByCoordinates(shape, (at) => {
          const [i, d, y, x] = at as [number, number, number, number];
          const within = (y % block) * block + (x % block);
          const channel = columnFirst ? d * block * block + within : within * depth + d;
          return dot([i, channel, Math.floor(y / block), Math.floor(x / block)], strides);
        }),
    },
  ];
};

const spaceToDepth: WiringRule = (context) => {
  const from = inputShape(context);
  const block = intAttribute(context.node, 'blocksize', 0);
  const [n, c, h, w] = from as [number, number, number, number];
  if (from.length !== 4 || block < 1 || h % block !== 0 || w % block !== 0)
    refuseNode(context.node, 'blocksize', 'dividing height and width of a 4-D input', block);
  const shape = [n, c * block * block, h / block, w / block];
  const strides = stridesOf(from);
  return [
    {
      shape,
      sources: [0],
      map: () =>
        mapByCoordinates(shape, (at) => {
          const [i, d, y, x] = at as [number, number, number, number];
          const within = Math.floor(d / c);
          return dot(
            [i, d % c, y * block + Math.floor(within / block), x * block + (within % block)],
            strides,
          );
        }),
    },
  ];
};

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
