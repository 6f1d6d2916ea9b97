/**
 * Resize and Upsample with mode nearest: which input element each output element copies.
 * ONNX Resize-19 coordinate transformations and nearest modes; other modes interpolate and are not wiring.
 */
import {
  axisOf,
  floatsAttribute,
  hasAttribute,
  intsAttribute,
  integersOf,
  refuseNode,
  stringAttribute,
  floatAttribute,
} from './node.js';
import { stridesOf, type NodeContext } from './shape.js';

export interface ResizePlan {
  readonly shape: readonly number[];
  readonly at: (coordinates: readonly number[]) => number;
}

/** Output shape and scales of a Resize or Upsample of any mode. */
export function resizeShape(context: NodeContext): { shape: number[]; scales: number[] } {
  const { node } = context;
  const from = context.type(0)!.shape;
  const floats = (i: number): number[] | undefined => {
    if (!context.type(i)) return undefined;
    const constant =
      context.constant(i) ?? refuseNode(node, `input ${i}`, 'a constant', 'a value computed at run time');
    return constant.data.length === 0 ? undefined : Array.from(constant.data as Float32Array, Number);
  };
  if (node.type === 'Upsample') {
    const height = floatAttribute(node, 'height_scale', 1);
    const width = floatAttribute(node, 'width_scale', 1);
    const fromAttributes = hasAttribute(node, 'height_scale')
      ? [...from.map(() => 1).slice(2), height, width]
      : undefined;
    const scales = floatsAttribute(node, 'scales') ?? fromAttributes ?? floats(1);
    return byScales(context, from, [...(scales ?? refuseNode(node, 'scales', 'given', 'none'))]);
  }
  const isOld = context.opset < 11;
  const axes =
    intsAttribute(node, 'axes')?.map((axis) => axisOf(node, axis, from.length)) ?? from.map((_, i) => i);
  const scales = floats(isOld ? 1 : 2);
  if (scales) {
    if (scales.length !== axes.length) refuseNode(node, 'scales', `${axes.length} numbers`, scales);
    const full = from.map(() => 1);
    axes.forEach((axis, i) => (full[axis] = scales[i]!));
    return byScales(context, from, full);
  }
  const sizesInput = context.type(3) ? context.constant(3) : undefined;
  if (!sizesInput) refuseNode(node, 'scales or sizes', 'constant', 'none');
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') refuseNode(node, 'keep_aspect_ratio_policy', 'stretch', policy);
  const sizes = integersOf(sizesInput);
  if (sizes.length !== axes.length || sizes.some((size) => size < 1))
    refuseNode(node, 'sizes', `${axes.length} sizes of at least 1`, sizes);
  const shape = [...from];
  axes.forEach((axis, i) => (shape[axis] = sizes[i]!));
  return { shape, scales: shape.map((dim, axis) => Math.fround(dim / from[axis]!)) };
}

function byScales(
  context: NodeContext,
  from: readonly number[],
  scales: number[],
): { shape: number[]; scales: number[] } {
  if (scales.length !== from.length || scales.some((scale) => !(scale > 0 && Number.isFinite(scale)))) {
    refuseNode(context.node, 'scales', `${from.length} positive numbers`, scales);
  }
  // ONNX Runtime computes the output size in float32.
  return { shape: from.map((dim, axis) => Math.floor(Math.fround(dim * scales[axis]!))), scales };
}

export function resizeNearest(context: NodeContext): ResizePlan | undefined {
  const { node } = context;
  const mode = stringAttribute(node, 'mode', 'nearest');
  const { shape, scales } = resizeShape(context);
  const from = context.type(0)!.shape;
  const isIdentity = shape.every((dim, axis) => dim === from[axis]) && scales.every((scale) => scale === 1);
  if (mode !== 'nearest' && !isIdentity) return undefined;
  const legacy = isLegacy(context);
  const transform = coordinateTransformation(context);
  const rounding = legacy ? 'floor' : stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
  const tables = shape.map((dim, axis) =>
    Array.from({ length: dim }, (_, x) => {
      if (dim === from[axis] && scales[axis] === 1) return x;
      const original = originalCoordinate(context, transform, x, scales[axis]!, dim, from[axis]!);
      return Math.min(Math.max(nearest(context, rounding, original), 0), from[axis]! - 1);
    }),
  );
  const strides = stridesOf(from);
  return {
    shape,
    at: (c) => strides.reduce((sum, stride, axis) => sum + stride * tables[axis]![c[axis]!]!, 0),
  };
}

const isLegacy = ({ node, opset }: NodeContext): boolean => node.type === 'Upsample' || opset < 11;

/** How a place in the output is one in the input; fixed before Resize-11. */
export function coordinateTransformation(context: NodeContext): string {
  return isLegacy(context)
    ? 'asymmetric'
    : stringAttribute(context.node, 'coordinate_transformation_mode', 'half_pixel');
}

/** All in float32, as ONNX Runtime computes it: a coordinate that rounds the other way is another pixel. */
export function originalCoordinate(
  context: NodeContext,
  transform: string,
  x: number,
  scale: number,
  size: number,
  from: number,
): number {
  const f = Math.fround;
  switch (transform) {
    case 'half_pixel':
      return f(f(f(x + 0.5) / f(scale)) - 0.5);
    case 'pytorch_half_pixel':
      return size > 1 ? f(f(f(x + 0.5) / f(scale)) - 0.5) : 0;
    case 'asymmetric':
      return f(x / f(scale));
    case 'align_corners':
      return size === 1 ? 0 : f(f(x * (from - 1)) / f(size - 1));
    case 'half_pixel_symmetric': {
      const adjustment = f(size / f(f(scale) * from));
      const center = f(from / 2);
      return f(f(center * f(1 - adjustment)) + f(f(f(x + 0.5) / f(scale)) - 0.5));
    }
    default:
      return refuseNode(
        context.node,
        'coordinate_transformation_mode',
        'half_pixel, pytorch_half_pixel, half_pixel_symmetric, asymmetric or align_corners',
        transform,
      );
  }
}

function nearest(context: NodeContext, rounding: string, x: number): number {
  switch (rounding) {
    case 'round_prefer_floor':
      return Math.ceil(x - 0.5);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    default:
      return refuseNode(
        context.node,
        'nearest_mode',
        'round_prefer_floor, round_prefer_ceil, floor or ceil',
        rounding,
      );
  }
}
