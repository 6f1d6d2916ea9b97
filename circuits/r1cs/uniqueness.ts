/**
 * Uniqueness from the R1CS alone: do the given wires fix every other wire? Propagates "determined" through the
 * rules below, each of which is a small theorem; what no rule reaches is reported. A wire reported may still be
 * determined (the check is one-sided); a wire not reported is.
 *
 *  1. Linear: one unknown wire in a row whose other factor is a constant.            `solveSum`
 *  2. Product: both factors known, one unknown wire on the right.                    `visit`
 *  3. Quotient: a known factor that is never 0, times one unknown, is known.          `visit`
 *  4. Digits: a known sum of bits and ranged wires, cut into blocks.                 digits.ts
 *  5. Cases: as 4, split over the values of selector bits.                           uniqueness-cases.ts
 *  6. One-hot bounds: a known value between the bounds that each choice selects.     uniqueness-bounds.ts
 *  7. Is-zero: X·inv = 1 − z and X·z = 0.                                            `visitZeroTests`
 *  8. Division: Q·B = C − R with 0 ≤ R < B by another row.                           uniqueness-division.ts
 *
 * A block of several bits (an exact-range group) is fixed only in its weighted sum: its bits are `loose`, and a
 * later row may use them in that very proportion only. Prior art: Ecne, Picus; the exact-range rules are ours.
 */
import { ModelRefused } from '../errors.js';
import { FIELD_MODULUS, canonical, inverse, signed } from '../field.js';
import type { R1cs } from './r1cs.js';
import { OneHotBounds } from './uniqueness-bounds.js';
import { divisionOf } from './uniqueness-division.js';
import { type Term, solveDigits } from './uniqueness-cases.js';
import {
  asBitCombination,
  asRow,
  type Combination,
  type Facts,
  findFacts,
  proportionKey,
  readCombination,
  type RowSides,
} from './uniqueness-facts.js';

export interface UniquenessReport {
  /** Every wire is determined, or loose within a determined sum, or the inverse of an is-zero test. */
  readonly ok: boolean;
  /** Wires that no rule determines, ascending. */
  readonly undetermined: readonly number[];
  /** Private bits fixed only up to the weighted sum of their group, which is all that any row reads. */
  readonly loose: readonly number[];
  /** Inverses that are free where their argument is 0; each occurs in one row only. */
  readonly freeInverses: readonly number[];
}

interface LooseGroup {
  readonly wires: readonly number[];
  readonly weights: ReadonlyMap<number, bigint>;
}

/** @param givenWires what counts as input: ctx, the input elements or their bits, the salt. */
export function checkUniqueness(
  r1cs: R1cs,
  { givenWires }: { givenWires: Iterable<number> },
): UniquenessReport {
  return new Propagation(r1cs, givenWires).run();
}

/** Above this the pass takes minutes and gigabytes: registration leaves it to `verinfer uniqueness`. */
export const UNIQUENESS_ROW_LIMIT = 2 ** 20;

/** Throws ModelRefused for a circuit that leaves the prover a choice; false if it is too large to be checked here. */
export function requireUnique(r1cs: R1cs, givenWires: Iterable<number>): boolean {
  if (r1cs.constraintCount > UNIQUENESS_ROW_LIMIT) return false;
  const { undetermined } = checkUniqueness(r1cs, { givenWires });
  if (undetermined.length === 0) return true;
  throw new ModelRefused({
    where: 'circuit',
    what: 'wires that the input does not determine',
    expected: '0',
    got: `${undetermined.length}, the first is wire ${undetermined[0]}`,
  });
}

class Propagation {
  readonly #rows: RowSides[] = [];
  readonly #facts: Facts;
  readonly #known: Uint8Array;
  readonly #looseGroupOf = new Map<number, LooseGroup>();
  /** Groups of a row that become loose unless the row still learns more about its wires. */
  readonly #deferred = new Map<number, LooseGroup[]>();
  readonly #freeInverses = new Set<number>();
  /** The bit without a wire that a row of the form L·L = L states. */
  readonly #bitOfRow = new Map<number, number>();
  /** Rows of each wire, as a compressed list. */
  readonly #rowStarts: Uint32Array;
  readonly #rowsOf: Uint32Array;
  /** Unknown wires of a row that are neither bits nor ranged. */
  readonly #opaque: Int32Array;
  readonly #queue: number[] = [];
  readonly #queued: Uint8Array;
  readonly #bounds: OneHotBounds;

