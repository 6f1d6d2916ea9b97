import type { CompactWitness, R1cs } from '../../circuits/r1cs/r1cs.js';
import { type Combination, r1csOf } from './bit-circuit.js';

const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const int32 = (value: bigint): boolean => value >= -(2n ** 31n) && value < 2n ** 31n;

/**
 * Every kind of wire and coefficient the prover treats apart: bits, small integers of both signs, −2³¹ and
 * 2³¹ − 1, full field elements; coefficients that fit in an int32 and that do not; wires that are missing
 * from A, from B or from both (points at infinity); two equal columns; a public field element.
 */
export function mixedCircuit(products = 24): { r1cs: R1cs; witness(random: () => number): CompactWitness } {
  // wires: 1 public y, then x₀ … (free), their powers, and the extremes
  const free = 12;
  const first = 2;
  const power = first + free;
  const extreme = power + products;
  const wireCount = extreme + 4;
  const wide = 2n ** 200n + 12345n;
  const rows: [Combination, Combination, Combination][] = [];
  const one = new Map([[0, 1n]]);
  for (let i = 0; i < products; i++) {
    // power_i = (x_i + 3)·(wide·power_{i−1} − x_{i+1})
    const before = i === 0 ? 0 : power + i - 1;
    rows.push([
      new Map([
        [first + (i % free), 1n],
        [0, 3n],
      ]),
      new Map([
        [before, i % 2 === 0 ? wide : -5n],
        [first + ((i + 1) % free), -1n],
      ]),
      new Map([[power + i, 1n]]),
    ]);
  }
  rows.push([new Map([[power + products - 1, 7n]]), one, new Map([[1, 1n]])]);
  // −2³¹, 2³¹ − 1, and two columns that are equal in every matrix
  rows.push([new Map([[extreme, 1n]]), one, new Map([[0, -(2n ** 31n)]])]);
  rows.push([one, new Map([[extreme + 1, 1n]]), new Map([[0, 2n ** 31n - 1n]])]);
  rows.push([
    new Map([
      [extreme + 2, 1n],
      [extreme + 3, 1n],
    ]),
    one,
    new Map([[first, 1n]]),
  ]);
  return {
    r1cs: r1csOf(wireCount, 1, rows),
    witness(random) {
      const values: bigint[] = new Array(wireCount).fill(0n);
      values[0] = 1n;
      for (let i = 0; i < free; i++) {
        const size = [1n, 1n, 2n ** 7n, 2n ** 20n, 2n ** 40n][Math.floor(random() * 5)];
        values[first + i] = BigInt(Math.floor(random() * 2 ** 40)) % (2n * size + 1n);
        if (i % 3 === 2) values[first + i] = -values[first + i];
      }
      const modulo = (v: bigint): bigint => ((v % order) + order) % order;
      const centred = (v: bigint): bigint => (v > order / 2n ? v - order : v);
      for (let i = 0; i < products; i++) {
        const before = i === 0 ? 1n : values[power + i - 1];
        const b = (i % 2 === 0 ? wide : -5n) * before - values[first + ((i + 1) % free)];
        values[power + i] = centred(modulo((values[first + (i % free)] + 3n) * b));
      }
      values[1] = centred(modulo(7n * values[power + products - 1]));
      values[extreme] = -(2n ** 31n);
      values[extreme + 1] = 2n ** 31n - 1n;
      values[extreme + 2] = BigInt(Math.floor(random() * 100));
      values[extreme + 3] = values[first] - values[extreme + 2];
      const small = new Int32Array(wireCount);
      const largeWires: number[] = [];
      const largeValues: number[] = [];
      values.forEach((value, wire) => {
        if (int32(value)) {
          small[wire] = Number(value);
          return;
        }
        largeWires.push(wire);
        for (let b = 0, rest = modulo(value); b < 32; b++, rest >>= 8n) largeValues.push(Number(rest & 255n));
      });
      return { small, largeWires: Uint32Array.from(largeWires), largeValues: Uint8Array.from(largeValues) };
    },
  };
}
