import { canonical } from '../../circuits/field.js';
import type { R1cs } from '../../circuits/r1cs/r1cs.js';

/**
 * Every satisfying assignment of a small circuit over a small prime, by depth-first search: a wire gets each of its
 * values in turn, and a row is checked as soon as its last wire is set. `fixed` gives some wires their value.
 */
export function* solutions(
  r1cs: R1cs,
  modulus: bigint,
  fixed: ReadonlyMap<number, number>,
): Generator<Int32Array> {
  const p = Number(modulus);
  const order = orders.get(r1cs) ?? searchOrder(r1cs, fixed);
  orders.set(r1cs, order);
  const position = new Int32Array(r1cs.wireCount);
  order.forEach((wire, i) => (position[wire] = i));
  const coefficients = r1cs.coefficients.map((c) => Number(canonical(c, modulus)));
  const rowsEndingAt: number[][] = order.map(() => []);
  const matrices = [r1cs.a, r1cs.b, r1cs.c];
  for (let row = 0; row < r1cs.constraintCount; row++) {
    let last = 0;
    for (const { rowStarts, wires } of matrices) {
      for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++) last = Math.max(last, position[wires[k]]);
    }
    rowsEndingAt[last].push(row);
  }
  const values = new Int32Array(r1cs.wireCount);
  const side = (m: number, row: number): number => {
    const { rowStarts, wires, coefficientIds } = matrices[m];
    let sum = 0;
    for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++)
      sum += coefficients[coefficientIds[k]] * values[wires[k]];
    return sum % p;
  };
  const holds = (row: number) => (side(0, row) * side(1, row) - side(2, row)) % p === 0;
  function* extend(depth: number): Generator<Int32Array> {
    if (depth === order.length) {
      yield values;
      return;
    }
    const wire = order[depth];
    const given = wire === 0 ? 1 : fixed.get(wire);
    const [from, to] = given === undefined ? [0, p] : [((given % p) + p) % p, (((given % p) + p) % p) + 1];
    for (let value = from; value < to; value++) {
      values[wire] = value;
      if (rowsEndingAt[depth].every(holds)) yield* extend(depth + 1);
    }
  }
  yield* extend(0);
}

/** By circuit; the fixed wires of one circuit are always the same. */
const orders = new WeakMap<R1cs, number[]>();

/** Fixed wires first, then always the wire that completes the most rows, or stands alone in one. */
function searchOrder(r1cs: R1cs, fixed: ReadonlyMap<number, number>): number[] {
  const rows: Set<number>[] = Array.from({ length: r1cs.constraintCount }, () => new Set());
  for (const { rowStarts, wires } of [r1cs.a, r1cs.b, r1cs.c]) {
    for (let row = 0; row < r1cs.constraintCount; row++) {
      for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++) rows[row].add(wires[k]);
    }
  }
  const order = [0, ...fixed.keys()];
  const placed = new Set(order);
  while (order.length < r1cs.wireCount) {
    let best = -1;
    let bestLeft = Infinity;
    for (const row of rows) {
      const left = [...row].filter((wire) => !placed.has(wire));
      if (left.length > 0 && left.length < bestLeft) [best, bestLeft] = [left[0], left.length];
    }
    if (best === -1)
      best = Array.from({ length: r1cs.wireCount }, (_, i) => i).find((wire) => !placed.has(wire))!;
    order.push(best);
    placed.add(best);
  }
  return order;
}
