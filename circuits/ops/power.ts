/**
 * Pow (ai.onnx 15) of integers by integers: repeated squaring along the bits of the exponent from the top, so that no
 * intermediate is larger than the result unless the base is 0, 1 or −1. ONNX Runtime computes in double and leaves
 * overflow undefined: results must lie inside the type (inside int32 for 64-bit types), exponents in [0, 32).
 */
import { gathered, type AffineTensor } from '../affine.js';
import { AffineWriter, constantTensor } from '../affine.js';
import { InputRefused } from '../errors.js';
import * as bits from '../gadgets/bits.js';
import * as product from '../gadgets/product.js';
import { rangeCheck } from '../gadgets/range.js';
import * as wideProduct from '../gadgets/wide-product.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { broadcastIndices, broadcastShape, dtypeRange } from '../tensor.js';
import { requireInteger } from './carried.js';
import { combined, elementPairs } from './elementwise.js';
import { defineOp } from './op.js';

const EXPONENT_BITS = 5;

export const power = defineOp<{ readonly shape: readonly number[] }>({
  type: 'Pow',
  domain: '',
  supports: 'integer base and exponent, exponents 0 to 31, results inside the type',

  attributes(view) {
    const [x, y] = [view.operand(0, 'X'), view.operand(1, 'Y')];
    requireInteger(view, x);
    requireInteger(view, y);
    const shape =
      broadcastShape(x.shape, y.shape) ??
      view.refuse('shapes', 'broadcastable', `[${x.shape.join(',')}] and [${y.shape.join(',')}]`);
    return { shape };
  },
  operands: () => [0, 1],
  shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],

  reference(_, [x, y], [type]) {
    const { min, max } = dtypeRange(type.dtype)!;
    const [left, right] = [x, y].map(({ shape }) => broadcastIndices(shape, type.shape));
    const data = Int32Array.from(left, (at, i) => {
      const exponent = y.data[right[i]];
      if (exponent < 0 || exponent >= 2 ** EXPONENT_BITS) refuse('exponent', '0 to 31', exponent);
      const result = Number(BigInt(x.data[at]) ** BigInt(exponent));
      if (result < min || result > max) refuse('result', `from ${min} to ${max}`, result);
      return result;
    });
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, { shape }, inputs) {
    const [x, y] = inputs.map((input) => {
      const tensor = input.force(circuit);
      return gathered(tensor, shape, broadcastIndices(tensor.shape, shape));
    });
    const range = { ...dtypeRange(type.dtype)!, wraps: false };
    const steps = exponentBits(circuit, y);
    let result: AffineTensor = constantTensor(shape, new Float64Array(x.lo.length).fill(1));
    for (let j = EXPONENT_BITS - 1; j >= 0; j--) {
      result = inside(circuit, result, result, range);
      result = inside(circuit, result, factor(circuit, steps[j], x), range);
    }
    return [Quantized.of(type, { ...result, shape })];
  },
});

function refuse(what: string, expected: string, got: number): never {
  throw new InputRefused({ where: 'operator Pow', what, expected, got: String(got) });
}

/** Bit j of every exponent, j from 0; constants where the exponent is one. */
function exponentBits(circuit: Builder, y: AffineTensor): AffineTensor[] {
  const limit = 2 ** EXPONENT_BITS;
  const open = new AffineWriter();
  const isOpen = (i: number) => y.lo[i] !== y.hi[i];
  for (let i = 0; i < y.lo.length; i++) {
    if (isOpen(i)) open.copy(y, i);
    else if (y.lo[i] < 0 || y.lo[i] >= limit)
      throw new RangeError(`exponent ${y.lo[i]} is not 0 to ${limit - 1}`);
  }
  const exponents = open.finish([]);
  const count = exponents.lo.length;
  rangeCheck(circuit, 'exponent', exponents, 0, limit);
  const inRange = { ...exponents, lo: new Float64Array(count), hi: new Float64Array(count).fill(limit - 1) };
  const first = bits.constrain(circuit, inRange, EXPONENT_BITS, false);
  return Array.from({ length: EXPONENT_BITS }, (_, j) => {
    const writer = new AffineWriter();
    for (let i = 0, at = first; i < y.lo.length; i++) {
      if (isOpen(i)) {
        writer.term(at + j, 1);
        writer.end(0, 0, 1);
        at += EXPONENT_BITS;
      } else {
        const bit = bits.reference(y.lo[i], j);
        writer.end(bit, bit, bit);
      }
    }
    return writer.finish(y.shape);
  });
}

/** x where the bit is 1, else 1: bit·x + 1 − bit. */
function factor(circuit: Builder, bit: AffineTensor, x: AffineTensor): AffineTensor {
  if (bit.lo.every((lo, i) => lo === bit.hi[i])) {
    const writer = new AffineWriter();
    bit.lo.forEach((chosen, i) => (chosen === 1 ? writer.copy(x, i) : writer.end(1, 1, 1)));
    return writer.finish(x.shape);
  }
  const chosen = product.constrain(circuit, bit, x, elementPairs(x.lo.length));
  return {
    ...combined(
      [
        { tensor: { ...chosen, shape: x.shape }, scale: 1 },
        { tensor: bit, scale: -1 },
      ],
      1,
    ),
    lo: x.lo.map((lo, i) => (bit.lo[i] === 1 ? lo : Math.min(lo, 1))),
    hi: x.hi.map((hi, i) => (bit.lo[i] === 1 ? hi : Math.max(hi, 1))),
  };
}

/** x·y, proven to lie in the range. */
function inside(circuit: Builder, x: AffineTensor, y: AffineTensor, range: wideProduct.Target): AffineTensor {
  const isOne = (tensor: AffineTensor) => tensor.lo.every((lo, i) => lo === 1 && tensor.hi[i] === 1);
  if (isOne(x)) return y;
  if (isOne(y)) return x;
  return wideProduct.constrain(circuit, x, y, range);
}
