/** Feature operators of ai.onnx.ml as casts, moves and comparisons of the core domain; what they mean is ONNX Runtime's. */
import { isFloat, typeOf, type Rewriting } from './equivalent-writer.js';
import type { Dtype, GraphNode } from './graph.js';
import { floatAttribute, floatsAttribute, intAttribute, intsAttribute, refuseNode } from './node.js';
import { sizeOf } from './shape.js';

/** Categories and keys of one encoder: each costs a test for equality an element. */
const MAX_KEYS = 1024;

/** (x − offset)·scale in float32; what changes nothing is left out. */
export const scaler: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype, shape } = typeOf(context, 0);
  const width = shape.at(-1) ?? 1;
  const [offset, scale] = ['offset', 'scale'].map((name) => floatsAttribute(node, name) ?? []) as [
    readonly number[],
    readonly number[],
  ];
  for (const [name, values] of [
    ['offset', offset],
    ['scale', scale],
  ] as const)
    if (values.length !== 1 && values.length !== width)
      refuseNode(node, name, `1 or ${width} numbers`, values.length);
  const centres = offset.some((value) => value !== 0);
  const scales = scale.some((value) => value !== 1);
  const last = node.outputs[0]!;
  let x = node.inputs[0]!;
  const isWhole = !isFloat(dtype) || writer.isWhole(x);
  if (dtype !== 'float32') x = writer.cast(x, 'float32', centres || scales ? undefined : last);
  else if (!centres && !scales) x = writer.emit('Identity', [x], {}, last);
  const list = (values: readonly number[]): string => writer.constant('float32', [values.length], values);
  if (centres) x = writer.emit('Sub', [x, list(offset)], {}, scales ? undefined : last);
  if (scales) writer.emit('Mul', [x, list(scale)], {}, last);
  else if (!centres && isWhole) writer.setWhole(last);
};

/** Rows of all inputs side by side, as float32. */
export const featureVectorizer: Rewriting = (writer, context) => {
  const { node } = context;
  const widths =
    intsAttribute(node, 'inputdimensions') ??
    refuseNode(node, 'inputdimensions', 'given, one an input', 'none');
  if (widths.length !== node.inputs.length)
    refuseNode(node, 'inputdimensions', `${node.inputs.length} sizes`, widths.length);
  let isWhole = true;
  const parts = node.inputs.map((name, i) => {
    const { dtype, shape } = typeOf(context, i);
    const rows = shape.length < 2 ? 1 : shape[0]!;
    const width = sizeOf(shape) / rows;
    // ONNX Runtime cuts or pads to the size given; exporters always give the size there is.
    if (width !== widths[i]) refuseNode(node, `inputdimensions of input ${i}`, String(width), widths[i]);
    isWhole &&= !isFloat(dtype) || writer.isWhole(name);
    const x = dtype === 'float32' ? name : writer.cast(name, 'float32');
    return writer.reshape(x, [rows, width]);
  });
  writer.emit('Concat', parts, { axis: { kind: 'int', value: 1 } }, node.outputs[0]!);
  if (isWhole) writer.setWhole(node.outputs[0]!);
};

/** Columns of the last axis by their numbers; a list counts as one row. */
export const arrayFeatureExtractor: Rewriting = (writer, context) => {
  const { node } = context;
  const { shape } = typeOf(context, 0);
  const [x, y] = node.inputs as [string, string];
  const count = sizeOf(typeOf(context, 1).shape);
  const table = shape.length === 1 ? writer.reshape(x, [1, shape[0]!]) : x;
  const columns = writer.reshape(y, [count]);
  writer.emit('Gather', [table, columns], { axis: { kind: 'int', value: -1 } }, node.outputs[0]!);
  if (writer.isWhole(x)) writer.setWhole(node.outputs[0]!);
};

