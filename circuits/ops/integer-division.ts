/**
 * Div (ai.onnx 14) and Mod (ai.onnx 13) on integers, numpy broadcasting. Div rounds towards zero; Mod has the sign of
 * the divisor, with fmod = 1 the sign of the dividend. Division by 0 has no answer: the inference is refused.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import { InputRefused } from '../errors.js';
import * as atLeast from '../gadgets/at-least.js';
import * as divide from '../gadgets/divide.js';
import * as product from '../gadgets/product.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { broadcastIndices } from '../tensor.js';
import { requireInteger, settle, settled } from './carried.js';
import { combined, elementPairs, jointShape } from './elementwise.js';
import { notZero } from './not-zero.js';
import { defineOp, type Op } from './op.js';

interface Division {
  readonly shape: readonly number[];
  readonly isFloor: boolean;
}

/** |x| and the sign bit (1 for x ≥ 0): |x| = 2·s·x − x where both signs are possible, else x or −x. */
function magnitude(circuit: Builder, x: AffineTensor): { size: AffineTensor; sign: AffineTensor } {
  const sign = atLeast.constrain(circuit, x);
  const open = Array.from(x.lo, (_, i) => i).filter((i) => sign.lo[i] !== sign.hi[i]);
  const positive = product.constrain(circuit, sign, x, {
    left: open,
    right: open,
    leftZero: 0,
    rightZero: 0,
  });
  const writer = new AffineWriter();
  const sum = new LinearCombination();
  let next = 0;
  for (let i = 0; i < x.lo.length; i++) {
    const isOpen = sign.lo[i] !== sign.hi[i];
    sum.clear().addElement(x, i, sign.lo[i] === 1 ? 1 : -1);
    if (isOpen) sum.addElement(positive, next++, 2);
    const lo = isOpen ? 0 : Math.min(Math.abs(x.lo[i]), Math.abs(x.hi[i]));
    writer.combination(sum.normalize(), lo, Math.max(-x.lo[i], x.hi[i]));
  }
  return { size: writer.finish(x.shape), sign };
}

/** Elements known to lie in [0, top]. */
function bounded(x: AffineTensor, shape: readonly number[], top: Float64Array): AffineTensor {
  return withBounds(
    { ...x, shape },
    new Float64Array(top.length),
    top.map((value) => Math.max(value, 0)),
  );
}

function withBounds(x: AffineTensor, lo: Float64Array, hi: Float64Array): AffineTensor {
  return { ...x, lo, hi };
}

/** (2·sign − 1)·x for x ≥ 0: one product, of −sign so that 2^31 fits its wire. */
function signed(circuit: Builder, sign: AffineTensor, x: AffineTensor): AffineTensor {
  if (sign.lo.every((lo) => lo === 1)) return x;
  const negative = product.constrain(
    circuit,
    combined([{ tensor: sign, scale: -1 }]),
    x,
    elementPairs(x.lo.length),
  );
  const result = combined([
    { tensor: { ...negative, shape: x.shape }, scale: -2 },
    { tensor: x, scale: -1 },
  ]);
  return withBounds(
    result,
    x.hi.map((hi, i) => (sign.lo[i] === 1 ? 0 : -hi)),
    x.hi.map((hi, i) => (sign.hi[i] === 0 ? 0 : hi)),
  );
}

/** 1 where two signs agree: 1 − s − t + 2·s·t. */
function agreement(circuit: Builder, s: AffineTensor, t: AffineTensor): AffineTensor {
  const isKnown = ({ lo, hi }: AffineTensor) => lo.every((value, i) => value === hi[i]);
  if (isKnown(s) && isKnown(t) && s.lo.every((value, i) => value === t.lo[i])) return ones(s);
  const both = product.constrain(circuit, s, t, elementPairs(s.lo.length));
  const sum = combined(
    [
      { tensor: { ...both, shape: s.shape }, scale: 2 },
      { tensor: s, scale: -1 },
      { tensor: t, scale: -1 },
    ],
    1,
  );
  return { ...sum, lo: sum.lo.map((lo) => Math.max(lo, 0)), hi: sum.hi.map((hi) => Math.min(hi, 1)) };
}

