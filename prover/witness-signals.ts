/** What a prover reads out of a witness. */
import type { CompactWitness } from '../circuits/r1cs/r1cs.js';
import { fieldBytes, r, readLittleEndian } from './files/points.js';

/** The values of wires 1 … publicCount. */
export function publicSignalsOf(
  { small, largeWires, largeValues }: CompactWitness,
  publicCount: number,
): bigint[] {
  const signals = Array.from(small.subarray(1, publicCount + 1), (value) =>
    value < 0 ? r + BigInt(value) : BigInt(value),
  );
  for (const [i, wire] of largeWires.entries()) {
    if (wire > publicCount) break;
    signals[wire - 1] = readLittleEndian(largeValues, i * fieldBytes);
  }
  return signals;
}
