/** The lattice's one promise: the float formula of ONNX Runtime is an exact integer division. */
import test from 'ava';
import fc from 'fast-check';
import { chooseExponent, quantizeChannel, roundHalfEven } from '../../../circuits/quantize/lattice.js';

const f32 = Math.fround;

test('rne(f32(f32(acc)·M)) = floor((acc + (b − 1)/2) / b) up to saturation, for every odd b and power-of-two scales', (t) => {
  const odd = fc.integer({ min: 0, max: 16383 }).map((k) => 2 * k + 1);
  const exponent = fc.integer({ min: -12, max: 12 });
  fc.assert(
    fc.property(
      odd,
      exponent,
      exponent,
      fc.integer({ min: -129, max: 129 }),
      fc.integer({ min: -2, max: 2 }),
      (b, ex, ey, y, near) => {
        const [sx, sy] = [f32(2 ** ex), f32(2 ** ey)];
        const sw = f32(sy / (sx * b));
        const multiplier = f32(f32(sx * sw) / sy);
        const acc = y * b + (b - 1) / 2 + near;
        t.is(multiplier, f32(1 / b));
        t.is(roundHalfEven(f32(f32(acc) * multiplier)) + 0, Math.floor((acc + (b - 1) / 2) / b));
      },
    ),
    { numRuns: 20000, seed: 1 },
  );
});

test('a channel keeps its weights within half a step, and never uses an even or oversized divisor', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 30 }),
      fc.constantFrom(127, 511, 32767),
      fc.integer({ min: -4, max: 8 }),
      (values, divisorMax, power) => {
        const weights = Float32Array.from(values);
        const { divisor, scale, weights: q } = quantizeChannel(weights, 2 ** power, 127, divisorMax);
        t.is(divisor % 2, 1);
        t.true(divisor >= 1 && divisor <= divisorMax);
        weights.forEach((w, i) => {
          const isClipped = Math.abs(q[i]!) === 127;
          t.true(isClipped || Math.abs(q[i]! * scale - w) <= scale / 2 + 1e-6);
        });
      },
    ),
    { numRuns: 300, seed: 2 },
  );
});

test('the exponent covers the range, and no smaller one does', (t) => {
  const range = (max: number): Parameters<typeof chooseExponent>[0] => ({
    min: 0,
    max,
    sample: Float32Array.of(max),
  });
  t.is(chooseExponent(range(1), 255, 'minmax'), -8);
  t.is(chooseExponent(range(1), 127, 'minmax'), -7);
  t.is(chooseExponent(range(1.01), 127, 'minmax'), -6);
  t.is(chooseExponent(range(0), 127, 'minmax'), -7);
});
