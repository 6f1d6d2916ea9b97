/**
 * Elementwise functions in float32, as the ONNX specification defines them. They are evaluated only when a model is
 * loaded, to fill 256-entry tables or to find integer forms; no float enters a circuit. Each operation is computed in
 * double and rounded once to float32, which for + − × ÷ √ is the IEEE result exactly.
 */
import type { GraphNode } from '../onnx/graph.js';
import { floatAttribute, stringAttribute } from '../onnx/node.js';
import { erf } from './erf.js';
import { roundHalfEven } from './fit.js';

const f = Math.fround;

type PointwiseRule = (node: GraphNode, args: readonly number[]) => number;

const of =
  (rule: (...args: number[]) => number): PointwiseRule =>
  (_, args) =>
    f(rule(...args));

function alpha(node: GraphNode, fallback: number): number {
  return floatAttribute(node, 'alpha', fallback);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));

const rules: Readonly<Record<string, PointwiseRule>> = {
  Relu: of((x) => Math.max(x, 0)),
  Sigmoid: of(sigmoid),
  Tanh: of(Math.tanh),
  Exp: of(Math.exp),
  Log: of(Math.log),
  Sqrt: of(Math.sqrt),
  Reciprocal: of((x) => 1 / x),
  Abs: of(Math.abs),
  Neg: of((x) => -x),
  Floor: of(Math.floor),
  Ceil: of(Math.ceil),
  Round: of(roundHalfEven),
  Sign: of(Math.sign),
  Sin: of(Math.sin),
  Cos: of(Math.cos),
  Tan: of(Math.tan),
  Asin: of(Math.asin),
  Acos: of(Math.acos),
  Atan: of(Math.atan),
  Sinh: of(Math.sinh),
  Cosh: of(Math.cosh),
  Asinh: of(Math.asinh),
  Acosh: of(Math.acosh),
  Atanh: of(Math.atanh),
  Erf: of(erf),
  Softplus: of(softplus),
  Softsign: of((x) => x / (1 + Math.abs(x))),
  HardSwish: of((x) => x * Math.max(0, Math.min(1, f(f(x / 6) + 0.5)))),
  Mish: of((x) => x * Math.tanh(softplus(x))),
  LeakyRelu: (node, [x]) => (x! >= 0 ? x! : f(f(alpha(node, 0.01)) * x!)),
  Elu: (node, [x]) => f(x! >= 0 ? x! : alpha(node, 1) * (Math.exp(x!) - 1)),
  Celu: (node, [x]) => f(Math.max(0, x!) + Math.min(0, alpha(node, 1) * (Math.exp(x! / alpha(node, 1)) - 1))),
  Selu: (node, [x]) =>
    f(
      floatAttribute(node, 'gamma', f(1.0507009873554805)) *
        (x! > 0 ? x! : alpha(node, f(1.6732632423543772)) * (Math.exp(x!) - 1)),
    ),
  ThresholdedRelu: (node, [x]) => (x! > alpha(node, 1) ? x! : 0),
  HardSigmoid: (node, [x]) =>
    f(Math.max(0, Math.min(1, f(f(alpha(node, f(0.2)) * x!) + floatAttribute(node, 'beta', 0.5))))),
  Gelu: (node, [x]) =>
    f(
      stringAttribute(node, 'approximate', 'none') === 'tanh'
        ? 0.5 * x! * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x! + 0.044715 * x! ** 3)))
        : 0.5 * x! * (1 + erf(x! / Math.SQRT2)),
    ),
  Swish: (node, [x]) => f(x! * sigmoid(alpha(node, 1) * x!)),
  Shrink: (node, [x]) => {
    const lambda = floatAttribute(node, 'lambd', 0.5);
    const bias = floatAttribute(node, 'bias', 0);
    return f(x! < -lambda ? x! + bias : x! > lambda ? x! - bias : 0);
  },
  Clip: (node, [x, low, high]) =>
    Math.min(
      Math.max(x!, low ?? floatAttribute(node, 'min', -Infinity)),
      high ?? floatAttribute(node, 'max', Infinity),
    ),
  PRelu: of((x, slope) => (x! >= 0 ? x! : x! * slope!)),
  Add: of((a, b) => a! + b!),
  Sub: of((a, b) => a! - b!),
  Mul: of((a, b) => a! * b!),
  Div: of((a, b) => a! / b!),
  Pow: of((a, b) => a! ** b!),
  Mod: (node, [a, b]) => f(a! % b!),
  Max: of(Math.max),
  Min: of(Math.min),
  Sum: (_, args) => args.reduce((sum, x) => f(sum + x)),
  Mean: (_, args) => f(args.reduce((sum, x) => f(sum + x)) / args.length),
  Identity: of((x) => x!),
  Equal: of((a, b) => Number(a === b)),
  Greater: of((a, b) => Number(a! > b!)),
  Less: of((a, b) => Number(a! < b!)),
  GreaterOrEqual: of((a, b) => Number(a! >= b!)),
  LessOrEqual: of((a, b) => Number(a! <= b!)),
  Not: of((x) => Number(x === 0)),
  And: of((a, b) => Number(a !== 0 && b !== 0)),
  Or: of((a, b) => Number(a !== 0 || b !== 0)),
  Xor: of((a, b) => Number((a !== 0) !== (b !== 0))),
  Where: of((test, yes, no) => (test !== 0 ? yes! : no!)),
};

export function isPointwise(node: GraphNode): boolean {
  return node.domain === '' ? node.type in rules : node.domain === 'com.microsoft' && node.type === 'Gelu';
}

/** One element of a pointwise operator, in float32. */
export function evaluatePointwise(node: GraphNode, args: readonly number[]): number {
  return rules[node.type]!(node, args);
}
