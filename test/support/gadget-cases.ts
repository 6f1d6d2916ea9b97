import { concatenated, gathered } from '../../circuits/affine.js';
import type { Requantize } from '../../circuits/gadgets/division-plan.js';
import * as argMax from '../../circuits/gadgets/arg-max.js';
import * as divide from '../../circuits/gadgets/divide.js';
import * as isZero from '../../circuits/gadgets/is-zero.js';
import * as max from '../../circuits/gadgets/max.js';
import { rangeCheck } from '../../circuits/gadgets/range.js';
import * as bins from '../../circuits/gadgets/bins.js';
import * as oneHot from '../../circuits/gadgets/one-hot.js';
import * as oneHotBins from '../../circuits/gadgets/one-hot-bins.js';
import * as product from '../../circuits/gadgets/product.js';
import * as table from '../../circuits/gadgets/table.js';
import * as wideProduct from '../../circuits/gadgets/wide-product.js';
import * as requantize from '../../circuits/gadgets/requantize.js';
import { wiresAsTensor } from '../../circuits/affine.js';
import type { GadgetCase } from './gadget-circuit.js';

function requantizeCase(name: string, r: Requantize, lo: number, hi: number, count = 1): GadgetCase {
  return {
    name,
    assumesBounds: true,
    free: /is-zero inverse/,
    inputs: [{ lo, hi, count }],
    constrain: (circuit, [x]) => requantize.constrain(circuit, x, [r], () => 0),
    reference: (inputs) =>
      inputs.some((x) => x < lo || x > hi) ? undefined : inputs.map((x) => requantize.reference(r, x)),
  };
}

const floor = (a: number, b: number, c: number, exceptions: { acc: number; delta: number }[] = []) =>
  ({ kind: 'floor', a, b, c, exceptions }) as const;

function rangeCase(name: string, lo: number, size: number): GadgetCase {
  return {
    name,
    inputs: [{ lo, hi: lo + size - 1, count: 1 }],
    constrain(circuit, [x]) {
      rangeCheck(circuit, 'range', x, lo, size);
      return x;
    },
    reference: ([x]) => (x < lo || x >= lo + size ? undefined : [x]),
    // A size that is no power of two has a second bit of weight 1: either may carry it, their sum is fixed.
    ...((size & (size - 1)) !== 0 && { free: /range\/bits/ }),
  };
}

function tableCase(name: string, lo: number, entries: readonly number[]): GadgetCase {
  return {
    name,
    inputs: [{ lo, hi: lo + entries.length - 1, count: 1 }],
    constrain: (circuit, [x]) => table.constrain(circuit, x, lo, entries),
    reference: ([x]) => {
      // A table whose size is no power of two repeats its last entry up to one; its operand's bounds keep x below.
      const size = 2 ** Math.ceil(Math.log2(entries.length));
      if (x < lo || x >= lo + size) return undefined;
      return [table.reference(entries, lo, Math.min(x, lo + entries.length - 1))];
    },
  };
}

/** A table without structure. */
const scrambled = (size: number) => Array.from({ length: size }, (_, i) => ((i * 167 + 41) % 251) - 100);
const sigmoid = Array.from(
  { length: 256 },
  (_, i) => Math.round(255 / (1 + Math.exp(-(i - 128) / 20))) - 128,
);

function binsCase(name: string, staircase: bins.Staircase, lo: number, hi: number): GadgetCase {
  return {
    name,
    inputs: [{ lo, hi, count: 1 }],
    assumesBounds: true,
    constrain: (circuit, [x]) => bins.constrain(circuit, x, staircase),
    reference: ([x]) => (x < lo || x > hi ? undefined : [bins.reference(staircase, x)]),
  };
}

function oneHotBinsCase(name: string, cuts: readonly number[], lo: number, hi: number): GadgetCase {
  return {
    name,
    inputs: [{ lo, hi, count: 1 }],
    constrain(circuit, [x]) {
      const first = oneHotBins.constrain(circuit, x, cuts);
      const ones = new Float64Array(cuts.length).fill(1);
      return wiresAsTensor([cuts.length], first, new Float64Array(cuts.length), ones);
    },
    reference: ([x]) =>
      x < lo || x > hi ? undefined : cuts.map((_, j) => Number(oneHotBins.reference(cuts, x) === j + 1)),
    free: /edge\/bits/,
  };
}

function divisionCase(name: string, top: number, divisors: readonly [number, number]): GadgetCase {
  return {
    name,
    assumesBounds: true,
    inputs: [
      { lo: 0, hi: top, count: 1 },
      { lo: divisors[0], hi: divisors[1], count: 1 },
    ],
    constrain(circuit, [x, y]) {
      const { quotient, remainder } = divide.constrain(circuit, x, y);
      return concatenated([quotient, remainder]);
    },
    reference: ([x, y]) => {
      if (x < 0 || x > top || y < divisors[0] || y > divisors[1]) return undefined;
      const { quotient, remainder } = divide.reference(x, y);
      return [quotient, remainder];
    },
    free: /division bits/,
  };
}

