/**
 * A constraint system from text, for circuits small enough to read. One row a line:
 *
 *   A . B = C      with A, B, C sums such as `2 x - y + 1`
 *   A = C          stands for A . 1 = C
 *   bits x y       stands for x . x = x and y . y = y
 *
 * Wires are named on first use; the given ones are private inputs.
 */
import { FIELD_MODULUS } from '../../circuits/field.js';
import type { R1cs, SparseMatrix } from '../../circuits/r1cs/r1cs.js';

export interface TextualR1cs {
  readonly r1cs: R1cs;
  readonly wireOf: ReadonlyMap<string, number>;
}

export function parseR1cs(lines: readonly string[]): TextualR1cs {
  const wireOf = new Map<string, number>([['1', 0]]);
  const rows = lines.flatMap(expandBits).map((line) => {
    const [left, right] = line.split('=') as [string, string];
    const [a, b = '1'] = left.split(' . ') as [string, string?];
    return [a, b, right].map((side) => parseSum(side, wireOf));
  });
  const coefficients: bigint[] = [];
  const idOf = new Map<bigint, number>();
  const matrix = (side: number): SparseMatrix => {
    const rowStarts = [0];
    const wires: number[] = [];
    const coefficientIds: number[] = [];
    for (const row of rows) {
      for (const [wire, value] of [...row[side]!].sort(([one], [other]) => one - other)) {
        if (value === 0n) continue;
        if (!idOf.has(value)) idOf.set(value, coefficients.push(value) - 1);
        wires.push(wire);
        coefficientIds.push(idOf.get(value)!);
      }
      rowStarts.push(wires.length);
    }
    return {
      rowStarts: Uint32Array.from(rowStarts),
      wires: Uint32Array.from(wires),
      coefficientIds: Uint32Array.from(coefficientIds),
    };
  };
  const [a, b, c] = [matrix(0), matrix(1), matrix(2)];
  return {
    r1cs: { wireCount: wireOf.size, publicCount: 0, constraintCount: rows.length, a, b, c, coefficients },
    wireOf,
  };
}

/** `sum('r', 3)` = "r0 + 2 r1 + 4 r2"; other weights by the second argument. */
export function weighted(stem: string, weights: number | readonly (number | bigint)[]): string {
  const list =
    typeof weights === 'number' ? Array.from({ length: weights }, (_, i) => 2n ** BigInt(i)) : weights;
  return list.map((weight, i) => `${weight} ${stem}${i}`).join(' + ');
}

export function names(stem: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${stem}${i}`).join(' ');
}

function expandBits(line: string): string[] {
  const [head, ...wires] = line.trim().split(/\s+/);
  return head === 'bits' ? wires.map((wire) => `${wire} . ${wire} = ${wire}`) : [line];
}

function parseSum(text: string, wireOf: Map<string, number>): Map<number, bigint> {
  const sum = new Map<number, bigint>();
  const terms = text
    .trim()
    .replace(/\s*-\s*/g, ' + -')
    .split('+');
  for (const term of terms) {
    const match = /^\s*(-?)(\d*)\s*([a-z]\w*)?\s*$/i.exec(term);
    if (!match) throw new Error(`term "${term}" of "${text}"`);
    if (term.trim() === '') continue;
    const [, minus, digits, name] = match;
    const value = (minus === '-' ? -1n : 1n) * BigInt(digits === '' ? 1 : digits!);
    const key = name ?? '1';
    if (!wireOf.has(key)) wireOf.set(key, wireOf.size);
    const wire = wireOf.get(key)!;
    const total = ((sum.get(wire) ?? 0n) + value) % FIELD_MODULUS;
    sum.set(wire, total < 0n ? total + FIELD_MODULUS : total);
  }
  return sum;
}
