import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { addRange, rangeBits, rangeWeight, requireHeadroom, writeRangeBits } from './range.js';

/** Quotient and remainder of x ≥ 0 by y ≥ 1. */
export function reference(x: number, y: number): { quotient: number; remainder: number } {
  const quotient = Math.floor(x / y);
  return { quotient, remainder: x - quotient * y };
}

/**
 * Euclidean division by a divisor that is computed too, element by element.
 *
 * Proves   x = q·y + r with 0 ≤ r < y, and so y ≥ 1.
 * Assumes  0 ≤ x, 0 ≤ y inside their bounds; 4·(Q·Y + X) < modulus (checked), Q and Y the largest q and y.
 * Cost     ceil(log2 (Q + 1)) + ceil(log2 R) + 1 constraints, R the number of remainders; and, where y is no constant,
 *          ceil(log2 Y) + 1 for r < y.
 *
 *   q, r, t sums of exact-range bits;  q·y = x − r;  y − 1 − r = t ≥ 0.
 *
 * Nothing wraps around the modulus, so both rows hold over the integers: y = 1 + r + t ≥ 1 + r, and two solutions
 * differ by (q − q′)·y = r′ − r with |r′ − r| < y, hence not at all.
 */
export function constrain(
  circuit: Builder,
  x: AffineTensor,
  y: AffineTensor,
): { readonly quotient: AffineTensor; readonly remainder: AffineTensor } {
  const count = x.constants.length;
  const quotients = new Float64Array(count);
  const remainders = new Float64Array(count);
  const slacks = new Float64Array(count);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) {
    if (x.lo[i] < 0 || y.lo[i] < 0 || y.hi[i] < 1)
      throw new RangeError(
        `division of [${x.lo[i]}, ${x.hi[i]}] by [${y.lo[i]}, ${y.hi[i]}] needs x ≥ 0 and y ≥ 1`,
      );
    // A divisor of at most 1 is 1 and leaves x: no bits but the row that says so.
    if (y.hi[i] === 1) {
      offsets[i + 1] = offsets[i];
      continue;
    }
    quotients[i] = Math.floor(x.hi[i] / Math.max(y.lo[i], 1)) + 1;
    remainders[i] = Math.min(x.hi[i], y.hi[i] - 1) + 1;
    // A constant divisor bounds its remainder by the bits of the remainder alone.
    slacks[i] = y.lo[i] === y.hi[i] && remainders[i] <= y.lo[i] ? 0 : y.hi[i];
    requireHeadroom(circuit, quotients[i] * y.hi[i] + x.hi[i] + y.hi[i]);
    offsets[i + 1] = offsets[i] + rangeBits(quotients[i]) + rangeBits(remainders[i]) + rangeBits(slacks[i]);
  }
  const start = circuit.exists('division bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      if (y.hi[i] === 1) continue;
      const divisor = evaluateElement(y, i, values);
      // No quotient exists by 0; the rows below then fail whatever stands here.
      const { quotient, remainder } = reference(evaluateElement(x, i, values), Math.max(divisor, 1));
      let from = at + offsets[i];
      writeRangeBits(values, from, quotients[i], quotient);
      writeRangeBits(values, (from += rangeBits(quotients[i])), remainders[i], remainder);
      from += rangeBits(remainders[i]);
      if (slacks[i] > 0) writeRangeBits(values, from, slacks[i], Math.max(divisor - 1 - remainder, 0));
    }
  });
  circuit.boolean('division bits', start, offsets[count]);
  const [quotient, remainder] = [new AffineWriter(), new AffineWriter()];
  for (let i = 0; i < count; i++) {
    if (y.hi[i] === 1) {
      if (y.lo[i] < 1) {
        circuit.a.addElement(y, i, 1);
        circuit.c.constant(1);
        circuit.enforceLinear('divisor is 1');
      }
      quotient.copy(x, i);
      remainder.end(0, 0, 0);
      continue;
    }
    const q = start + offsets[i];
    const r = q + rangeBits(quotients[i]);
    const t = r + rangeBits(remainders[i]);
    addRange(circuit.a, q, quotients[i], 1);
    circuit.b.addElement(y, i, 1);
    circuit.c.addElement(x, i, 1);
    addRange(circuit.c, r, remainders[i], -1);
    circuit.enforce('quotient');
    if (slacks[i] > 0) {
      circuit.a.addElement(y, i, 1).constant(-1);
      addRange(circuit.c, r, remainders[i], 1);
      addRange(circuit.c, t, slacks[i], 1);
      circuit.enforceLinear('remainder below divisor');
    }
    writeSum(quotient, q, quotients[i]);
    writeSum(remainder, r, remainders[i]);
  }
  return { quotient: quotient.finish(x.shape), remainder: remainder.finish(x.shape) };
}

function writeSum(writer: AffineWriter, first: number, size: number): void {
  for (let j = 0; j < rangeBits(size); j++) writer.term(first + j, rangeWeight(size, j));
  writer.end(0, 0, size - 1);
}
