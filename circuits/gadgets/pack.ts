import type { AffineTensor } from '../affine.js';
import { elementsPerSignal, PACKED_DTYPES, SIGNAL_BYTES, type PackedDtype } from '../public-signals.js';
import type { Terms } from './poseidon.js';

export { packElements as reference } from '../public-signals.js';

/**
 * A tensor as packed signals, each a linear combination.
 *
 * Proves   nothing by itself: a signal is Σ (xᵢ − min)·256^…, as in circuits/public-signals.ts.
 * Assumes  every element is range-checked to its dtype; otherwise one element could borrow from its neighbour.
 * Cost     0 constraints.
 */
export function constrain(x: AffineTensor, dtype: PackedDtype): Terms[] {
  const { bytes, min } = PACKED_DTYPES[dtype];
  const perSignal = elementsPerSignal(dtype);
  const count = x.constants.length;
  const signals: Terms[] = [];
  for (let from = 0; from < count; from += perSignal) {
    const signal: Terms = new Map();
    const add = (wire: number, value: bigint) => signal.set(wire, (signal.get(wire) ?? 0n) + value);
    for (let i = 0; i < perSignal && from + i < count; i++) {
      const weight = 1n << BigInt(8 * (SIGNAL_BYTES - bytes * (i + 1)));
      const at = from + i;
      for (let k = x.starts[at]; k < x.starts[at + 1]; k++)
        add(x.wires[k], BigInt(x.coefficients[k]) * weight);
      add(0, BigInt(x.constants[at] - min) * weight);
    }
    signals.push(signal);
  }
  return signals;
}