  constructor(
    readonly r1cs: R1cs,
    givenWires: Iterable<number>,
  ) {
    const values = r1cs.coefficients.map((value) => signed(value));
    const virtual: { bit: Combination; row: number }[] = [];
    for (let row = 0; row < r1cs.constraintCount; row++) {
      const a = readCombination(r1cs.a, row, values);
      const b = readCombination(r1cs.b, row, values);
      const c = readCombination(r1cs.c, row, values);
      const bit = asBitCombination(a, b, c);
      if (bit) virtual.push({ bit, row });
      this.#rows.push(asRow(a, b, c));
    }
    let wireCount = r1cs.wireCount;
    for (const { bit, row } of virtual) {
      this.#bitOfRow.set(row, wireCount);
      this.#nameBit(bit, wireCount++);
    }
    this.#facts = findFacts(wireCount, this.#rows);
    this.#known = new Uint8Array(wireCount);
    this.#opaque = new Int32Array(this.#rows.length);
    this.#queued = new Uint8Array(this.#rows.length);
    [this.#rowStarts, this.#rowsOf] = this.#index(wireCount);
    this.#known[0] = 1;
    this.#bounds = new OneHotBounds(this.#facts, this.#known);
    for (const wire of givenWires) this.#known[wire] = 1;
    this.#rows.forEach((row, r) => {
      for (const wire of distinctWires(row))
        if (!this.#known[wire] && !this.#isRanged(wire)) this.#opaque[r]!++;
      if (this.#opaque[r]! <= 1) this.#enqueue(r);
    });
  }

  run(): UniquenessReport {
    do {
      for (let row = this.#queue.pop(); row !== undefined; row = this.#queue.pop()) {
        this.#queued[row] = 0;
        this.#visit(row);
      }
    } while (this.#loosenDeferred() || this.#visitZeroTests());
    const undetermined: number[] = [];
    const loose: number[] = [];
    for (let wire = 0; wire < this.r1cs.wireCount; wire++) {
      if (this.#known[wire] || this.#freeInverses.has(wire)) continue;
      if (wire > this.r1cs.publicCount && this.#isHarmless(wire)) loose.push(wire);
      else undetermined.push(wire);
    }
    return { ok: undetermined.length === 0, undetermined, loose, freeInverses: [...this.#freeInverses] };
  }

  /**
   * A loose bit changes nothing else if every row that reads it is its own bit or conditional row, or reads its whole
   * group in proportion, so that the row's value does not depend on the encoding. A bit row L·L = L is judged by the
   * rows of the wire that names L.
   */
  #isHarmless(wire: number): boolean {
    const group = this.#looseGroupOf.get(wire);
    if (!group) return false;
    return this.#rowsWith(wire).every((row) => {
      // L·L = L says no more than v = L and v·v = v, two rows that are judged themselves.
      if (this.#bitOfRow.has(row)) return true;
      const { a, b, c, linear } = this.#rows[row]!;
      // The inverse of an is-zero test stands in this row alone: it follows the sum, not the encoding.
      const rest = (linear ? this.#unknown(linear) : [a, b, c].flatMap((side) => this.#unknown(side))).filter(
        (term) => !this.#freeInverses.has(term.wire),
      );
      return rest.every((term) => term.wire === wire) && (rest.length === 0 || !linear);
    });
  }

  /** L·L = L: a new wire v with v·v = v and v = L stands for L and changes nothing for the others. */
  #nameBit(bit: Combination, wire: number): void {
    const v: Combination = { wires: [wire], coefficients: [1n], constant: 0n };
    const one: Combination = { wires: [], coefficients: [], constant: 1n };
    this.#rows.push(asRow(v, v, v), asRow(bit, one, v));
  }

  #isRanged(wire: number): boolean {
    return (
      this.#facts.isBit[wire] === 1 || this.#facts.conditionals.has(wire) || this.#facts.ranges.has(wire)
    );
  }

  #index(wireCount: number): [Uint32Array, Uint32Array] {
    const starts = new Uint32Array(wireCount + 1);
    for (const row of this.#rows) for (const wire of distinctWires(row)) starts[wire + 1]!++;
    for (let wire = 0; wire < wireCount; wire++) starts[wire + 1]! += starts[wire]!;
    const next = starts.slice();
    const rows = new Uint32Array(starts[wireCount]!);
    this.#rows.forEach((row, r) => {
      for (const wire of distinctWires(row)) rows[next[wire]!++] = r;
    });
    return [starts, rows];
  }

  #enqueue(row: number): void {
    if (this.#queued[row]) return;
    this.#queued[row] = 1;
    this.#queue.push(row);
  }

