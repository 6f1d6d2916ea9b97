/** Functions of several quantized values: sums as one division of an integer combination, products as a matrix kernel. */
import { refuseNode } from '../onnx/node.js';
import { sizeOf } from '../onnx/shape.js';
import type { GraphBuilder, NodeParts, Tensor } from './builder.js';
import { constantOf, evaluate } from './constant-float.js';
import { emitMatrixProduct, type Operand } from './linear.js';
import { rescale } from './lookup.js';
import {
  dequantize,
  perTensor,
  quantize,
  rangeOf,
  scaleTensor,
  zeroPointTensor,
  type Quantization,
} from './quantization.js';
import { fitEvenSum, fitSum, type PairFunction } from './sum.js';
import type { DequantizedFloat, Float, PointwiseFloat } from './value.js';
import { broadcast, reshape } from './wires.js';

/** A function of two 8-bit values as one division of an integer combination; undefined where no division is exact. */
export function emitPair(
  builder: GraphBuilder,
  float: PointwiseFloat,
  sources: readonly [DequantizedFloat, DequantizedFloat],
  to: Quantization,
): Tensor | undefined {
  const { node } = float;
  if (node.type === 'Mul' && float.args.every((arg) => arg.op === 'dequantized'))
    return emitProduct(builder, float, sources, to);
  const [p, q] = sources.map((source) => perTensor(node, source.quantization)) as [
    ReturnType<typeof perTensor>,
    ReturnType<typeof perTensor>,
  ];
  const params = perTensor(node, to);
  const real = (x: number, y: number): number =>
    evaluate(
      float,
      new Map([
        [sources[0], x],
        [sources[1], y],
      ]),
    );
  const pairs: PairFunction = {
    p: rangeOf(sources[0].quantization.dtype),
    q: rangeOf(sources[1].quantization.dtype),
    y: rangeOf(to.dtype),
    valueAt: (x, y) => {
      const value = real(dequantize(x, p), dequantize(y, q));
      if (Number.isNaN(value)) refuseNode(node, `value at ${x}, ${y}`, 'a number', 'NaN');
      return quantize(value, params, to.dtype);
    },
    slopes: [
      (real(1, 0) - real(0, 0)) * (p.scale / params.scale),
      (real(0, 1) - real(0, 0)) * (q.scale / params.scale),
    ],
  };
  const form =
    fitEvenSum({ ...pairs, zeroPoints: [p.zeroPoint, q.zeroPoint, params.zeroPoint] }) ?? fitSum(pairs);
  if (!form) return undefined;
  const shapes = expressionNodes(builder, float, sources, to);
  return builder.emitTwoForms(
    node.name,
    { dtype: to.dtype, shape: float.shape },
    rescale(
      sources.map(({ tensor }) => tensor.name),
      form,
      to.dtype,
    ),
    shapes.parts,
    shapes.outputs,
  );
}

/** An elementwise product: 1×1 matrix products, whose kernel rounds f32(f32(sa·sb)/sy)·(a − za)(b − zb) once. */
function emitProduct(
  builder: GraphBuilder,
  float: PointwiseFloat,
  sources: readonly [DequantizedFloat, DequantizedFloat],
  to: Quantization,
): Tensor {
  const { node, shape } = float;
  const count = sizeOf(shape);
  const [a, b] = sources.map((source) => {
    const whole = broadcast(builder, node.name, source.tensor, shape);
    return {
      tensor: reshape(builder, `${node.name}/scalars`, whole, [count, 1, 1]),
      quantization: source.quantization,
    };
  }) as [Operand, Operand];
  const y = emitMatrixProduct(builder, { node, name: node.name, a, b, to, shape: [count, 1, 1] });
  return reshape(builder, `${node.name}/result`, y, shape);
}

/** The expression as the standard float nodes it was uploaded as: what the integer form was checked against. */
function expressionNodes(
  builder: GraphBuilder,
  float: PointwiseFloat,
  sources: readonly DequantizedFloat[],
  to: Quantization,
): { parts: NodeParts[]; outputs: string[] } {
  const parts: NodeParts[] = [];
  const outputs: string[] = [];
  const names = new Map<Float, string>();
  const add = (wish: string, part: NodeParts): string => {
    const output = builder.fresh(wish);
    parts.push(part);
    outputs.push(output);
    return output;
  };
  const visit = (value: Float): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    let name: string;
    const constant = constantOf(value);
    if (constant) name = builder.constant('operand', constant).name;
    else if (value.op === 'dequantized') {
      const { quantization, tensor } = value;
      name = add(`${tensor.name}/float`, {
        type: 'DequantizeLinear',
        inputs: [
          tensor.name,
          builder.constant('scale', scaleTensor(quantization)).name,
          builder.constant('zero_point', zeroPointTensor(quantization)).name,
        ],
      });
    } else if (value.op === 'pointwise') {
      const inputs = value.args.map(visit);
      name = add(`${value.node.name}/float`, {
        type: value.node.type,
        inputs,
        attributes: Object.fromEntries(value.node.attributes),
      });
    } else return refuseNode(float.node, 'operands', 'quantized or constant', value.op);
    names.set(value, name);
    return name;
  };
  const result = visit(float);
  add(float.node.name, {
    type: 'QuantizeLinear',
    inputs: [
      result,
      builder.constant('scale', scaleTensor(to)).name,
      builder.constant('zero_point', zeroPointTensor(to)).name,
    ],
  });
  return { parts, outputs };
}
