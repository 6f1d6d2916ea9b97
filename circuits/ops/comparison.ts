/**
 * Equal, Greater, Less, GreaterOrEqual, LessOrEqual (ai.onnx 13, 16) on integer tensors: bool results, numpy
 * broadcasting. An order is the sign of a difference; equality is its test for zero.
 */
import { wiresAsTensor, type AffineTensor } from '../affine.js';
import * as atLeast from '../gadgets/at-least.js';
import * as isZero from '../gadgets/is-zero.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { combined, jointShape, spread, spreadIntegers } from './elementwise.js';
import { defineOp, type Op } from './op.js';

interface Order {
  /** The sign of scale·(x − y) + offset decides. */
  readonly scale: 1 | -1;
  readonly offset: 0 | -1;
}

const orders: Readonly<Record<string, Order>> = {
  GreaterOrEqual: { scale: 1, offset: 0 },
  Greater: { scale: 1, offset: -1 },
  LessOrEqual: { scale: -1, offset: 0 },
  Less: { scale: -1, offset: -1 },
};

function comparison(
  type: string,
  test: (x: number, y: number) => boolean,
  constrain: (circuit: Builder, x: AffineTensor, y: AffineTensor) => AffineTensor,
): Op {
  return defineOp<{ shape: readonly number[] }>({
    type,
    domain: '',
    supports: 'integer tensors of up to 32 bits',
    attributes: (view) => ({ shape: jointShape(view) }),
    operands: () => [0, 1],
    shape: ({ shape }) => [{ dtype: 'bool', shape }],
    reference(_, [x, y], [type]) {
      const right = spreadIntegers(y, type.shape);
      return [
        { ...type, data: spreadIntegers(x, type.shape).map((value, i) => Number(test(value, right[i]))) },
      ];
    },
    constrain({ circuit, types }, _, [x, y]) {
      const [left, right] = [x, y].map((operand) => spread(operand.force(circuit), types[0].shape));
      return [Quantized.of(types[0], constrain(circuit, left, right))];
    },
  });
}

function order(type: string, test: (x: number, y: number) => boolean): Op {
  const { scale, offset } = orders[type];
  return comparison(type, test, (circuit, x, y) => {
    const difference = combined(
      [
        { tensor: x, scale },
        { tensor: y, scale: -scale },
      ],
      offset,
    );
    return atLeast.constrain(circuit, difference);
  });
}

export const greaterOrEqual = order('GreaterOrEqual', (x, y) => x >= y);
export const greater = order('Greater', (x, y) => x > y);
export const lessOrEqual = order('LessOrEqual', (x, y) => x <= y);
export const less = order('Less', (x, y) => x < y);

export const equal = comparison(
  'Equal',
  (x, y) => x === y,
  (circuit, x, y) => {
    const difference = combined([
      { tensor: x, scale: 1 },
      { tensor: y, scale: -1 },
    ]);
    const count = difference.constants.length;
    const tests = Array.from({ length: count }, (_, index) => ({ index, value: 0 }));
    const flags = isZero.constrain(circuit, difference, tests);
    return wiresAsTensor(difference.shape, flags, new Float64Array(count), new Float64Array(count).fill(1));
  },
);
