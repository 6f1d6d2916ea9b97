/** The sliding window of Conv and the pools: kernel, strides, dilations, pads and the output size, per spatial axis. */
import { intAttribute, intsAttribute, refuseNode, stringAttribute } from './node.js';
import type { NodeContext } from './shape.js';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first and after the last element of each axis. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly output: readonly number[];
}

const MAX_WINDOW = 65536;

/** The window of a node over the given spatial dimensions. */
export function windowOf(
  context: NodeContext,
  spatial: readonly number[],
  kernelOfWeights?: readonly number[],
): Window {
  const { node } = context;
  const rank = spatial.length;
  if (rank < 1) refuseNode(node, 'input rank', 'at least 3', rank + 2);
  const kernel =
    kernelOfWeights ??
    intsAttribute(node, 'kernel_shape') ??
    refuseNode(node, 'kernel_shape', 'given', 'none');
  const declared = intsAttribute(node, 'kernel_shape');
  if (kernelOfWeights && declared && declared.join() !== kernelOfWeights.join()) {
    refuseNode(node, 'kernel_shape', `[${kernelOfWeights.join(',')}], the weights'`, [...declared]);
  }
  const list = (name: string, length: number, fallback: number, low: number): number[] => {
    const given = intsAttribute(node, name);
    const values = given && given.length > 0 ? [...given] : new Array<number>(length).fill(fallback);
    if (values.length !== length || values.some((x) => !Number.isInteger(x) || x < low || x > MAX_WINDOW)) {
      refuseNode(node, name, `${length} integers from ${low} to ${MAX_WINDOW}`, values);
    }
    return values;
  };
  if (kernel.length !== rank || kernel.some((k) => k < 1 || k > MAX_WINDOW))
    refuseNode(node, 'kernel_shape', `${rank} sizes of at least 1`, [...kernel]);
  const strides = list('strides', rank, 1, 1);
  const dilations = list('dilations', rank, 1, 1);
  const pads = list('pads', 2 * rank, 0, 0);
  const extent = kernel.map((k, i) => (k - 1) * dilations[i]! + 1);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const ceil = intAttribute(node, 'ceil_mode', 0) !== 0;
  const before: number[] = [];
  const after: number[] = [];
  const output: number[] = [];
  spatial.forEach((dim, i) => {
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const size = Math.ceil(dim / strides[i]!);
      const total = Math.max(0, (size - 1) * strides[i]! + extent[i]! - dim);
      const low = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      before.push(low);
      after.push(total - low);
      output.push(size);
      return;
    }
    if (autoPad !== 'NOTSET' && autoPad !== 'VALID')
      refuseNode(node, 'auto_pad', 'NOTSET, SAME_UPPER, SAME_LOWER or VALID', autoPad);
    const low = autoPad === 'VALID' ? 0 : pads[i]!;
    const high = autoPad === 'VALID' ? 0 : pads[rank + i]!;
    const span = dim + low + high - extent[i]!;
    if (span < 0) refuseNode(node, `window on axis ${i + 2}`, `at most ${dim + low + high}`, extent[i]);
    let size = (ceil ? Math.ceil(span / strides[i]!) : Math.floor(span / strides[i]!)) + 1;
    // A window that would start in the padding after the input is left out.
    if (ceil && (size - 1) * strides[i]! >= dim + low) size--;
    before.push(low);
    after.push(high);
    output.push(size);
  });
  return { kernel, strides, dilations, before, after, output };
}

/** [N, M, …] of a convolution of [N, C, …] with weights [M, C/group, …]. */
export function convolutionShape(context: NodeContext, x: readonly number[], w: readonly number[]): number[] {
  const { node } = context;
  const group = intAttribute(node, 'group', 1);
  if (w.length !== x.length || x.length < 3)
    refuseNode(node, 'weight rank', `${x.length}, at least 3`, w.length);
  if (group < 1 || w[1]! * group !== x[1] || w[0]! % group !== 0) {
    refuseNode(node, 'weights', `[M, ${x[1]}/group, …] with M a multiple of group ${group}`, [...w]);
  }
  return [x[0]!, w[0]!, ...windowOf(context, x.slice(2), w.slice(2)).output];
}

export function poolShape(context: NodeContext, x: readonly number[]): number[] {
  if (intAttribute(context.node, 'channels_last', 0) !== 0) {
    return [x[0]!, ...windowOf(context, x.slice(1, -1)).output, x.at(-1)!];
  }
  return [...x.slice(0, 2), ...windowOf(context, x.slice(2)).output];
}

/** [N, M, …] of a transposed convolution with weights [C, M/group, …]. */
export function transposedConvolutionShape(
  context: NodeContext,
  x: readonly number[],
  w: readonly number[],
): number[] {
  const { node } = context;
  const rank = x.length - 2;
  const group = intAttribute(node, 'group', 1);
  if (w.length !== x.length || rank < 1 || w[0] !== x[1])
    refuseNode(node, 'weights', `[${x[1]}, M/group, …] of rank ${x.length}`, [...w]);
  const list = (name: string, fallback: number): readonly number[] =>
    intsAttribute(node, name) ?? new Array<number>(rank).fill(fallback);
  const strides = list('strides', 1);
  const dilations = list('dilations', 1);
  const extra = list('output_padding', 0);
  const { before, after, output } = transposedPads(context, x.slice(2), w.slice(2), {
    strides,
    dilations,
    extra,
  });
  const sizes = x
    .slice(2)
    .map(
      (dim, i) =>
        output?.[i] ??
        strides[i]! * (dim - 1) + extra[i]! + (w[i + 2]! - 1) * dilations[i]! + 1 - before[i]! - after[i]!,
    );
  if (sizes.some((size) => size < 1)) refuseNode(node, 'output size', 'at least 1', sizes);
  return [x[0]!, w[1]! * group, ...sizes];
}

/** Padding of a transposed convolution, from `pads`, `output_shape` or `auto_pad`. */
export function transposedPads(
  context: NodeContext,
  spatial: readonly number[],
  kernel: readonly number[],
  {
    strides,
    dilations,
    extra,
  }: { strides: readonly number[]; dilations: readonly number[]; extra: readonly number[] },
): { before: number[]; after: number[]; output?: readonly number[] } {
  const { node } = context;
  const rank = spatial.length;
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const given = intsAttribute(node, 'output_shape')?.slice(-rank);
  const output =
    given ?? (autoPad.startsWith('SAME') ? spatial.map((dim, i) => dim * strides[i]!) : undefined);
  if (!output) {
    const pads =
      (autoPad === 'VALID' ? undefined : intsAttribute(node, 'pads')) ?? new Array<number>(2 * rank).fill(0);
    return { before: [...pads.slice(0, rank)], after: [...pads.slice(rank)] };
  }
  const total = spatial.map((dim, i) =>
    Math.max(0, strides[i]! * (dim - 1) + extra[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - output[i]!),
  );
  const before = total.map((t) => (autoPad === 'SAME_UPPER' ? Math.floor(t / 2) : t - Math.floor(t / 2)));
  return { before, after: total.map((t, i) => t - before[i]!), output };
}

/** Kernel, strides, dilations and pads spelled out, `auto_pad` resolved. */
export function windowAttributes(
  context: NodeContext,
  x: number,
  w: number,
): Record<string, readonly number[] | number> {
  const window = windowOf(context, context.type(x)!.shape.slice(2), context.type(w)!.shape.slice(2));
  return {
    dilations: window.dilations,
    group: intAttribute(context.node, 'group', 1),
    kernel_shape: window.kernel,
    pads: [...window.before, ...window.after],
    strides: window.strides,
  };
}
