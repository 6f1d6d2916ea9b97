/** Operators of the core domain that are others: CastLike and BitCast are Cast, CumProd is a row of products. */
import type { Dtype } from './graph.js';
import { isFloat, typeOf, type Rewriting } from './equivalent-writer.js';
import { axisOf, intAttribute, refuseNode } from './node.js';
import { sizeOf } from './shape.js';
import { dtypeCodes } from './tensor.js';

export const castLike: Rewriting = (writer, { node, type }) => {
  const like = type(1)?.dtype ?? refuseNode(node, 'target_type', 'present', 'absent');
  writer.cast(node.inputs[0]!, like, node.outputs[0]!);
};

/** The same bits under another integer type of the same width are the same number modulo its size: what Cast gives. */
export const bitCast: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype } = typeOf(context, 0);
  const code = intAttribute(node, 'to', 0);
  const to = Object.entries(dtypeCodes).find(([, known]) => known === code)?.[0] as Dtype | undefined;
  // A bool is a byte of 0 or 1; other bytes are no bool.
  const width = (name: string): string => (name === 'bool' ? '8' : name.replace(/^u?int/, ''));
  if (!to || !/^u?int/.test(to) || isFloat(dtype) || width(to) !== width(dtype))
    refuseNode(node, 'to', `an integer type as wide as ${dtype}`, to ?? code);
  writer.cast(node.inputs[0]!, to, node.outputs[0]!);
};

/** Running products along an axis: the element before times this one, each as int64 carries it. */
export const cumulativeProduct: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype, shape } = typeOf(context, 0);
  if (isFloat(dtype)) refuseNode(node, 'dtype', 'an integer type', dtype);
  const at = context.constant(1) ?? refuseNode(node, 'axis', 'a constant', 'a value computed at run time');
  const axis = axisOf(node, Number(at.data[0]), shape.length);
  const [size, isReverse] = [shape[axis]!, intAttribute(node, 'reverse', 0) === 1];
  const isExclusive = intAttribute(node, 'exclusive', 0) === 1;
  const one = shape.map((dim, i) => (i === axis ? 1 : dim));
  const part = (i: number): string =>
    writer.emit('Slice', [
      node.inputs[0]!,
      ...[[i], [i + 1], [axis]].map((list) => writer.constant('int64', [1], list)),
    ]);
  const order = Array.from({ length: size }, (_, i) => (isReverse ? size - 1 - i : i));
  const products = new Array<string>(size);
  // As int64, of which a circuit carries what fits int32: kernels of int32 differ beyond their range.
  let running = writer.constant('int64', one, new Array<number>(sizeOf(one)).fill(1));
  for (const i of order) {
    const next = writer.emit('Mul', [running, writer.cast(part(i), 'int64')]);
    products[i] = isExclusive ? running : next;
    running = next;
  }
  const whole = writer.emit('Concat', products, { axis: { kind: 'int', value: axis } });
  writer.cast(whole, dtype, node.outputs[0]!);
};
