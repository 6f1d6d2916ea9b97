import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { addRange, rangeBits, readRange, requireHeadroom, writeRangeBits } from './range.js';

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
 * Proves   m = max(x, y), as the combination y + p with p = max(x − y, 0).
 * Assumes  x − y inside the interval of the operands' bounds; 4·|x − y| < modulus (checked).
 * Cost     ceil(log2 M) + 3 constraints, M = max(hi + 1, −lo) for x − y in [lo, hi]; 0 if one side always wins.
 *
 *   s, bits boolean;  ρ = Σ weights·bits in [0, M − 1];  x − y = ρ − M·(1 − s);  s·ρ = p.
 *
 * s = 1: x − y = ρ ≥ 0 and p = x − y. s = 0: x − y = ρ − M ≤ −1 and p = 0. The two cases exclude each other, so s
 * is determined (ties give s = 1), and with it p.
 */
export function constrain(circuit: Builder, x: AffineTensor, y: AffineTensor): AffineTensor {
  const count = x.constants.length;
  const sizes = new Float64Array(count);
  const offsets = new Uint32Array(count + 1);
  let products = 0;
  for (let i = 0; i < count; i++) {
    const lo = x.lo[i] - y.hi[i];
    const hi = x.hi[i] - y.lo[i];
    const open = lo < 0 && hi > 0;
    sizes[i] = open ? Math.max(hi + 1, -lo) : 0;
    if (open) {
      requireHeadroom(circuit, 2 * sizes[i]);
      products++;
    }
    offsets[i + 1] = offsets[i] + (open ? 1 + rangeBits(sizes[i]) : 0);
  }

  const first = circuit.exists('max bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      if (sizes[i] === 0) continue;
      const difference = evaluateElement(x, i, values) - evaluateElement(y, i, values);
      const sign = difference >= 0 ? 1 : 0;
      values[at + offsets[i]] = sign;
      writeRangeBits(values, at + offsets[i] + 1, sizes[i], difference + (1 - sign) * sizes[i]);
    }
  });
  circuit.boolean('max bits', first, offsets[count]);
  const gain = circuit.exists('max gain', products, (values, at) => {
    for (let i = 0, next = at; i < count; i++) {
      if (sizes[i] === 0) continue;
      const sign = values[first + offsets[i]];
      values[next++] = sign * readRange(values, first + offsets[i] + 1, sizes[i]);
    }
  });

  const writer = new AffineWriter();
  const sum = new LinearCombination();
  for (let i = 0, next = gain; i < count; i++) {
    const lo = Math.max(x.lo[i], y.lo[i]);
    const hi = Math.max(x.hi[i], y.hi[i]);
    if (sizes[i] === 0) {
      writer.copy(x.lo[i] >= y.hi[i] ? x : y, i);
      continue;
    }
    const sign = first + offsets[i];
    circuit.a.addElement(x, i, 1).addElement(y, i, -1).constant(sizes[i]);
    circuit.c.add(sign, sizes[i]);
    addRange(circuit.c, sign + 1, sizes[i], 1);
    circuit.enforceLinear('max difference');
    circuit.a.add(sign, 1);
    addRange(circuit.b, sign + 1, sizes[i], 1);
    circuit.c.add(next, 1);
    circuit.enforce('max gain');
    sum.clear().addElement(y, i, 1).add(next, 1).normalize();
    writer.combination(sum, lo, hi);
    next++;
  }
  return writer.finish(x.shape);
}