function ones(like: AffineTensor): AffineTensor {
  return combined([{ tensor: like, scale: 0 }], 1);
}

function division(
  type: string,
  supports: string,
  compute: (x: number, y: number, isFloor: boolean) => number,
  combine: (circuit: Builder, x: AffineTensor, y: AffineTensor, isFloor: boolean) => AffineTensor,
): Op {
  return defineOp<Division>({
    type,
    domain: '',
    supports,
    attributes(view) {
      const x = view.operand(0, 'A');
      const y = view.operand(1, 'B');
      requireInteger(view, x);
      if (y.dtype !== x.dtype) view.refuse('dtype of B', x.dtype, y.dtype);
      if (y.constant?.data.some((value) => Number(value) === 0)) view.refuse('B', 'not 0', '0');
      return { shape: jointShape(view), isFloor: view.int('fmod', 0) === 0 };
    },
    operands: () => [0, 1],
    shape: ({ shape }, [x]) => [{ dtype: x.dtype, shape }],
    reference({ isFloor }, [x, y], [outputType]) {
      const [left, right] = [x, y].map(({ shape }) => broadcastIndices(shape, outputType.shape));
      const data = Int32Array.from(left, (at, i) => {
        const divisor = y.data[right[i]];
        if (divisor === 0)
          throw new InputRefused({ where: `operator ${type}`, what: 'divisor', expected: 'not 0', got: '0' });
        return settled(type, compute(x.data[at], divisor, isFloor), outputType.dtype);
      });
      return [{ ...outputType, data }];
    },
    constrain({ circuit, types: [outputType] }, { shape, isFloor }, inputs) {
      const [x, y] = inputs.map((input) => {
        const tensor = input.force(circuit);
        return gathered(tensor, shape, broadcastIndices(tensor.shape, shape));
      });
      const result = combine(circuit, x, y, isFloor);
      return [Quantized.of(outputType, settle(circuit, result, outputType.dtype))];
    },
  });
}

export const integerDivide = division(
  'Div',
  'integers, towards zero; a divisor of 0 is refused',
  (x, y) => Math.trunc(x / y),
  (circuit, x, y) => {
    const [a, b] = [magnitude(circuit, x), magnitude(circuit, y)];
    const { quotient } = divide.constrain(circuit, a.size, b.size);
    return signed(circuit, agreement(circuit, a.sign, b.sign), quotient);
  },
);

export const modulo = division(
  'Mod',
  'integers, both values of fmod; a divisor of 0 is refused',
  (x, y, isFloor) => (isFloor ? x - y * Math.floor(x / y) : x % y),
  (circuit, x, y, isFloor) => {
    const [a, b] = [magnitude(circuit, x), magnitude(circuit, y)];
    const { remainder } = divide.constrain(circuit, a.size, b.size);
    if (!isFloor) return signed(circuit, a.sign, remainder);
    const agree = agreement(circuit, a.sign, b.sign);
    if (agree.lo.every((lo) => lo === 1)) return signed(circuit, b.sign, remainder);
    // Signs differ and the remainder r is not 0: |y| − r counts back from the divisor.
    const count = remainder.lo.length;
    const unit = (tensor: AffineTensor, scale: number, offset: number) =>
      combined([{ tensor, scale }], offset);
    const turns = product.constrain(
      circuit,
      unit(agree, -1, 1),
      notZero(circuit, remainder),
      elementPairs(count),
    );
    // r + turn·(|y| − 2r), where r < |y| bounds the difference on both sides; written with −turn so that a divisor of −2^31 fits its wire.
    const back = product.constrain(
      circuit,
      unit({ ...turns, shape: remainder.shape }, -1, 0),
      withBounds(
        combined([
          { tensor: b.size, scale: 1 },
          { tensor: remainder, scale: -2 },
        ]),
        b.size.hi.map((hi) => 1 - hi),
        b.size.hi,
      ),
      elementPairs(count),
    );
    const size = combined([
      { tensor: remainder, scale: 1 },
      { tensor: { ...back, shape: remainder.shape }, scale: -1 },
    ]);
    return signed(
      circuit,
      b.sign,
      bounded(
        size,
        remainder.shape,
        b.size.hi.map((hi) => hi - 1),
      ),
    );
  },
);
