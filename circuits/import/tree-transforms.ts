/** What ai.onnx.ml's tree ensembles do with scores, as float nodes of the tail: outside the proof and deterministic. */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import type { Float } from './value.js';

const int = (value: number): AttributeValue => ({ kind: 'int', value });

/** Constants of Winitzki's approximation of erf⁻¹, in which ONNX Runtime computes PROBIT. */
const WINITZKI = 0.147;
/** SOFTMAX_ZERO takes scores below it for "none". */
const ZERO_SCORE = 1e-7;

/** The transform of rows of scores. */
export function transformed(node: GraphNode, transform: string, scores: Float): Float {
  switch (transform) {
    case 'LOGISTIC':
      return tail(node, 'Sigmoid', scores.shape, [scores]);
    case 'SOFTMAX':
      return tail(node, 'Softmax', scores.shape, [scores], { axis: int(1) });
    case 'SOFTMAX_ZERO':
      return softmaxOfNonzero(node, scores);
    case 'PROBIT':
      return probit(node, scores);
    default:
      return scores;
  }
}

/** √2·erf⁻¹(2p − 1). */
function probit(node: GraphNode, p: Float): Float {
  const { shape } = p;
  const of = (type: string, ...args: Float[]): Float => tail(node, type, shape, args);
  const x = of('Sub', of('Mul', p, number(2)), number(1));
  const log = of('Log', of('Mul', of('Sub', number(1), x), of('Add', number(1), x)));
  const v = of('Add', of('Mul', log, number(0.5)), number(2 / (3.14159 * WINITZKI)));
  const root = of('Sqrt', of('Sub', of('Mul', v, v), of('Mul', log, number(1 / WINITZKI))));
  const magnitude = of('Sqrt', of('Sub', root, v));
  return of('Mul', of('Mul', of('Sign', x), magnitude), number(Math.SQRT2));
}

/** Softmax over the scores that are not 0; those that are stay so. */
function softmaxOfNonzero(node: GraphNode, scores: Float): Float {
  const { shape } = scores;
  const of = (type: string, ...args: Float[]): Float => tail(node, type, shape, args);
  const perRow = (type: string, values: Float): Float =>
    tail(node, type, [shape[0]!, 1], [values, axes], { keepdims: int(1) });
  const axes: Float = {
    op: 'constant',
    shape: [1],
    tensor: { dtype: 'int64', shape: [1], data: BigInt64Array.of(1n) },
  };
  const isGiven = tail(node, 'Cast', shape, [of('Greater', of('Abs', scores), number(ZERO_SCORE))], {
    to: int(1),
  });
  const peak = perRow('ReduceMax', scores);
  const given = of('Mul', isGiven, of('Exp', of('Sub', scores, peak)));
  const rest = of('Mul', of('Sub', number(1), isGiven), of('Mul', scores, of('Exp', of('Neg', peak))));
  return of('Div', of('Add', given, rest), perRow('ReduceSum', given));
}

/** Columns side by side. */
export function joined(node: GraphNode, columns: readonly Float[]): Float {
  const shape = [columns[0]!.shape[0]!, columns.reduce((sum, column) => sum + column.shape[1]!, 0)];
  return tail(node, 'Concat', shape, columns, { axis: int(1) });
}

export function tail(
  node: GraphNode,
  type: string,
  shape: readonly number[],
  args: readonly Float[],
  attributes: Record<string, AttributeValue> = {},
): Float {
  return { op: 'tail', shape, node: tailNode(node, type, attributes), args };
}

export function tailNode(
  node: GraphNode,
  type: string,
  attributes: Record<string, AttributeValue>,
): GraphNode {
  return {
    name: `${node.name}/${type}`,
    domain: '',
    type,
    inputs: [],
    outputs: [],
    attributes: new Map(Object.entries(attributes)),
  };
}

export function number(value: number): Float {
  return { op: 'constant', shape: [], tensor: { dtype: 'float32', shape: [], data: Float32Array.of(value) } };
}