function oneHotCase(name: string, lo: number, size: number): GadgetCase {
  return {
    name,
    inputs: [{ lo, hi: lo + size - 1, count: 1 }],
    constrain(circuit, [x]) {
      const first = oneHot.constrain(circuit, x, lo, size);
      return wiresAsTensor([size], first, new Float64Array(size), new Float64Array(size).fill(1));
    },
    reference: ([x]) => (x < lo || x >= lo + size ? undefined : oneHot.reference(x, lo, size)),
  };
}

function argMaxCase(
  name: string,
  range: readonly [number, number],
  count: number,
  isLast: boolean,
): GadgetCase {
  const [lo, hi] = range;
  return {
    name,
    assumesBounds: true,
    inputs: [{ lo, hi, count }],
    constrain: (circuit, [x]) =>
      argMax.constrain(
        circuit,
        Array.from({ length: count }, (_, k) => gathered(x, [1], [k])),
        isLast,
      ),
    reference: (inputs) =>
      inputs.some((x) => x < lo || x > hi) ? undefined : [argMax.reference(inputs, isLast)],
    free: /sign bits/,
  };
}

function wideProductCase(
  name: string,
  range: readonly [number, number],
  target: wideProduct.Target,
): GadgetCase {
  const [lo, hi] = range;
  return {
    name,
    assumesBounds: true,
    inputs: [
      { lo, hi, count: 1 },
      { lo, hi, count: 1 },
    ],
    constrain: (circuit, [x, y]) => wideProduct.constrain(circuit, x, y, target),
    reference: ([x, y]) => {
      const product = x < lo || x > hi || y < lo || y > hi ? undefined : wideProduct.reference(x, y, target);
      return product === undefined ? undefined : [product];
    },
    free: /wide product bits/,
  };
}

const irregular = Array.from({ length: 200 }, (_, i) => -40000 + i * 420 + ((i * i * 7) % 97));

/** Every gadget at widths small enough for exhaustive search over a small prime. */
export const SMALL_GADGETS: readonly GadgetCase[] = [
  rangeCase('range [0, 8)', 0, 8),
  rangeCase('range [0, 11)', 0, 11),
  rangeCase('range [-3, 2)', -3, 5),
  rangeCase('range [4, 6)', 4, 2),
  {
    name: 'max',
    assumesBounds: true,
    inputs: [
      { lo: -5, hi: 6, count: 1 },
      { lo: -4, hi: 7, count: 1 },
    ],
    constrain: (circuit, [x, y]) => max.constrain(circuit, x, y),
    reference: ([x, y]) => {
      const inside = x >= -5 && x <= 6 && y >= -4 && y <= 7;
      // Outside its bounds the gadget still takes any pair whose difference fits the range.
      if (!inside) return undefined;
      return [max.reference(x, y)];
    },
  },
  {
    name: 'min',
    assumesBounds: true,
    inputs: [
      { lo: -5, hi: 6, count: 1 },
      { lo: -4, hi: 7, count: 1 },
    ],
    constrain: (circuit, [x, y]) => max.constrainMin(circuit, x, y),
    reference: ([x, y]) => {
      const inside = x >= -5 && x <= 6 && y >= -4 && y <= 7;
      return inside ? [Math.min(x, y)] : undefined;
    },
  },
  {
    name: 'is-zero',
    inputs: [{ lo: -6, hi: 9, count: 1 }],
    constrain(circuit, [x]) {
      const flag = isZero.constrain(circuit, x, [{ index: 0, value: 3 }]);
      return wiresAsTensor([1], flag, Float64Array.of(0), Float64Array.of(1));
    },
    reference: ([x]) => [isZero.reference(x, 3)],
    free: /is-zero inverse/,
  },
  divisionCase('division of [0, 20] by [1, 6]', 20, [1, 6]),
  divisionCase('division of [0, 30] by 7', 30, [7, 7]),
  oneHotCase('one-hot of [0, 5)', 0, 5),
  oneHotCase('one-hot of [-4, 4)', -4, 8),
  argMaxCase('arg-max of 3', [-2, 3], 3, false),
  argMaxCase('arg-max of 3, last', [-2, 3], 3, true),
  wideProductCase('wide product, wrapped', [-5, 5], { min: -8, max: 7, wraps: true }),
  oneHotBinsCase('one-hot bins of [0, 7] at 2', [2], 0, 7),
  oneHotBinsCase('one-hot bins of [-3, 4] at -1, 0, 3', [-1, 0, 3], -3, 4),
  tableCase('table of 2', -1, [3, 9]),
  tableCase('table of 6', -2, [0, 5, 5, 1, 2, 9]),
  tableCase('table of 16', 0, scrambled(16)),
  tableCase(
    'table, saturating',
    -16,
    Array.from({ length: 32 }, (_, i) => Math.min(Math.max(i - 12, 0), 6)),
  ),
  binsCase('staircase', { first: -3, thresholds: [-4, 1, 1, 6, 8] }, -8, 11),
  binsCase('staircase of 3', { first: 0, thresholds: [2, 3] }, 0, 7),
  {
    name: 'product',
    inputs: [
      { lo: -3, hi: 4, count: 2 },
      { lo: 0, hi: 5, count: 2 },
    ],
    constrain: (circuit, [x, y]) =>
      product.constrain(circuit, x, y, { left: [0, 1, 1], right: [1, 0, 1], leftZero: 1, rightZero: 2 }),
    reference: ([x0, x1, y0, y1]) => [(x0 - 1) * (y1 - 2), (x1 - 1) * (y0 - 2), (x1 - 1) * (y1 - 2)],
  },
  requantizeCase('requantize both ends', { fit: floor(1, 3, 1), zeroPoint: 0, yMin: 0, yMax: 3 }, -14, 25),
  requantizeCase('requantize zero point', { fit: floor(1, 5, 2), zeroPoint: -2, yMin: -4, yMax: 1 }, -30, 24),
  requantizeCase('requantize below only', { fit: floor(1, 5, 2), zeroPoint: 0, yMin: 0, yMax: 7 }, -21, 33),
  requantizeCase('requantize above only', { fit: floor(1, 4, 2), zeroPoint: 0, yMin: -1, yMax: 3 }, -4, 33),
  requantizeCase('requantize inside', { fit: floor(1, 5, 2), zeroPoint: 0, yMin: -8, yMax: 7 }, -13, 22),
  requantizeCase('requantize scaled', { fit: floor(2, 7, 3), zeroPoint: 1, yMin: 0, yMax: 5 }, -9, 21),
  requantizeCase('requantize by 1', { fit: floor(1, 1, 0), zeroPoint: 0, yMin: -2, yMax: 3 }, -9, 9),
  requantizeCase(
    'requantize exception',
    { fit: floor(1, 5, 2, [{ acc: 3, delta: -1 }]), zeroPoint: 0, yMin: 0, yMax: 3 },
    -7,
    17,
  ),
  requantizeCase(
    'requantize half-even',
    { fit: { kind: 'halfEven', m: 1, k: 2 }, zeroPoint: 0, yMin: 0, yMax: 3 },
    -12,
    19,
  ),
  requantizeCase(
    'requantize half-even, odd zero point',
    { fit: { kind: 'halfEven', m: 3, k: 3 }, zeroPoint: -1, yMin: -2, yMax: 1 },
    -9,
    12,
  ),
];

