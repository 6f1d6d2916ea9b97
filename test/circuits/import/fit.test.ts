import test from 'ava';
import fc from 'fast-check';
import {
  applyFit,
  fitRequantization,
  MAX_EXCEPTIONS,
  requantizeFloat,
  staircaseOf,
  type Requantization,
} from '../../../circuits/import/fit.js';
import { ModelRefused } from '../../../circuits/errors.js';

/** Accumulators at which two different staircases could differ first: around every threshold, and the ends. */
function tellingAccumulators(r: Requantization): number[] {
  const { thresholds } = staircaseOf((acc) => requantizeFloat(r, acc), r);
  const near = thresholds.flatMap((t) => [t - 2, t - 1, t, t + 1]);
  return [r.accMin, r.accMax, 0, ...near].filter((acc) => acc >= r.accMin && acc <= r.accMax);
}

function mismatches(r: Requantization, extra: readonly number[] = []): number[] {
  const fit = fitRequantization(r);
  return [...tellingAccumulators(r), ...extra].filter(
    (acc) => applyFit(fit, r, acc) !== requantizeFloat(r, acc),
  );
}

const ranges = { s8: { yMin: -128, yMax: 127 }, u8: { yMin: 0, yMax: 255 } };

test('every odd lattice divisor gets a = 1, c = (b - 1)/2 and no exception', (t) => {
  for (let b = 3; b <= 32767; b += b < 1001 ? 2 : 202) {
    const r = {
      multiplier: Math.fround(1 / b),
      accMin: -(130 * b),
      accMax: 130 * b,
      zeroPoint: 0,
      ...ranges.s8,
    };
    t.deepEqual(fitRequantization(r), { kind: 'floor', a: 1, b, c: (b - 1) / 2, exceptions: [] }, `b = ${b}`);
  }
});

test('a fit equals the float formula at every threshold of arbitrary scales', (t) => {
  const scale = fc.double({ min: -22, max: 3, noNaN: true });
  fc.assert(
    fc.property(
      scale,
      fc.integer({ min: -128, max: 127 }),
      fc.boolean(),
      fc.double({ min: 0.01, max: 4, noNaN: true }),
      (log2, zp, signed, span) => {
        const multiplier = Math.fround(2 ** log2);
        const reach = Math.min(Math.ceil((span * 255) / multiplier), 2 ** 31 - 1);
        const r = {
          multiplier,
          accMin: -reach,
          accMax: reach,
          zeroPoint: signed ? zp : zp + 128,
          ...(signed ? ranges.s8 : ranges.u8),
        };
        t.deepEqual(mismatches(r), []);
      },
    ),
    { numRuns: 150 },
  );
});

test('exact ties m/2^k round half to even in every form', (t) => {
  for (let k = 1; k <= 12; k++) {
    for (const m of [1, 3, 5, 7, 9, 31, 113]) {
      const multiplier = m / 2 ** k;
      const reach = Math.min(Math.ceil(300 / multiplier) + 3, 40000);
      const r = { multiplier, accMin: -reach, accMax: reach, zeroPoint: 3, ...ranges.s8 };
      const every = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
      t.deepEqual(mismatches(r, every.length > 20000 ? [] : every), [], `${m}/2^${k}`);
    }
  }
});

test('a range that reaches no step, one step, or only one side is fitted exactly', (t) => {
  const base = { multiplier: Math.fround(0.0173), zeroPoint: -7, ...ranges.s8 };
  for (const [accMin, accMax] of [
    [0, 0],
    [5, 9],
    [0, 60],
    [-9000, -8000],
    [3, 40000],
    [-40000, 2],
  ] as const) {
    const every = Array.from({ length: Math.min(accMax - accMin + 1, 50000) }, (_, i) => accMin + i);
    t.deepEqual(mismatches({ ...base, accMin, accMax }, every), []);
  }
});

test('beyond 2^24 the rounding of the accumulator itself is part of the fit', (t) => {
  for (const log2 of [18, 20, 22, 23]) {
    const multiplier = Math.fround(127.5 / (2 ** log2 * 1.37));
    const r = { multiplier, accMin: -(2 ** 31), accMax: 2 ** 31 - 1, zeroPoint: 0, ...ranges.s8 };
    t.deepEqual(mismatches(r), []);
    const fit = fitRequantization(r);
    if (fit.kind === 'floor') t.true(fit.exceptions.length <= MAX_EXCEPTIONS);
  }
});

test('F07 a multiplier that is zero, negative, subnormal, infinite or NaN is refused', (t) => {
  for (const multiplier of [0, -1, 1e-40, Infinity, NaN, 0.1]) {
    t.throws(() => fitRequantization({ multiplier, accMin: -10, accMax: 10, zeroPoint: 0, ...ranges.s8 }), {
      instanceOf: ModelRefused,
    });
  }
});
