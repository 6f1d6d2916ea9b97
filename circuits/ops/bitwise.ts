/** BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot (ai.onnx 18) on two's complements of at most 32 bits; of uint32 and 64-bit types the values inside int32. */
import { AffineWriter, concatenated, type AffineTensor } from '../affine.js';
import * as bits from '../gadgets/bits.js';
import { Quantized } from '../quantized.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices, broadcastShape, dtypeRange, type TensorType } from '../tensor.js';
import { requireInteger } from './carried.js';
import { defineOp, type Op } from './op.js';

/** f(a, b) = linear·(a + b) + both·a·b on single bits. */
interface Rule {
  readonly linear: number;
  readonly both: number;
  readonly compute: (x: number, y: number) => number;
}

const RULES: Readonly<Record<string, Rule>> = {
  BitwiseAnd: { linear: 0, both: 1, compute: (x, y) => x & y },
  BitwiseOr: { linear: 1, both: -1, compute: (x, y) => x | y },
  BitwiseXor: { linear: 1, both: -2, compute: (x, y) => x ^ y },
};

function bitwise(type: string): Op {
  const { linear, both, compute } = RULES[type];
  return defineOp<{ readonly shape: readonly number[] }>({
    type,
    domain: '',
    supports: 'integer types; of uint32 and 64-bit types the values inside int32',
    attributes(view) {
      const [a, b] = [view.operand(0, 'A'), view.operand(1, 'B')];
      requireInteger(view, a);
      if (b.dtype !== a.dtype) view.refuse('dtype of B', a.dtype, b.dtype);
      const shape =
        broadcastShape(a.shape, b.shape) ??
        view.refuse('shapes', 'broadcastable', `[${a.shape.join(',')}] and [${b.shape.join(',')}]`);
      return { shape };
    },
    operands: () => [0, 1],
    shape: ({ shape }, [a]) => [{ dtype: a.dtype, shape }],
    reference(_, [a, b], [outputType]) {
      const [left, right] = [a, b].map(({ shape }) => broadcastIndices(shape, outputType.shape));
      return [
        { ...outputType, data: Int32Array.from(left, (at, i) => compute(a.data[at], b.data[right[i]])) },
      ];
    },

    // The linear part needs no bits: Σ ±2ʲ·(aⱼ + bⱼ) = a + b.
    constrain({ circuit, types: [outputType] }, _, inputs) {
      const { width, signed } = layoutOf(outputType);
      const [a, b] = inputs.map((input) => input.force(circuit));
      const all: AffineTensor = concatenated([a, b]);
      const first = bits.constrain(circuit, all, width, signed);
      const [left, right] = [a, b].map(({ shape }) => broadcastIndices(shape, outputType.shape));
      const bitOf = (element: number, j: number) => first + element * width + j;
      const offset = a.constants.length;
      const products = circuit.exists('both bits', left.length * width, (values, at) => {
        for (let i = 0; i < left.length; i++) {
          for (let j = 0; j < width; j++) {
            values[at + i * width + j] = values[bitOf(left[i], j)] * values[bitOf(offset + right[i], j)];
          }
        }
      });
      const writer = new AffineWriter();
      const sum = new LinearCombination();
      const { min, max } = dtypeRange(outputType.dtype)!;
      for (let i = 0; i < left.length; i++) {
        sum.clear().addElement(a, left[i], linear).addElement(b, right[i], linear);
        for (let j = 0; j < width; j++) {
          circuit.a.add(bitOf(left[i], j), 1);
          circuit.b.add(bitOf(offset + right[i], j), 1);
          circuit.c.add(products + i * width + j, 1);
          circuit.enforce('both bits');
          sum.add(products + i * width + j, both * (signed && j === width - 1 ? -(2 ** j) : 2 ** j));
        }
        writer.combination(sum.normalize(), min, max);
      }
      return [Quantized.of(outputType, writer.finish(outputType.shape))];
    },
  });
}

export const bitwiseAnd = bitwise('BitwiseAnd');
export const bitwiseOr = bitwise('BitwiseOr');
export const bitwiseXor = bitwise('BitwiseXor');

/** ~x = −1 − x, or 2ⁿ − 1 − x without a sign: linear. */
export const bitwiseNot = defineOp<null>({
  type: 'BitwiseNot',
  domain: '',
  supports: 'integer types; of uint32 and 64-bit types the values inside int32',
  attributes(view) {
    const { dtype } = view.operand(0, 'X');
    requireInteger(view, { dtype });
    // The complement of a value inside int32 is outside it.
    if (dtype === 'uint32' || dtype === 'uint64')
      view.refuse('dtype', 'a signed type, or one of at most 16 bits', dtype);
    return null;
  },
  operands: () => [0],
  shape: (_, [x]) => [x],
  reference: (_, [x], [type]) => [{ ...x, data: x.data.map((value) => complementOf(type) - value) }],
  constrain({ circuit, types: [type] }, _, [x]) {
    const values = x.force(circuit);
    const top = complementOf(type);
    const writer = new AffineWriter();
    const sum = new LinearCombination();
    for (let i = 0; i < values.constants.length; i++) {
      sum.clear().addElement(values, i, -1).constant(top).normalize();
      writer.combination(sum, top - values.hi[i], top - values.lo[i]);
    }
    return [Quantized.of(type, writer.finish(type.shape))];
  },
});

/** ~x + x. */
function complementOf({ dtype }: TensorType): number {
  const { min, max } = dtypeRange(dtype)!;
  return min < 0 ? -1 : max;
}

function layoutOf({ dtype }: TensorType): { width: number; signed: boolean } {
  const { min, max } = dtypeRange(dtype)!;
  return { width: Math.log2(max - min + 1), signed: min < 0 };
}