  #rowsWith(wire: number): Uint32Array {
    return this.#rowsOf.subarray(this.#rowStarts[wire], this.#rowStarts[wire + 1]);
  }

  #determine(wire: number): void {
    if (this.#known[wire]) return;
    this.#known[wire] = 1;
    const wasOpaque = !this.#isRanged(wire);
    for (const row of this.#rowsWith(wire)) {
      if (wasOpaque) this.#opaque[row]!--;
      if (this.#opaque[row]! <= 1) this.#enqueue(row);
    }
    // The last unknown member of a fixed sum is what the others leave.
    const rest = this.#looseGroupOf.get(wire)?.wires.filter((member) => !this.#known[member]);
    if (rest?.length === 1) this.#determine(rest[0]!);
  }

  /** A row that waits in vain for a wire is worth less than one that says what the wire is: loosening comes last. */
  #loosenDeferred(): boolean {
    const groups = [...this.#deferred.values()].flat();
    this.#deferred.clear();
    for (const group of groups) this.#loosen(group);
    return groups.length > 0;
  }

  /** Only bits may be loose: a ranged wire in a block with others is simply not determined. */
  #loosen(group: LooseGroup): void {
    if (group.wires.some((wire) => this.#facts.isBit[wire] !== 1 && !this.#facts.conditionals.has(wire)))
      return;
    for (const wire of group.wires)
      if (this.#isNarrower(group.wires.length, wire)) this.#looseGroupOf.set(wire, group);
    for (const wire of group.wires)
      for (const row of this.#rowsWith(wire)) if (this.#opaque[row]! <= 1) this.#enqueue(row);
  }

  /** A fixed sum of fewer wires says more: x + y fixed may later be x fixed and y fixed. */
  #isNarrower(size: number, wire: number): boolean {
    return size < (this.#looseGroupOf.get(wire)?.wires.length ?? Infinity);
  }

  /** The unknown terms of a combination, without loose groups that occur in their own proportion. */
  #unknown({ wires, coefficients }: Combination): Term[] {
    const terms: Term[] = [];
    let looseCount = 0;
    wires.forEach((wire, k) => {
      if (this.#known[wire]) return;
      terms.push({ wire, weight: coefficients[k]! });
      if (this.#looseGroupOf.has(wire)) looseCount++;
    });
    return looseCount === 0 ? terms : this.#withoutLooseSums(terms);
  }

  #withoutLooseSums(terms: Term[]): Term[] {
    const byWire = new Map(terms.map((term) => [term.wire, term.weight]));
    const drop = new Set<number>();
    for (const { wire } of terms) {
      const group = this.#looseGroupOf.get(wire);
      if (!group || drop.has(wire)) continue;
      // Members that became known since are constants by now; the rest of the sum is still fixed.
      const members = group.wires.filter((member) => !this.#known[member]);
      const ratio = (byWire.get(members[0]!) ?? 0n) * inverse(canonical(group.weights.get(members[0]!)!));
      const isProportional = members.every(
        (member) => canonical(ratio * group.weights.get(member)! - (byWire.get(member) ?? 0n)) === 0n,
      );
      if (isProportional) for (const member of members) drop.add(member);
    }
    return terms.filter(({ wire }) => !drop.has(wire));
  }

  #visit(row: number): void {
    const { a, b, c, linear } = this.#rows[row]!;
    if (linear) return this.#solveSum(row, linear, true);
    const [inA, inB] = [this.#unknown(a), this.#unknown(b)];
    // Rule 2. ⟨A⟩·⟨B⟩ is known, so the right side is a known sum, and rules 1, 4, 5 apply to it.
    if (inA.length === 0 && inB.length === 0) return this.#solveSum(row, c, false);
    // Rule 8. The known factor may be a divisor.
    if (inA.length === 0 && inB.length > 0) this.#divide(row, b, a, c);
    if (inB.length === 0 && inA.length > 0) this.#divide(row, a, b, c);
    // Rule 3. X·B = C with X and C known and X ≠ 0 in every witness (this or another row says X·i = k ≠ 0, and a
    // product with 0 is 0): B = C / X is a known sum with one unknown wire.
    if (this.#facts.nonzero.size === 0 || this.#unknown(c).length > 0) return;
    if (inA.length === 0 && inB.length === 1 && this.#facts.nonzero.has(proportionKey(a)))
      this.#determine(inB[0]!.wire);
    else if (inB.length === 0 && inA.length === 1 && this.#facts.nonzero.has(proportionKey(b)))
      this.#determine(inA[0]!.wire);
  }

  #divide(at: number, quotient: Combination, divisor: Combination, right: Combination): void {
    const unknown = this.#unknown(right);
    if (unknown.length === 0) return;
    const rest: Combination = {
      wires: unknown.map(({ wire }) => wire),
      coefficients: unknown.map(({ weight }) => weight),
      constant: 0n,
    };
    for (const row of this.#rowsWith(rest.wires[0]!)) {
      const { linear } = this.#rows[row]!;
      const division = linear && divisionOf(quotient, divisor, rest, linear, this.#facts);
      if (!division) continue;
      // Three sums of one row: each defers its groups under a key of its own.
      division.sums.forEach((sum, k) => this.#solveSum(-1 - (3 * at + k), sum, false));
      return;
    }
  }

  /** `sum` equals something known. Rule 1, else rules 4, 5 and (in a linear row) 6. */
  #solveSum(row: number, sum: Combination, isLinearRow: boolean): void {
    this.#deferred.delete(row);
    const terms = this.#unknown(sum);
    if (terms.length === 0) return;
    if (terms.length === 1) return this.#determine(terms[0]!.wire);
    if (!terms.every(({ wire }) => this.#isRanged(wire))) return;
    const scaled = toSmallWeights(terms);
    if (!scaled) return;
    const solution = solveDigits(scaled.terms, this.#facts, this.#known);
    if (solution) {
      for (const wire of solution.fixed) this.#determine(wire);
      const groups = solution.loose.filter((block) =>
        [...block].some((wire) => this.#isNarrower(block.size, wire)),
      );
      if (groups.length > 0) {
        const weights = new Map(scaled.terms.map(({ wire, weight }) => [wire, weight]));
        this.#deferred.set(
          row,
          groups.map((block) => ({ wires: [...block], weights })),
        );
      }
    }
    if (!isLinearRow) return;
    for (const wire of this.#bounds.add(sum, scaled.terms, scaled.factor)) this.#determine(wire);
  }

  /**
   * Rule 7. X known, X·inv = c0 + c1·z with c0 ≠ 0, and X·z = 0. If X = 0, the first row gives z = −c0/c1; if
   * X ≠ 0, the second gives z = 0: z is a function of X. Then inv is fixed unless X = 0, and free there: harmless
   * only if no other row and no statement reads it. True if something new was found.
   */
  #visitZeroTests(): boolean {
    let isNews = false;
    for (const { row, key, inverse: inv, flag } of this.#facts.zeroTests) {
      const { a, b } = this.#rows[row]!;
      const factor = a.wires.length === 1 && a.wires[0] === inv ? b : a;
      if (this.#freeInverses.has(inv) || this.#unknown(factor).length > 0) continue;
      if (!this.#facts.zeroProducts.get(flag)?.has(key)) continue;
      if (!this.#known[flag]) {
        this.#determine(flag);
        isNews = true;
      }
      const isPrivate = inv > this.r1cs.publicCount;
      if (isPrivate && !this.#known[inv] && this.#rowsWith(inv).length === 1) this.#freeInverses.add(inv);
    }
    return isNews;
  }
}

function distinctWires({ a, b, c }: RowSides): Iterable<number> {
  if (b.wires.length === 0 && c.wires.length === 0) return a.wires;
  return new Set([...a.wires, ...b.wires, ...c.wires]);
}

/**
 * Multiplies a sum by a constant so that its weights become small integers: a bit without a wire arrives divided by
 * its own weight. Undefined if none of the obvious factors does it.
 */
function toSmallWeights(terms: readonly Term[]): { terms: Term[]; factor: bigint } | undefined {
  const distinct = [...new Set(terms.map(({ weight }) => weight))].slice(0, 64);
  let best: { terms: Term[]; factor: bigint } | undefined;
  let bestPeak = FIELD_MODULUS >> 2n;
  for (const factor of [1n, ...distinct.map((weight) => inverse(canonical(weight)))]) {
    const scaled = terms.map(({ wire, weight }) => ({ wire, weight: signed(canonical(weight * factor)) }));
    const peak = scaled.reduce(
      (most, { weight }) => (weight > most ? weight : -weight > most ? -weight : most),
      0n,
    );
    if (peak < bestPeak) [best, bestPeak] = [{ terms: scaled, factor }, peak];
    if (bestPeak < PLAIN_WEIGHT) break;
  }
  return best;
}

/** Weights below this are integers as they stand; no other factor is tried. */
const PLAIN_WEIGHT = 1n << 64n;
