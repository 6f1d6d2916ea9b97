/** Rule 6 of the uniqueness check: a known value that a one-hot choice puts between bounds names the choice. */
import { FIELD_MODULUS } from '../field.js';
import type { Term } from './uniqueness-cases.js';
import { combine, type Combination, type Facts } from './uniqueness-facts.js';

/** Intervals inside (−r/2, r/2) that do not meet as integers do not meet modulo r. */
const HALF = FIELD_MODULUS >> 1n;

export class OneHotBounds {
  readonly #bounds = new Map<string, { min: bigint; max: bigint }[]>();

  constructor(
    private readonly facts: Facts,
    private readonly known: Uint8Array,
  ) {}

  /**
   * Rule 6. In a row  X + Σ cᵢ·hᵢ + D = 0  with h one-hot, X known and D between bounds, choice i says
   * X ∈ [−cᵢ − max D, −cᵢ − min D]. Rows with the same X narrow the same intervals; once they are pairwise
   * disjoint, X lies in at most one of them, and that one names the choice.
   */
  add(sum: Combination, terms: readonly Term[], factor: bigint): readonly number[] {
    const groups = new Set(terms.map(({ wire }) => this.facts.oneHotOf.get(wire)));
    groups.delete(undefined);
    if (groups.size !== 1) return [];
    const group = [...groups][0]!;
    const members = this.facts.oneHots[group]!;
    const unknown = new Set(terms.map(({ wire }) => wire));
    if (members.some((wire) => this.known[wire])) return [];
    let [min, max] = [0n, 0n];
    for (const { wire, weight } of terms) {
      if (this.facts.oneHotOf.get(wire) === group) continue;
      const range = this.facts.isBit[wire] ? { min: 0n, max: 1n } : this.facts.ranges.get(wire);
      if (!range) return [];
      const ends = [weight * range.min, weight * range.max];
      min += ends[0]! < ends[1]! ? ends[0]! : ends[1]!;
      max += ends[0]! > ends[1]! ? ends[0]! : ends[1]!;
    }
    // X is signed so that its first wire has a positive coefficient: both sides of a comparison then agree.
    const scaled = combine(sum, factor, { wires: [], coefficients: [], constant: 0n }, 0n);
    const kept = scaled.wires.map((_, k) => k).filter((k) => !unknown.has(scaled.wires[k]!));
    if (kept.length === 0) return [];
    const sign = scaled.coefficients[kept[0]!]! > 0n ? 1n : -1n;
    const key = `${group}|${kept.map((k) => `${scaled.wires[k]}*${sign * scaled.coefficients[k]!}`).join('+')}`;
    const weights = new Map(terms.map(({ wire, weight }) => [wire, weight]));
    const intervals = members.map((wire) => {
      const ends = [min, max].map((end) => -sign * ((weights.get(wire) ?? 0n) + end + scaled.constant));
      return ends[0]! < ends[1]! ? { min: ends[0]!, max: ends[1]! } : { min: ends[1]!, max: ends[0]! };
    });
    if (intervals.some((interval) => interval.min <= -HALF || interval.max >= HALF)) return [];
    const known = this.#bounds.get(key);
    const merged = intervals.map((interval, i) => ({
      min: known && known[i]!.min > interval.min ? known[i]!.min : interval.min,
      max: known && known[i]!.max < interval.max ? known[i]!.max : interval.max,
    }));
    this.#bounds.set(key, merged);
    const sorted = merged
      .filter(({ min: low, max: high }) => low <= high)
      .sort((x, y) => (x.min < y.min ? -1 : 1));
    const areDisjoint = sorted.every((interval, i) => i === 0 || sorted[i - 1]!.max < interval.min);
    return areDisjoint ? members : [];
  }
}
