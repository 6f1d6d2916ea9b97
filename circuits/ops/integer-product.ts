/**
 * ConvInteger and MatMulInteger (ai.onnx 10): int32 sums of (x − x_zp)·(w − w_zp). With constant weights the result is a
 * linear combination and costs nothing; computed weights cost one constraint a product.
 * Refused: sums that could leave int32, where ONNX Runtime would wrap.
 */
import { reshaped } from '../affine.js';
import { Quantized } from '../quantized.js';
import { elementCount } from '../tensor.js';
import * as activations from './activation-product.js';
import { accumulate, centered, centeredIntegers, type Terms } from './bilinear.js';
import { convolution, eachProduct } from './convolution.js';
import { defineOp, type ConstrainContext, type NodeView, type Op } from './op.js';

interface IntegerProduct {
  readonly where: string;
  readonly shape: readonly number[];
  readonly terms: Terms;
  /** Shapes to which the zero points are brought before they broadcast; absent without one. */
  readonly zeroShapes: readonly [readonly number[] | undefined, readonly number[] | undefined];
}

function integerProduct(
  type: string,
  supports: string,
  attributes: (view: NodeView) => Omit<IntegerProduct, 'where'>,
): Op {
  return defineOp<IntegerProduct>({
    type,
    domain: '',
    supports,
    attributes(view) {
      view.requireByte(view.operand(0, 'x'), 'x dtype');
      view.requireByte(view.operand(1, 'w'), 'w dtype');
      return { ...attributes(view), where: view.where };
    },
    operands: ({ zeroShapes }) => [0, 1, ...(zeroShapes[0] ? [2] : []), ...(zeroShapes[1] ? [3] : [])],
    shape: ({ shape }) => [{ dtype: 'int32', shape }],

    reference({ terms, zeroShapes }, inputs, [outputType]) {
      const [xZero, wZero] = zeros(zeroShapes, inputs, (tensor, shape) => ({ ...tensor, shape }));
      const x = centeredIntegers(inputs[0], xZero);
      const w = centeredIntegers(inputs[1], wZero);
      const data = new Int32Array(elementCount(outputType.shape));
      let at = 0;
      terms(
        (left, right) => (data[at] += x[left] * w[right]),
        () => at++,
      );
      return [{ ...outputType, data }];
    },

    constrain({ circuit, types }: ConstrainContext, { where, terms, zeroShapes, shape }, inputs) {
      const tensors = inputs.map((input) => input.force(circuit));
      const [xZero, wZero] = zeros(zeroShapes, tensors, reshaped);
      const sums = accumulate(
        circuit,
        centered(tensors[0], xZero),
        centered(tensors[1], wZero),
        shape,
        terms,
      );
      for (let i = 0; i < sums.lo.length; i++) {
        if (sums.lo[i] < -(2 ** 31) || sums.hi[i] >= 2 ** 31) {
          throw new RangeError(`${where}: accumulator [${sums.lo[i]}, ${sums.hi[i]}] leaves int32`);
        }
      }
      return [Quantized.of(types[0], sums)];
    },
  });
}

/** The zero points among the operands, in the shapes in which they broadcast. */
function zeros<T>(
  [xShape, wShape]: IntegerProduct['zeroShapes'],
  operands: readonly T[],
  shaped: (operand: T, shape: readonly number[]) => T,
): readonly [T | undefined, T | undefined] {
  const rest = operands.slice(2);
  const xZero = xShape && shaped(rest.shift()!, xShape);
  const wZero = wShape && shaped(rest.shift()!, wShape);
  return [xZero, wZero];
}

/** Scalar, or one a row or column: `along` is the shape that broadcasts it over its operand. */
function zeroShape(view: NodeView, index: number, what: string, count: number, along: readonly number[]) {
  if (!view.hasOperand(index)) return undefined;
  const size = elementCount(view.operand(index, what).shape);
  if (size !== 1 && size !== count) view.refuse(what, `one value or ${count}`, `${size}`);
  return size === 1 ? [] : along;
}

export const convInteger = integerProduct('ConvInteger', 'any geometry of QLinearConv', (view) => {
  const x = view.operand(0, 'x').shape;
  const w = view.operand(1, 'w').shape;
  const geometry = convolution(view, x, w);
  const perChannel = [w[0], ...w.slice(1).map(() => 1)];
  return {
    shape: geometry.output,
    terms: (product, end) => eachProduct(geometry, product, () => end()),
    zeroShapes: [
      zeroShape(view, 2, 'x_zero_point', 1, []),
      zeroShape(view, 3, 'w_zero_point', w[0], perChannel),
    ],
  };
});

export const matMulInteger = integerProduct('MatMulInteger', 'rank 2 and more, broadcast batches', (view) => {
  const a = view.operand(0, 'A').shape;
  const b = view.operand(1, 'B').shape;
  const geometry = activations.matrixProduct(view, a, b);
  return {
    shape: geometry.shape,
    terms: (product, end) => activations.eachProduct(geometry, product, end),
    zeroShapes: [
      zeroShape(view, 2, 'a_zero_point', geometry.rows, [geometry.rows, 1]),
      zeroShape(view, 3, 'b_zero_point', geometry.columns, [1, geometry.columns]),
    ],
  };
});
