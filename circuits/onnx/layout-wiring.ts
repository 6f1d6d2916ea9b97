/** Expand, Tile, Pad and the two depth operators: wiring (wiring.ts) that repeats, frames or refolds a tensor. */
import { axisOf, integersGiven, intAttribute, intsAttribute, refuseNode, stringAttribute } from './node.js';
import {
  broadcastMap,
  broadcastShapes,
  dot,
  inputShape,
  mapByCoordinates,
  stridesOf,
  type NodeContext,
  type Wiring,
} from './shape.js';

type WiringRule = (context: NodeContext) => readonly Wiring[];

export const expand: WiringRule = (context) => {
  const from = inputShape(context);
  const wanted = integersGiven(context, 'shape', 1) ?? [];
  const shape =
    broadcastShapes(from, wanted) ??
    refuseNode(context.node, 'shape', `broadcastable with [${from.join(',')}]`, [...wanted]);
  return [{ shape, sources: [0], map: () => broadcastMap(from, shape) }];
};

export const tile: WiringRule = (context) => {
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

export const pad: WiringRule = (context) => {
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

export const depthToSpace: WiringRule = (context) => {
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

export const spaceToDepth: WiringRule = (context) => {
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
