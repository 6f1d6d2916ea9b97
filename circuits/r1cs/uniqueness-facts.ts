/**
 * What single rows of an R1CS say about single wires, whatever the inputs: the static part of the uniqueness
 * check. Every fact is proved where it is recognised.
 */
import { FIELD_MODULUS, canonical, inverse, signed } from '../field.js';
import type { SparseMatrix } from './r1cs.js';

/** Σ coefficient·wire + constant; coefficients signed, never 0; wire 0 is the constant. */
export interface Combination {
  readonly wires: readonly number[];
  readonly coefficients: readonly bigint[];
  readonly constant: bigint;
}

/** The wire is 0 or equals `value`, which is a combination of other wires. */
export interface Conditional {
  readonly value: Combination;
}

export interface Facts {
  /** 1 for a wire that is 0 or 1 in every witness. */
  readonly isBit: Uint8Array;
  readonly conditionals: ReadonlyMap<number, Conditional>;
  /** Members of each group of bits of which exactly one is 1; groupOf: wire → group index. */
  readonly oneHots: readonly (readonly number[])[];
  readonly oneHotOf: ReadonlyMap<number, number>;
  /** Integer intervals of wires that a row expresses through bits. */
  readonly ranges: ReadonlyMap<number, { readonly min: bigint; readonly max: bigint }>;
  /** For z: keys of the combinations X with a row X·z = 0. */
  readonly zeroProducts: ReadonlyMap<number, ReadonlySet<string>>;
  /** Keys of the combinations X with a row X·w = k ≠ 0: they are never 0. */
  readonly nonzero: ReadonlySet<string>;
  /** Rows of the form X·inv = c0 + c1·z with c0 ≠ 0 that may be half of an is-zero test. */
  readonly zeroTests: readonly ZeroTest[];
}

export interface ZeroTest {
  readonly row: number;
  readonly key: string;
  readonly inverse: number;
  readonly flag: number;
}

const HALF = FIELD_MODULUS >> 1n;

/** @param values signed coefficients by id, shared by all rows: a network has millions of entries. */
export function readCombination(matrix: SparseMatrix, row: number, values: readonly bigint[]): Combination {
  const wires: number[] = [];
  const coefficients: bigint[] = [];
  let constant = 0n;
  for (let k = matrix.rowStarts[row]!; k < matrix.rowStarts[row + 1]!; k++) {
    const coefficient = values[matrix.coefficientIds[k]!]!;
    if (matrix.wires[k] === 0) constant = coefficient;
    else {
      wires.push(matrix.wires[k]!);
      coefficients.push(coefficient);
    }
  }
  return { wires, coefficients, constant };
}

/** Equal for combinations that are nonzero multiples of each other. */
export function proportionKey({ wires, coefficients, constant }: Combination): string {
  if (wires.length === 0) return '';
  const unit = inverse(canonical(coefficients[0]!));
  const scaled = [...coefficients, constant].map((value) => canonical(value * unit).toString(36));
  return `${wires.join(',')}:${scaled.join(',')}`;
}

/** α·a + β·b over shared wires. */
export function combine(a: Combination, alpha: bigint, b: Combination, beta: bigint): Combination {
  const sums = new Map<number, bigint>();
  const add = ({ wires, coefficients }: Combination, factor: bigint): void =>
    wires.forEach((wire, k) => sums.set(wire, (sums.get(wire) ?? 0n) + factor * coefficients[k]!));
  add(a, alpha);
  add(b, beta);
  const entries = [...sums]
    .map(([wire, value]) => [wire, signed(canonical(value))] as const)
    .filter(([, value]) => value !== 0n)
    .sort(([one], [other]) => one - other);
  return {
    wires: entries.map(([wire]) => wire),
    coefficients: entries.map(([, value]) => value),
    constant: signed(canonical(alpha * a.constant + beta * b.constant)),
  };
}

const isConstant = ({ wires }: Combination): boolean => wires.length === 0;

/** The row as a combination that must be 0, or undefined if both factors hold wires. */
function asLinear(a: Combination, b: Combination, c: Combination): Combination | undefined {
  if (isConstant(b)) return combine(a, b.constant, c, -1n);
  if (isConstant(a)) return combine(b, a.constant, c, -1n);
  return undefined;
}

/**
 * A row in one wire w, (a0 + a1·w)(b0 + b1·w) = c0 + c1·w with a1·b1 ≠ 0, is a quadratic: it has at most two roots.
 * If 0 and 1 are roots, they are all of them and w is a bit.
 */
function isBitRow(a: Combination, b: Combination, c: Combination): boolean {
  if (a.wires.length !== 1 || b.wires.length !== 1 || a.wires[0] !== b.wires[0]) return false;
  if (c.wires.length > 1 || (c.wires.length === 1 && c.wires[0] !== a.wires[0])) return false;
  const [a1, b1, c1] = [a.coefficients[0]!, b.coefficients[0]!, c.coefficients[0] ?? 0n];
  const vanishes = (w: bigint): boolean =>
    canonical((a.constant + a1 * w) * (b.constant + b1 * w) - (c.constant + c1 * w)) === 0n;
  return vanishes(0n) && vanishes(1n);
}

/** w·B = 0 with B = β·w + rest, β ≠ 0: w = 0, or B = 0 and w = −rest/β. */
function conditionalOf(
  factor: Combination,
  other: Combination,
  c: Combination,
): [number, Conditional] | undefined {
  if (factor.wires.length !== 1 || factor.constant !== 0n || !isConstant(c) || c.constant !== 0n)
    return undefined;
  const wire = factor.wires[0]!;
  const at = other.wires.indexOf(wire);
  if (at < 0) return undefined;
  const unit = -inverse(canonical(other.coefficients[at]!));
  const rest: Combination = {
    wires: other.wires.filter((_, k) => k !== at),
    coefficients: other.coefficients.filter((_, k) => k !== at),
    constant: other.constant,
  };
  return [wire, { value: combine(rest, unit, { wires: [], coefficients: [], constant: 0n }, 0n) }];
}