/** The same gadgets at the widths of a real network. */
export const WIDE_GADGETS: readonly GadgetCase[] = [
  divisionCase('division of int32', 2 ** 31 - 1, [1, 2 ** 31 - 1]),
  argMaxCase('arg-max of ten int8', [-128, 127], 10, false),
  argMaxCase('arg-max of ten int32', [-(2 ** 31), 2 ** 31 - 1], 10, false),
  wideProductCase('wide product of int32', [-(2 ** 31), 2 ** 31 - 1], {
    min: -(2 ** 31),
    max: 2 ** 31 - 1,
    wraps: true,
  }),
  rangeCase('range int8', -128, 256),
  rangeCase('range 1000', 0, 1000),
  {
    name: 'max of accumulators',
    assumesBounds: true,
    inputs: [
      { lo: -40000, hi: 50000, count: 2 },
      { lo: -45000, hi: 47000, count: 2 },
    ],
    constrain: (circuit, [x, y]) => max.constrain(circuit, x, y),
    reference: (inputs) => [max.reference(inputs[0], inputs[2]), max.reference(inputs[1], inputs[3])],
  },
  requantizeCase(
    'relu activation',
    { fit: floor(1, 301, 150), zeroPoint: 0, yMin: 0, yMax: 127 },
    -200000,
    210000,
    2,
  ),
  requantizeCase(
    'int8 activation',
    { fit: floor(1, 301, 150), zeroPoint: 0, yMin: -128, yMax: 127 },
    -200000,
    210000,
    2,
  ),
  requantizeCase(
    'activation with exceptions',
    {
      fit: floor(64, 19211, 9600, [
        { acc: 450, delta: -31 },
        { acc: 77, delta: 5 },
      ]),
      zeroPoint: 3,
      yMin: 0,
      yMax: 255,
    },
    -90000,
    110000,
  ),
  requantizeCase(
    'half-even activation',
    { fit: { kind: 'halfEven', m: 3, k: 9 }, zeroPoint: 5, yMin: -128, yMax: 127 },
    -60000,
    50000,
  ),
  binsCase('irregular staircase', { first: -100, thresholds: irregular }, -60000, 60000),
  tableCase('table of 32', -16, scrambled(32)),
  tableCase('table of 256', -128, scrambled(256)),
  tableCase('table sigmoid', -128, sigmoid),
  tableCase(
    'table leaky relu',
    -128,
    Array.from({ length: 256 }, (_, i) => (i >= 128 ? i - 128 : Math.round((i - 128) / 10))),
  ),
  {
    name: 'max over a window',
    assumesBounds: true,
    inputs: [{ lo: -128, hi: 127, count: 4 }],
    constrain(circuit, [x]) {
      const left = max.constrain(circuit, gathered(x, [2], [0, 2]), gathered(x, [2], [1, 3]));
      return max.constrain(circuit, gathered(left, [1], [0]), gathered(left, [1], [1]));
    },
    reference: (inputs) => [Math.max(...inputs)],
  },
];
