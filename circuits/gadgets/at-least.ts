import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { addRange, rangeBits, requireHeadroom, writeRangeBits } from './range.js';

/** 1 if x ≥ 0, else 0. */
export function reference(x: number): number {
  return x >= 0 ? 1 : 0;
}

/** Constraints of one sign of a value in [lo, hi]. */
export function cost(lo: number, hi: number): number {
  return lo >= 0 || hi < 0 ? 0 : rangeBits(Math.max(hi + 1, -lo)) + 2;
}

/**
 * Proves   s = 1 if x ≥ 0, else 0, for every element x of the tensor.
 * Assumes  x inside the tensor's bounds [lo, hi]; 4·M < modulus for M = max(hi + 1, −lo) (checked).
 * Cost     ceil(log2 M) + 2 constraints; 0 if the bounds decide.
 *
 *   s, bits boolean;  ρ = Σ weights·bits in [0, M − 1];  x = ρ − M·(1 − s).
 *
 * s = 1: x = ρ in [0, M − 1]. s = 0: x = ρ − M in [−M, −1]. The two intervals are disjoint, and neither wraps around
 * the modulus, so s is determined; x = 0 belongs to s = 1 alone.
 */
export function constrain(circuit: Builder, x: AffineTensor): AffineTensor {
  const count = x.constants.length;
  const sizes = new Float64Array(count);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const isOpen = x.lo[i] < 0 && x.hi[i] >= 0;
    sizes[i] = isOpen ? Math.max(x.hi[i] + 1, -x.lo[i]) : 0;
    if (isOpen) requireHeadroom(circuit, sizes[i]);
    offsets[i + 1] = offsets[i] + (isOpen ? 1 + rangeBits(sizes[i]) : 0);
  }
  const first = circuit.exists('sign bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      if (sizes[i] === 0) continue;
      const value = evaluateElement(x, i, values);
      const sign = value >= 0 ? 1 : 0;
      values[at + offsets[i]] = sign;
      writeRangeBits(values, at + offsets[i] + 1, sizes[i], value + (1 - sign) * sizes[i]);
    }
  });
  circuit.boolean('sign bits', first, offsets[count]);
  const writer = new AffineWriter();
  for (let i = 0; i < count; i++) {
    if (sizes[i] === 0) {
      const known = reference(x.lo[i]);
      writer.end(known, known, known);
      continue;
    }
    const sign = first + offsets[i];
    circuit.a.addElement(x, i, 1).constant(sizes[i]);
    circuit.c.add(sign, sizes[i]);
    addRange(circuit.c, sign + 1, sizes[i], 1);
    circuit.enforceLinear('sign');
    writer.term(sign, 1);
    writer.end(0, 0, 1);
  }
  return writer.finish(x.shape);
}
