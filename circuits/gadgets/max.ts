import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement, termCount } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { addRange, hiddenBits, rangeBits, requireHeadroom, writeKeptBits } from './range.js';

/** Element-wise larger of two integers. */
export function reference(x: number, y: number): number {
  return x > y ? x : y;
}

/** Constraints of one maximum of values whose difference lies in [lo, hi]. */
export function cost(lo: number, hi: number): number {
  if (lo >= 0 || hi <= 0) return 0;
  return rangeBits(Math.max(hi + 1, -lo)) + 3;
}

/**
 * Element-wise maximum of two tensors of one shape.
 *
 * Proves   m = max(x, y), one wire an element where either side can win.
 * Assumes  x − y inside the interval of the operands' bounds; 4·|x − y| < modulus (checked).
 * Cost     ceil(log2 M) + 3 constraints, M = max(hi + 1, −lo) for x − y in [lo, hi], one fewer for short operands
 *          (`hiddenBits`); 0 if one side always wins.
 *
 *   s, bits boolean;  ρ = Σ weights·bits in [0, M − 1];  x − y = ρ − M·(1 − s);  s·ρ = m − y.
 *
 * s = 1: x − y = ρ ≥ 0 and m = y + ρ = x. s = 0: x − y = ρ − M ≤ −1 and m = y. The cases exclude each other, so s is
 * determined (ties give s = 1), and with it m.
 */
export function constrain(circuit: Builder, x: AffineTensor, y: AffineTensor): AffineTensor {
  return extremum(circuit, x, y, 'max');
}

/** Element-wise minimum, by the same relation with s·ρ = x − m: s = 1 gives m = y, s = 0 gives m = x. */
export function constrainMin(circuit: Builder, x: AffineTensor, y: AffineTensor): AffineTensor {
  return extremum(circuit, x, y, 'min');
}

function extremum(circuit: Builder, x: AffineTensor, y: AffineTensor, which: 'max' | 'min'): AffineTensor {
  const choose = which === 'max' ? Math.max : Math.min;
  // [taken when s = 1, taken when s = 0]
  const [atOne, atZero] = which === 'max' ? [x, y] : [y, x];
  const count = x.constants.length;
  const sizes = new Float64Array(count);
  const hidden = new Uint8Array(count);
  const offsets = new Uint32Array(count + 1);
  let openCount = 0;
  for (let i = 0; i < count; i++) {
    const lo = x.lo[i] - y.hi[i];
    const hi = x.hi[i] - y.lo[i];
    offsets[i + 1] = offsets[i];
    if (lo >= 0 || hi <= 0) continue;
    sizes[i] = Math.max(hi + 1, -lo);
    requireHeadroom(circuit, 2 * sizes[i]);
    if (Math.abs(choose(x.lo[i], y.lo[i])) > 2 ** 31 || choose(x.hi[i], y.hi[i]) >= 2 ** 31) {
      throw new RangeError(`${which} of values beyond int32`);
    }
    hidden[i] = hiddenBits(sizes[i], termCount(x, i) + termCount(y, i));
    offsets[i + 1] += 1 + rangeBits(sizes[i]) - hidden[i];
    openCount++;
  }

  const first = circuit.exists('max bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      if (sizes[i] === 0) continue;
      const difference = evaluateElement(x, i, values) - evaluateElement(y, i, values);
      const sign = difference >= 0 ? 1 : 0;
      values[at + offsets[i]] = sign;
      writeKeptBits(values, at + offsets[i] + 1, sizes[i], difference + (1 - sign) * sizes[i], hidden[i]);
    }
  });
  circuit.boolean('max bits', first, offsets[count]);
  const maxima = circuit.exists('max', openCount, (values, at) => {
    for (let i = 0, next = at; i < count; i++) {
      if (sizes[i] === 0) continue;
      values[next++] = evaluateElement(values[first + offsets[i]] === 1 ? atOne : atZero, i, values);
    }
  });

  const writer = new AffineWriter();
  const { a, b, c } = circuit;
  for (let i = 0, m = maxima; i < count; i++) {
    if (sizes[i] === 0) {
      writer.copy(x.lo[i] >= y.hi[i] ? atOne : atZero, i);
      continue;
    }
    const sign = first + offsets[i];
    // ρ = x − y + M·(1 − s)
    a.addElement(x, i, 1).addElement(y, i, -1).constant(sizes[i]).add(sign, -sizes[i]);
    addRange(a, sign + 1, sizes[i], -1, hidden[i]);
    if (hidden[i] === 1) circuit.enforceBoolean('max difference');
    else circuit.enforceLinear('max difference');
    a.add(sign, 1);
    if (hidden[i] === 0) addRange(b, sign + 1, sizes[i], 1);
    else b.addElement(x, i, 1).addElement(y, i, -1).constant(sizes[i]).add(sign, -sizes[i]);
    if (which === 'max') c.add(m, 1).addElement(y, i, -1);
    else c.addElement(x, i, 1).add(m, -1);
    circuit.enforce('max');
    writer.term(m, 1);
    writer.end(0, choose(x.lo[i], y.lo[i]), choose(x.hi[i], y.hi[i]));
    m++;
  }
  return writer.finish(x.shape);
}
