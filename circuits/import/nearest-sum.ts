/**
 * Sums of quantized values for which no division reproduces the float formula at every tuple (decimal scales make exact
 * ties, which float32 breaks irregularly; three operands are too many to check). The executed graph then computes the sum
 * in integers,
 *
 *   y = clamp(floor((Σ aᵢ·qᵢ + c)/b)),
 *
 * which rounds the exact sum; what that changes against the float formula is counted here and told at import.
 */
import type { GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { dtypeCodes } from '../onnx/tensor.js';
import type { GraphBuilder, NodeParts, Tensor } from './builder.js';
import { constantOf, evaluate } from './constant-float.js';
import { rescale } from './lookup.js';
import { dequantize, perTensor, quantize, rangeOf, type Quantization } from './quantization.js';
import type { SumForm } from './sum.js';
import type { DequantizedFloat, Float, PointwiseFloat } from './value.js';

/** Largest divisor: the combination stays within 2^-8 of a step of the exact sum. */
const WIDEST_DIVISOR = 2 ** 18;
const LEAST_DIVISOR = 2 ** 8;
/** Divisors up to here are tried for slopes that are exact fractions. */
const FRACTION_DIVISOR = 2 ** 12;
const SAMPLES = 2 ** 16;
const INT32_END = 2 ** 31;

/** Σ coefficient·source + constant. */
interface Affine {
  readonly terms: ReadonlyMap<DequantizedFloat, number>;
  readonly constant: number;
}

/** The expression as an affine function, if its operators say that it is one. */
function affineOf(float: Float): Affine | undefined {
  const constant = constantOf(float);
  if (constant) return { terms: new Map(), constant: Number(constant.data[0]) };
  if (float.op === 'dequantized') return { terms: new Map([[float, 1]]), constant: 0 };
  if (float.op !== 'pointwise') return undefined;
  const args = float.args.map(affineOf);
  if (!args.every((arg) => arg !== undefined)) return undefined;
  const [x, y] = args as [Affine, Affine];
  switch (float.node.type) {
    case 'Add':
      return combined([x, y], [1, 1]);
    case 'Sub':
      return combined([x, y], [1, -1]);
    case 'Sum':
      return combined(
        args,
        args.map(() => 1),
      );
    case 'Mean':
      return combined(
        args,
        args.map(() => 1 / args.length),
      );
    case 'Neg':
      return combined([x], [-1]);
    case 'Identity':
      return x;
    case 'Mul':
      if (y.terms.size === 0) return combined([x], [y.constant]);
      return x.terms.size === 0 ? combined([y], [x.constant]) : undefined;
    case 'Div':
      return y.terms.size === 0 && y.constant !== 0 ? combined([x], [1 / y.constant]) : undefined;
  }
  return undefined;
}

function combined(parts: readonly Affine[], factors: readonly number[]): Affine {
  const terms = new Map<DequantizedFloat, number>();
  let constant = 0;
  parts.forEach((part, i) => {
    constant += factors[i]! * part.constant;
    for (const [source, coefficient] of part.terms)
      terms.set(source, (terms.get(source) ?? 0) + factors[i]! * coefficient);
  });
  return { terms, constant };
}

/** The sum in integers, or undefined if the expression is no sum of 8-bit values. */
export function emitNearestSum(
  builder: GraphBuilder,
  float: PointwiseFloat,
  to: Quantization,
  notes: string[],
): Tensor | undefined {
  const { node } = float;
  const affine = affineOf(float);
  if (!affine) return undefined;
  const sources = [...affine.terms.keys()];
  const form = formOf(node, affine, to);
  const { differing, samples } = disagreementOf(float, sources, form, to);
  notes.push(
    `node "${node.name}" (${node.type}): a sum in integers, rounded once; ${differing} of ${samples} operand tuples differ from the float formula`,
  );
  const inputs = sources.map(({ tensor }) => tensor.name);
  const { parts, outputs } = executedSum(builder, float, sources, form, to);
  const type = { dtype: to.dtype, shape: float.shape };
  return builder.emitTwoForms(node.name, type, rescale(inputs, form, to.dtype), parts, outputs);
}

function formOf(node: GraphNode, { terms, constant }: Affine, to: Quantization): SumForm {
  const { scale, zeroPoint } = perTensor(node, to);
  const params = [...terms.keys()].map(({ quantization }) => perTensor(node, quantization));
  const slopes = [...terms.values()].map((coefficient, i) => (coefficient * params[i]!.scale) / scale);
  const isFraction = (b: number): boolean =>
    slopes.every((slope) => Math.abs(slope * b - Math.round(slope * b)) < 1e-6 * b);
  let divisor = 1;
  while (divisor <= FRACTION_DIVISOR && !isFraction(divisor)) divisor++;
  if (divisor > FRACTION_DIVISOR) divisor = WIDEST_DIVISOR;
  for (; divisor >= 1; divisor = Math.floor(divisor / 2)) {
    const coefficients = slopes.map((slope) => Math.round(slope * divisor));
    const centre = coefficients.reduce((sum, a, i) => sum + a * params[i]!.zeroPoint, 0);
    const offset =
      Math.round((constant / scale) * divisor) + divisor * zeroPoint - centre + Math.floor(divisor / 2);
    const reach = coefficients.reduce((sum, a) => sum + 256 * Math.abs(a), Math.abs(offset));
    // Room for the multiple of the divisor that keeps the dividend positive.
    if (reach < INT32_END / 4) return { coefficients, offset, divisor };
    if (divisor < LEAST_DIVISOR) break;
  }
  return refuseNode(
    node,
    'ratio of the scales',
    'below 2^15 between operands and result',
    Math.max(...slopes.map(Math.abs)),
  );
}

/** How often the rounded sum differs from the float formula: at every pair, or at as many drawn tuples. */
function disagreementOf(
  float: PointwiseFloat,
  sources: readonly DequantizedFloat[],
  { coefficients, offset, divisor }: SumForm,
  to: Quantization,
): { differing: number; samples: number } {
  const params = perTensor(float.node, to);
  const [yMin, yMax] = rangeOf(to.dtype) as [number, number];
  const lows = sources.map(({ quantization }) => rangeOf(quantization.dtype)[0]!);
  const scales = sources.map(({ quantization }) => perTensor(float.node, quantization));
  let state = 1;
  let differing = 0;
  for (let n = 0; n < SAMPLES; n++) {
    const values = sources.map((_, i) => {
      if (sources.length <= 2) return lows[i]! + ((n >> (8 * i)) & 255);
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return lows[i]! + (state >>> 24);
    });
    const reals = new Map(sources.map((source, i) => [source as Float, dequantize(values[i]!, scales[i]!)]));
    const sum = values.reduce((total, q, i) => total + coefficients[i]! * q, offset);
    const y = Math.min(Math.max(Math.floor(sum / divisor), yMin), yMax);
    if (y !== quantize(evaluate(float, reals), params, to.dtype)) differing++;
  }
  return { differing, samples: SAMPLES };
}

/** int32 arithmetic; a multiple of the divisor makes the dividend positive, as Div rounds towards zero. */
function executedSum(
  builder: GraphBuilder,
  { node }: PointwiseFloat,
  sources: readonly DequantizedFloat[],
  { coefficients, offset, divisor }: SumForm,
  to: Quantization,
): { parts: NodeParts[]; outputs: string[] } {
  const parts: NodeParts[] = [];
  const outputs: string[] = [];
  const add = (wish: string, part: NodeParts): string => {
    const output = builder.fresh(`${node.name}/${wish}`);
    parts.push(part);
    outputs.push(output);
    return output;
  };
  const int32 = (value: number): string => builder.scalar('integer', 'int32', value).name;
  const cast = (wish: string, input: string, dtype: keyof typeof dtypeCodes): string =>
    add(wish, {
      type: 'Cast',
      inputs: [input],
      attributes: { to: { kind: 'int', value: dtypeCodes[dtype] } },
    });
  const terms = sources.map(({ tensor }, i) =>
    add('term', { type: 'Mul', inputs: [cast('wide', tensor.name, 'int32'), int32(coefficients[i]!)] }),
  );
  const sum = terms.reduce((total, term) => add('sum', { type: 'Add', inputs: [total, term] }));
  const least = coefficients.reduce((low, a) => low - 256 * Math.abs(a), offset);
  const lift = Math.max(0, Math.ceil(-least / divisor));
  const lifted = add('lifted', { type: 'Add', inputs: [sum, int32(offset + lift * divisor)] });
  const quotient = add('quotient', { type: 'Div', inputs: [lifted, int32(divisor)] });
  const y = add('rounded', { type: 'Sub', inputs: [quotient, int32(lift)] });
  const [low, high] = rangeOf(to.dtype) as [number, number];
  const clamped = add('clamped', { type: 'Clip', inputs: [y, int32(low), int32(high)] });
  cast('sum', clamped, to.dtype as 'int8');
  return { parts, outputs };
}
