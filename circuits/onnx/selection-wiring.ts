/** Compress, ReverseSequence and CenterCropPad by constants: they move elements, so they are wiring (wiring.ts). */
import { axisOf, hasAttribute, intAttribute, integersOf, intsAttribute, refuseNode } from './node.js';
import {
  dot,
  inputShape,
  mapByCoordinates,
  sizeOf,
  stridesOf,
  type NodeContext,
  type Wiring,
} from './shape.js';

function constantIntegers(context: NodeContext, input: number, what: string): readonly number[] {
  const constant = context.constant(input);
  return constant
    ? integersOf(constant)
    : refuseNode(context.node, what, 'a constant', 'a value computed at run time');
}

/** The slices along an axis, or the elements, at which the condition holds. */
export function compress(context: NodeContext): readonly Wiring[] {
  const { node } = context;
  const given = inputShape(context);
  const isFlat = !hasAttribute(node, 'axis');
  const from = isFlat ? [sizeOf(given)] : given;
  const axis = isFlat ? 0 : axisOf(node, intAttribute(node, 'axis', 0), from.length);
  const condition = constantIntegers(context, 1, 'condition');
  if (condition.length > from[axis]!)
    refuseNode(node, 'condition', `at most ${from[axis]} values`, condition.length);
  const kept = condition.flatMap((value, i) => (value !== 0 ? [i] : []));
  const shape = from.map((dim, i) => (i === axis ? kept.length : dim));
  const strides = stridesOf(from);
  const map = (): Int32Array =>
    mapByCoordinates(shape, (c) => dot(c, strides) + (kept[c[axis]!]! - c[axis]!) * strides[axis]!);
  return [{ shape, sources: [0], map }];
}

/** The first elements along the time axis in reverse, as many as each batch entry says. */
export function reverseSequence(context: NodeContext): readonly Wiring[] {
  const { node } = context;
  const shape = inputShape(context);
  const batchAxis = axisOf(node, intAttribute(node, 'batch_axis', 1), shape.length);
  const timeAxis = axisOf(node, intAttribute(node, 'time_axis', 0), shape.length);
  const lengths = constantIntegers(context, 1, 'sequence_lens');
  if (lengths.length !== shape[batchAxis] || lengths.some((n) => n < 0 || n > shape[timeAxis]!))
    refuseNode(node, 'sequence_lens', `${shape[batchAxis]} lengths up to ${shape[timeAxis]}`, [...lengths]);
  const strides = stridesOf(shape);
  const map = (): Int32Array =>
    mapByCoordinates(shape, (c) => {
      const [time, length] = [c[timeAxis]!, lengths[c[batchAxis]!]!];
      return dot(c, strides) + (time < length ? length - 1 - 2 * time : 0) * strides[timeAxis]!;
    });
  return [{ shape, sources: [0], map }];
}

/** Each axis cut or filled with zeros to a size; of an odd difference the smaller half comes first. */
export function centerCropPad(context: NodeContext): readonly Wiring[] {
  const { node } = context;
  const from = inputShape(context);
  const sizes = constantIntegers(context, 1, 'shape');
  const axes = (intsAttribute(node, 'axes') ?? from.map((_, i) => i)).map((axis) =>
    axisOf(node, axis, from.length),
  );
  if (sizes.length !== axes.length || sizes.some((size) => size < 1))
    refuseNode(node, 'shape', `${axes.length} sizes of at least 1`, [...sizes]);
  const shape = [...from];
  const first = from.map(() => 0);
  axes.forEach((axis, i) => {
    shape[axis] = sizes[i]!;
    first[axis] = Math.trunc((from[axis]! - sizes[i]!) / 2);
  });
  const strides = stridesOf(from);
  const map = (): Int32Array =>
    mapByCoordinates(shape, (c) => {
      const at = c.map((x, axis) => x + first[axis]!);
      return at.every((x, axis) => x >= 0 && x < from[axis]!) ? dot(at, strides) : -1;
    });
  return [{ shape, sources: [0], map, fill: 0 }];
}