/** A new last axis: 1 at the category of the element, else 0. A float is cut to an integer first. */
export const oneHotEncoder: Rewriting = (writer, context) => {
  const { node } = context;
  const categories =
    intsAttribute(node, 'cats_int64s') ?? refuseNode(node, 'categories', 'cats_int64s', 'cats_strings');
  if (intAttribute(node, 'zeros', 1) === 0) refuseNode(node, 'zeros', '1', 0);
  requireKeys(node, 'cats_int64s', categories);
  const { dtype, shape } = typeOf(context, 0);
  const own = writer.reshape(node.inputs[0]!, [...shape, 1]);
  const list = (of: Dtype): string => writer.constant(of, [categories.length], categories);
  const isCastInteger =
    writer.isWhole(node.inputs[0]!) && categories.every((value) => Math.abs(value) < 2 ** 24);
  // A cast integer equals a small number exactly when the integer did, so it need not be cut.
  const matches = isCastInteger
    ? writer.emit('Equal', [own, list('float32')])
    : writer.emit('Equal', [dtype === 'int64' ? own : writer.cast(own, 'int64'), list('int64')]);
  writer.cast(matches, 'float32', node.outputs[0]!);
  writer.setWhole(node.outputs[0]!);
};

/** 1 above the threshold, else 0. */
export const binarizer: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype } = typeOf(context, 0);
  if (dtype !== 'float32') refuseNode(node, 'input dtype', 'float32', dtype);
  const threshold = writer.constant('float32', [], [floatAttribute(node, 'threshold', 0)]);
  const above = writer.emit('Greater', [node.inputs[0]!, threshold]);
  writer.cast(above, 'float32', node.outputs[0]!);
  writer.setWhole(node.outputs[0]!);
};

/** Integers: one value becomes another, one for all columns or one a column. */
export const imputer: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype, shape } = typeOf(context, 0);
  // Of floats the replaced value is NaN, which has no quantized form.
  if (dtype !== 'int64') refuseNode(node, 'input dtype', 'int64', dtype);
  const imputed = intsAttribute(node, 'imputed_value_int64s') ?? [];
  const width = shape.at(-1) ?? 1;
  if (imputed.length !== 1 && imputed.length !== width)
    refuseNode(node, 'imputed_value_int64s', `1 or ${width} numbers`, imputed.length);
  const [x] = node.inputs as [string];
  const replaced = writer.constant('int64', [], [intAttribute(node, 'replaced_value_int64', 0)]);
  const isReplaced = writer.emit('Equal', [x, replaced]);
  const values = writer.constant('int64', [imputed.length], imputed);
  writer.emit('Where', [isReplaced, values, x], {}, node.outputs[0]!);
};

/** int64 to int64: default + Σ (value − default) over the one key that matches, if any. */
export const labelEncoder: Rewriting = (writer, context) => {
  const { node } = context;
  const { dtype, shape } = typeOf(context, 0);
  const keys = intsAttribute(node, 'keys_int64s');
  const values = intsAttribute(node, 'values_int64s');
  if (!keys || !values || dtype !== 'int64' || keys.length !== values.length)
    return refuseNode(
      node,
      'keys and values',
      'keys_int64s and values_int64s of one length',
      [...node.attributes.keys()].join(', '),
    );
  requireKeys(node, 'keys_int64s', keys);
  const fallback = intAttribute(node, 'default_int64', -1);
  const own = writer.reshape(node.inputs[0]!, [...shape, 1]);
  const matches = writer.emit('Equal', [own, writer.constant('int64', [keys.length], keys)]);
  const gains = writer.constant(
    'int64',
    [keys.length],
    values.map((value) => value - fallback),
  );
  const gained = writer.emit('Mul', [writer.cast(matches, 'int64'), gains]);
  const sum = writer.emit('ReduceSum', [gained, writer.constant('int64', [1], [shape.length])], {
    keepdims: { kind: 'int', value: 0 },
  });
  writer.emit('Add', [sum, writer.constant('int64', [], [fallback])], {}, node.outputs[0]!);
};

function requireKeys(node: GraphNode, what: string, keys: readonly number[]): void {
  if (keys.length === 0 || keys.length > MAX_KEYS)
    refuseNode(node, what, `1 to ${MAX_KEYS} numbers`, keys.length);
  if (new Set(keys).size !== keys.length) refuseNode(node, what, 'unique', [...keys]);
}
