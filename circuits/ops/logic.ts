/** And, Or, Xor, Not (ai.onnx 7, 1) on bool tensors: with p = x·y they are p, x + y − p, x + y − 2p and 1 − x. */
import * as product from '../gadgets/product.js';
import { Quantized } from '../quantized.js';
import type { AffineTensor } from '../affine.js';
import { combined, elementPairs, jointShape, spread, spreadIntegers } from './elementwise.js';
import { defineOp, type NodeView, type Op } from './op.js';

function requireBool(view: NodeView): void {
  view.operands.forEach((_, i) => {
    const { dtype } = view.operand(i, `input ${i}`);
    if (dtype !== 'bool') view.refuse(`input ${i} dtype`, 'bool', dtype);
  });
}

/** `sums` and `products`: coefficients of x + y and of x·y. */
function logic(type: string, sums: number, products: number): Op {
  return defineOp<{ shape: readonly number[] }>({
    type,
    domain: '',
    supports: 'bool tensors',
    attributes(view) {
      requireBool(view);
      return { shape: jointShape(view) };
    },
    operands: () => [0, 1],
    shape: ({ shape }) => [{ dtype: 'bool', shape }],
    reference(_, [x, y], [type]) {
      const right = spreadIntegers(y, type.shape);
      const left = spreadIntegers(x, type.shape);
      return [{ ...type, data: left.map((a, i) => sums * (a + right[i]) + products * a * right[i]) }];
    },
    constrain({ circuit, types }, _, [x, y]) {
      const [left, right] = [x, y].map((operand) => spread(operand.force(circuit), types[0].shape));
      const both = product.constrain(circuit, left, right, elementPairs(left.constants.length));
      const terms = [
        { tensor: left, scale: sums },
        { tensor: right, scale: sums },
        { tensor: { ...both, shape: left.shape }, scale: products },
      ].filter(({ scale }) => scale !== 0);
      return [Quantized.of(types[0], asBool(combined(terms)))];
    },
  });
}

/** Interval arithmetic knows each term alone; what the terms are together is 0 or 1. */
function asBool(tensor: AffineTensor): AffineTensor {
  return {
    ...tensor,
    lo: tensor.lo.map((lo) => Math.max(lo, 0)),
    hi: tensor.hi.map((hi) => Math.min(hi, 1)),
  };
}

export const and = logic('And', 0, 1);
export const or = logic('Or', 1, -1);
export const xor = logic('Xor', 1, -2);

export const not = defineOp<null>({
  type: 'Not',
  domain: '',
  supports: 'bool tensors',
  attributes(view) {
    requireBool(view);
    return null;
  },
  operands: () => [0],
  shape: (_, [x]) => [x],
  reference: (_, [x]) => [{ ...x, data: x.data.map((value) => 1 - value) }],
  constrain: ({ circuit, types }, _, [x]) => [
    Quantized.of(types[0], combined([{ tensor: x.force(circuit), scale: -1 }], 1)),
  ],
});
