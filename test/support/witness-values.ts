import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';
import { decode, Fr } from './native-operands.js';

/** Every wire as a field element. */
export function witnessValues({ small, largeWires, largeValues }: CompactWitness): bigint[] {
  const values = Array.from(small, (v) => (v < 0 ? Fr.ORDER + BigInt(v) : BigInt(v)));
  const large = decode(largeValues);
  largeWires.forEach((wire, i) => (values[wire] = large[i]));
  return values;
}
