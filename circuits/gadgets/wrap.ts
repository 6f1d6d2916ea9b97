/** Arithmetic modulo 2ⁿ, as integer operators of ONNX have it. */
import type { AffineTensor } from '../affine.js';
import { AffineWriter, evaluateElement } from '../affine.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import { addRange, rangeBits, requireHeadroom, writeRangeBits } from './range.js';

/** The representative of x modulo the size of the range. */
export function reference(x: number, { min, max }: { readonly min: number; readonly max: number }): number {
  const size = max - min + 1;
  return x - size * Math.floor((x - min) / size);
}

/**
 * Proves   y ≡ x modulo 2ⁿ with y in [min, min + 2ⁿ), for every element.
 * Assumes  x inside the tensor's bounds; 4·|x| < modulus (checked). max − min + 1 = 2ⁿ.
 * Cost     n + ceil(log2 laps) + 1 constraints an element; 0 where the bounds already lie in the range.
 *
 *   x − min = 2ⁿ·(first + q) + Σ 2ʲ·bⱼ,  q in [0, laps): the quotient and remainder of a division by 2ⁿ, so both
 * are determined, and y = x − 2ⁿ·(first + q) is a combination.
 */
export function constrain(
  circuit: Builder,
  x: AffineTensor,
  { min, max }: { readonly min: number; readonly max: number },
): AffineTensor {
  const count = x.constants.length;
  const size = max - min + 1;
  const bits = rangeBits(size);
  const offsets = new Uint32Array(count + 1);
  const firstLap = new Float64Array(count);
  const laps = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    firstLap[i] = Math.floor((x.lo[i] - min) / size);
    laps[i] = Math.floor((x.hi[i] - min) / size) - firstLap[i] + 1;
    // The range of a 64-bit type stands for what a double holds exactly, not for where the type wraps.
    if (bits > 32 && (x.lo[i] < min || x.hi[i] > max))
      throw new RangeError(`[${x.lo[i]}, ${x.hi[i]}] is not inside [${min}, ${max}]`);
    requireHeadroom(circuit, Math.max(Math.abs(x.lo[i]), Math.abs(x.hi[i])) + size);
    offsets[i + 1] = offsets[i] + (laps[i] === 1 ? 0 : bits + rangeBits(laps[i]));
  }
  const first = circuit.exists('wrap bits', offsets[count], (values, at) => {
    for (let i = 0; i < count; i++) {
      if (laps[i] === 1) continue;
      const value = evaluateElement(x, i, values) - min;
      const lap = Math.floor(value / size);
      writeRangeBits(values, at + offsets[i], size, value - lap * size);
      writeRangeBits(values, at + offsets[i] + bits, laps[i], lap - firstLap[i]);
    }
  });
  circuit.boolean('wrap bits', first, offsets[count]);
  const writer = new AffineWriter();
  const y = new LinearCombination();
  for (let i = 0; i < count; i++) {
    y.clear()
      .addElement(x, i, 1)
      .constant(-size * firstLap[i]);
    if (laps[i] === 1) {
      writer.combination(y.normalize(), x.lo[i] - size * firstLap[i], x.hi[i] - size * firstLap[i]);
      continue;
    }
    const remainder = first + offsets[i];
    circuit.a.addElement(x, i, 1).constant(-min - size * firstLap[i]);
    addRange(circuit.c, remainder, size, 1);
    addRange(circuit.c, remainder + bits, laps[i], size);
    circuit.enforceLinear('wrap');
    addRange(y, remainder + bits, laps[i], -size);
    writer.combination(y.normalize(), min, max);
  }
  return writer.finish(x.shape);
}
