import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import { canonical } from '../field.js';
import type { Builder, FieldCombination } from '../r1cs/builder.js';
import { rangeBits, rangeWeight, requireHeadroom, writeRangeBits } from './range.js';

export interface Target {
  readonly min: number;
  readonly max: number;
  /** The product wraps around the size of the range, which is a power of two; else it must lie inside. */
  readonly wraps: boolean;
}

/** The product in the target range; undefined where it lies outside and does not wrap. */
export function reference(x: number, y: number, { min, max, wraps }: Target): number | undefined {
  const product = BigInt(x) * BigInt(y);
  const size = BigInt(max - min + 1);
  const lap = floorDivide(product - BigInt(min), size);
  return wraps || lap === 0n ? Number(product - size * lap) : undefined;
}

/**
 * Products whose magnitude no int32 wire can hold, element by element.
 *
 * Proves   y ≡ x₁·x₂ modulo the size of the target range, y inside it; y = x₁·x₂ if the target does not wrap.
 * Assumes  operands inside their bounds; 4·|x₁·x₂| < modulus (checked).
 * Cost     2 + ceil(log2 size) + ceil(log2 laps) constraints an element; laps = 1 without wrap-around.
 *
 *   p = x₁·x₂;  p − min = size·(first + q) + Σ weights·bits,  q in [0, laps): quotient and remainder of a division by
 * `size`, both determined by p.
 */
export function constrain(circuit: Builder, x: AffineTensor, y: AffineTensor, target: Target): AffineTensor {
  const { min, max } = target;
  const count = x.constants.length;
  const size = max - min + 1;
  const bits = rangeBits(size);
  const first = new Array<bigint>(count).fill(0n);
  const laps = new Float64Array(count).fill(1);
  const offsets = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) {
    const ends = [x.lo[i], x.hi[i]].flatMap((p) => [y.lo[i], y.hi[i]].map((q) => BigInt(p) * BigInt(q)));
    const [lo, hi] = [ends.reduce((p, q) => (p < q ? p : q)), ends.reduce((p, q) => (p > q ? p : q))];
    if (target.wraps) {
      first[i] = floorDivide(lo - BigInt(min), BigInt(size));
      laps[i] = Number(floorDivide(hi - BigInt(min), BigInt(size)) - first[i] + 1n);
    }
    requireHeadroom(circuit, Math.max(Math.abs(Number(lo)), Number(hi)) + size);
    offsets[i + 1] = offsets[i] + bits + rangeBits(laps[i]);
  }
  const products = circuit.existsField('wide product', count, ({ small, modulus }) =>
    Array.from({ length: count }, (_, i) =>
      canonical(BigInt(evaluateElement(x, i, small)) * BigInt(evaluateElement(y, i, small)), modulus),
    ),
  );
  const start = circuit.exists('wide product bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      const product = BigInt(evaluateElement(x, i, values)) * BigInt(evaluateElement(y, i, values));
      const lap = target.wraps ? floorDivide(product - BigInt(min), BigInt(size)) : 0n;
      const remainder = Number(product - BigInt(min) - BigInt(size) * lap);
      writeRangeBits(values, at + offsets[i], size, remainder);
      writeRangeBits(values, at + offsets[i] + bits, laps[i], Number(lap - first[i]));
    }
  });
  circuit.boolean('wide product bits', start, offsets[count]);
  const writer = new AffineWriter();
  const one: FieldCombination = { wires: [0], coefficients: [1n] };
  for (let i = 0; i < count; i++) {
    circuit.a.addElement(x, i, 1);
    circuit.b.addElement(y, i, 1);
    circuit.c.add(products + i, 1);
    circuit.enforce('wide product');
    const remainder = start + offsets[i];
    // Weights of the quotient reach 2^64: beyond what a row of small coefficients can say.
    const digits = [
      ...Array.from({ length: bits }, (_, j) => BigInt(rangeWeight(size, j))),
      ...Array.from({ length: rangeBits(laps[i]) }, (_, j) => BigInt(size) * BigInt(rangeWeight(laps[i], j))),
    ];
    const offset = canonical(-BigInt(min) - BigInt(size) * first[i], circuit.modulus);
    const left: FieldCombination =
      offset === 0n
        ? { wires: [products + i], coefficients: [1n] }
        : { wires: [0, products + i], coefficients: [offset, 1n] };
    circuit.enforceField('wide product sum', left, one, {
      wires: digits.map((_, j) => remainder + j),
      coefficients: digits.map((weight) => canonical(weight, circuit.modulus)),
    });
    for (let j = 0; j < bits; j++) writer.term(remainder + j, rangeWeight(size, j));
    writer.end(min, min, max);
  }
  return writer.finish(x.shape);
}

function floorDivide(x: bigint, y: bigint): bigint {
  const quotient = x / y;
  return quotient * y > x ? quotient - 1n : quotient;
}