/**
 * A row in one combination L of several wires that says L ∈ {0, v}, v ≠ 0 known now; returns L / v, a bit without a
 * wire. Either L·L = L (v = 1), or L·(λ·L + κ) = 0 with λ, κ ≠ 0: a product is 0 when a factor is, so v = −κ/λ.
 */
export function asBitCombination(a: Combination, b: Combination, c: Combination): Combination | undefined {
  if (a.wires.length < 2 || b.wires.length !== a.wires.length) return undefined;
  const zero: Combination = { wires: [], coefficients: [], constant: 0n };
  const isZero = (x: Combination): boolean => isConstant(x) && x.constant === 0n;
  if (isZero(combine(a, 1n, b, -1n)) && isZero(combine(a, 1n, c, -1n))) return a;
  if (!isZero(c)) return undefined;
  const lambda = canonical(b.coefficients[0]! * inverse(canonical(a.coefficients[0]!)));
  const kappa = combine(b, 1n, a, -lambda);
  if (!isConstant(kappa) || kappa.constant === 0n) return undefined;
  return combine(a, -lambda * inverse(canonical(kappa.constant)), zero, 0n);
}

export interface RowSides {
  readonly a: Combination;
  readonly b: Combination;
  readonly c: Combination;
  /** The row as one combination that must be 0, if a factor is constant. */
  readonly linear: Combination | undefined;
}

export function asRow(a: Combination, b: Combination, c: Combination): RowSides {
  return { a, b, c, linear: asLinear(a, b, c) };
}

/** @param rows the three sides of every row, virtual rows included. */
export function findFacts(wireCount: number, rows: readonly RowSides[]): Facts {
  const isBit = new Uint8Array(wireCount);
  const conditionals = new Map<number, Conditional>();
  const zeroProducts = new Map<number, Set<string>>();
  const zeroTests: ZeroTest[] = [];
  const nonzero = new Set<string>();
  for (const { a, b, c } of rows) {
    if (isBitRow(a, b, c)) isBit[a.wires[0]!] = 1;
    else {
      const found = conditionalOf(a, b, c) ?? conditionalOf(b, a, c);
      if (found) conditionals.set(...found);
    }
  }
  rows.forEach(({ a, b, c }, row) => {
    if (isConstant(a) || isConstant(b)) return;
    if (isConstant(c) && c.constant !== 0n) nonzero.add(proportionKey(a)).add(proportionKey(b));
    for (const [factor, single] of [
      [a, b],
      [b, a],
    ] as const) {
      if (single.wires.length !== 1 || single.constant !== 0n) continue;
      const wire = single.wires[0]!;
      if (isConstant(c) && c.constant === 0n && !factor.wires.includes(wire)) {
        const keys = zeroProducts.get(wire) ?? new Set<string>();
        zeroProducts.set(wire, keys.add(proportionKey(factor)));
      } else if (
        c.wires.length === 1 &&
        c.constant !== 0n &&
        !factor.wires.includes(wire) &&
        c.wires[0] !== wire
      )
        zeroTests.push({ row, key: proportionKey(factor), inverse: wire, flag: c.wires[0]! });
    }
  });
  const oneHots: number[][] = [];
  const oneHotOf = new Map<number, number>();
  const ranges = new Map<number, { min: bigint; max: bigint }>();
  for (const { linear: sum } of rows) {
    if (!sum || sum.wires.length === 0) continue;
    recogniseOneHot(sum, isBit, oneHots, oneHotOf);
    recogniseRange(sum, isBit, ranges);
  }
  return { isBit, conditionals, oneHots, oneHotOf, ranges, zeroProducts, zeroTests, nonzero };
}

/** Bits with λ·Σ h = λ: their integer sum is below the modulus, so exactly one is 1. */
function recogniseOneHot(
  sum: Combination,
  isBit: Uint8Array,
  oneHots: number[][],
  oneHotOf: Map<number, number>,
): void {
  const { wires, coefficients, constant } = sum;
  if (wires.length < 2 || constant !== -coefficients[0]!) return;
  if (
    !wires.every((wire, k) => isBit[wire] === 1 && coefficients[k] === coefficients[0] && !oneHotOf.has(wire))
  )
    return;
  for (const wire of wires) oneHotOf.set(wire, oneHots.length);
  oneHots.push([...wires]);
}

/**
 * ±w + Σ cₖ·bitₖ + c = 0 with every partial sum below half the modulus: w is that small integer, so it lies
 * between the sums of the negative and of the positive weights.
 */
function recogniseRange(
  { wires, coefficients, constant }: Combination,
  isBit: Uint8Array,
  ranges: Map<number, { min: bigint; max: bigint }>,
): void {
  const others = wires.filter((wire) => isBit[wire] === 0);
  if (others.length !== 1) return;
  const wire = others[0]!;
  const lead = coefficients[wires.indexOf(wire)]!;
  const unit = lead === 1n ? -1n : lead === -1n ? 1n : -inverse(canonical(lead));
  let min = signed(canonical(unit * constant));
  let max = min;
  wires.forEach((other, k) => {
    if (other === wire) return;
    const weight = signed(canonical(unit * coefficients[k]!));
    if (weight > 0n) max += weight;
    else min += weight;
  });
  if (min <= -HALF || max >= HALF) return;
  const known = ranges.get(wire);
  ranges.set(wire, known && known.max - known.min <= max - min ? known : { min, max });
}
