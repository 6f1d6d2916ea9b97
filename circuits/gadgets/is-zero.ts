import type { AffineTensor } from '../affine.js';
import { evaluateElement } from '../affine.js';
import { inverse } from '../field.js';
import type { Builder } from '../r1cs/builder.js';

/** One test: does element 'index' of the tensor equal 'value'? */
export interface EqualityTest {
  readonly index: number;
  readonly value: number;
}

export function reference(x: number, value: number): number {
  return x === value ? 1 : 0;
}

/**
 * Proves   zₜ = 1 if x = value, else 0, for every test t; returns the first of the z wires.
 * Assumes  |x − value| < modulus.
 * Cost     2 constraints a test.
 *
 *   d = x − value;  d·i = 1 − z;  d·z = 0.
 *
 * d ≠ 0: the second row gives z = 0 (and then i = d⁻¹). d = 0: the first gives z = 1, and i is free: it occurs
 * nowhere else, so it cannot change an output. The witness sets it to 0.
 */
export function constrain(circuit: Builder, x: AffineTensor, tests: readonly EqualityTest[]): number {
  const flags = circuit.exists('is-zero flag', tests.length, (values, at) => {
    tests.forEach(({ index, value }, t) => {
      values[at + t] = evaluateElement(x, index, values) === value ? 1 : 0;
    });
  });
  const inverses = circuit.existsField('is-zero inverse', tests.length, ({ small, modulus }) => {
    const known = new Map<number, bigint>([[0, 0n]]);
    return tests.map(({ index, value }) => {
      const difference = evaluateElement(x, index, small) - value;
      let result = known.get(difference);
      if (result === undefined) known.set(difference, (result = inverse(BigInt(difference), modulus)));
      return result;
    });
  });
  tests.forEach(({ index, value }, t) => {
    circuit.a.addElement(x, index, 1).constant(-value);
    circuit.b.add(inverses + t, 1);
    circuit.c.constant(1).add(flags + t, -1);
    circuit.enforce('is-zero inverse');
    circuit.a.addElement(x, index, 1).constant(-value);
    circuit.b.add(flags + t, 1);
    circuit.enforce('is-zero flag');
  });
  return flags;
}
