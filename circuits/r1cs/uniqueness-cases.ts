/**
 * Rules 4 and 5 of the uniqueness check: which terms of a fixed sum are fixed.
 *
 * A wire w with a row w·(L − w) = 0 is 0 or L, and L depends on selector bits. For every assignment of the
 * selectors that their own rows allow, the sum is an ordinary sum of digits. If no value of one case is a value of
 * another (digits.ts), the total names the case: the selectors are fixed, and then whatever is fixed in every case.
 */
import { FIELD_MODULUS, canonical, signed } from '../field.js';
import { casesAreDisjoint, type Digit, gcd, type Split, splitDigits } from './digits.js';
import type { Combination, Facts } from './uniqueness-facts.js';

export interface Term {
  readonly wire: number;
  readonly weight: bigint;
}

export interface Solution {
  readonly fixed: readonly number[];
  /** Groups of which only the weighted sum is fixed. */
  readonly loose: readonly ReadonlySet<number>[];
}

/** 2^6 cases at most: a requantization has two selectors, a half-even one three. */
const SELECTOR_LIMIT = 6;
/** Sums below a quarter of the modulus differ by less than half of it: equal in the field is equal as integers. */
const SUM_LIMIT = FIELD_MODULUS >> 2n;

type Assignment = ReadonlyMap<number, bigint>;

interface Case {
  /** Values of the selectors that are known wires: such cases never compete. */
  readonly given: string;
  readonly split: Split;
}

/** @param terms unknown bits, conditional or ranged wires with small weights. Undefined: nothing follows. */
export function solveDigits(terms: readonly Term[], facts: Facts, known: Uint8Array): Solution | undefined {
  const conditional = terms.filter(({ wire }) => isConditional(wire, facts));
  const selectors = orderSelectors(conditional, facts);
  if (!selectors) return undefined;
  const cases: Case[] = [];
  for (const assignment of assignments(selectors, facts)) {
    const split = splitCase(terms, assignment, facts, known);
    if (!split || split.low < -SUM_LIMIT || split.low + split.spread > SUM_LIMIT) return undefined;
    const given = selectors.filter((wire) => known[wire]).map((wire) => assignment.get(wire));
    cases.push({ given: given.join(','), split });
  }
  for (let i = 0; i < cases.length; i++)
    for (let j = 0; j < i; j++)
      if (cases[i]!.given === cases[j]!.given && !casesAreDisjoint(cases[i]!.split, cases[j]!.split))
        return undefined;
  return mergeCases(cases, terms, facts);
}

/** A bit keeps its own two values; anything else with a conditional row takes them from it. */
function isConditional(wire: number, facts: Facts): boolean {
  return facts.isBit[wire] !== 1 && facts.conditionals.has(wire);
}

/** The selectors of all conditional terms, each after those it depends on; undefined if one has unknown values. */
function orderSelectors(conditional: readonly Term[], facts: Facts): number[] | undefined {
  const ordered: number[] = [];
  const visiting = new Set<number>();
  const visit = (wire: number): boolean => {
    if (ordered.includes(wire)) return true;
    if (visiting.has(wire)) return false;
    visiting.add(wire);
    if (facts.isBit[wire] !== 1) {
      const condition = facts.conditionals.get(wire);
      if (!condition || !condition.value.wires.every(visit)) return false;
    }
    ordered.push(wire);
    return ordered.length <= SELECTOR_LIMIT;
  };
  for (const { wire } of conditional)
    if (!facts.conditionals.get(wire)!.value.wires.every(visit)) return undefined;
  return ordered;
}

function* assignments(
  selectors: readonly number[],
  facts: Facts,
  partial: Assignment = new Map(),
): Generator<Assignment> {
  const wire = selectors[partial.size];
  if (wire === undefined) {
    yield partial;
    return;
  }
  const other = facts.isBit[wire] === 1 ? 1n : evaluate(facts.conditionals.get(wire)!.value, partial);
  for (const value of other === 0n ? [0n] : [0n, other])
    yield* assignments(selectors, facts, new Map(partial).set(wire, value));
}

function evaluate({ wires, coefficients, constant }: Combination, assignment: Assignment): bigint {
  const sum = wires.reduce((total, wire, k) => total + coefficients[k]! * assignment.get(wire)!, constant);
  return signed(canonical(sum));
}

function splitCase(
  terms: readonly Term[],
  assignment: Assignment,
  facts: Facts,
  known: Uint8Array,
): Split | undefined {
  const digits: Digit[] = [];
  const groups = new Map<number, Map<number, bigint>>();
  let base = 0n;
  for (const { wire, weight } of terms) {
    const chosen = assignment.get(wire);
    const group = facts.oneHotOf.get(wire);
    if (chosen !== undefined) base += weight * chosen;
    else if (isConditional(wire, facts)) {
      const value = evaluate(facts.conditionals.get(wire)!.value, assignment);
      if (value !== 0n) digits.push(rangeDigit(wire, weight * value, 0n, 1n));
    } else if (group !== undefined && facts.oneHots[group]!.every((member) => !known[member])) {
      groups.set(group, (groups.get(group) ?? new Map<number, bigint>()).set(wire, weight));
    } else if (facts.isBit[wire] === 1) digits.push(rangeDigit(wire, weight, 0n, 1n));
    else {
      const range = facts.ranges.get(wire);
      if (!range) return undefined;
      digits.push(rangeDigit(wire, weight, range.min, range.max));
    }
  }
  for (const [group, weights] of groups) digits.push(oneHotDigit(facts.oneHots[group]!, weights));
  const split = splitDigits(digits);
  return { ...split, low: split.low + base };
}

/** weight·v for every integer v from min to max. */
function rangeDigit(wire: number, weight: bigint, min: bigint, max: bigint): Digit {
  const size = weight < 0n ? -weight : weight;
  return {
    wires: [wire],
    low: weight < 0n ? weight * max : weight * min,
    spread: size * (max - min),
    step: size,
  };
}

/** Exactly one member is 1, so the term is one of the weights; a member without weight counts as 0. */
function oneHotDigit(members: readonly number[], weights: ReadonlyMap<number, bigint>): Digit {
  const values = members.map((member) => weights.get(member) ?? 0n);
  const low = values.reduce((a, b) => (a < b ? a : b));
  const high = values.reduce((a, b) => (a > b ? a : b));
  const step = values.reduce((divisor, value) => gcd(divisor, value - low), 0n);
  const wires = members.filter((member) => weights.has(member));
  // Equal values make a term that says nothing; a step of 1 with spread 0 is harmless.
  return { wires, low, spread: high - low, step: step === 0n ? 1n : step };
}

/** Whether a block pins each of its wires: one bit or ranged wire, or a one-hot whose weights are all different. */
function pinsEach(block: readonly Digit[], weights: ReadonlyMap<number, bigint>, facts: Facts): boolean {
  if (block.length > 1) return false;
  const { wires } = block[0]!;
  if (wires.length === 1 && !facts.oneHotOf.has(wires[0]!)) return true;
  const group = facts.oneHotOf.get(wires[0]!);
  if (group === undefined) return false;
  const members = facts.oneHots[group]!;
  if (wires.length === 1 && members.length > 1 && facts.isBit[wires[0]!] === 1) return true;
  return new Set(members.map((member) => weights.get(member) ?? 0n)).size === members.length;
}

/** Wires that share a block in some case end in one group: in every case that group is a union of fixed sums. */
function mergeCases(cases: readonly Case[], terms: readonly Term[], facts: Facts): Solution {
  const weights = new Map(terms.map(({ wire, weight }) => [wire, weight]));
  const groupOf = new Map<number, Set<number>>(terms.map(({ wire }) => [wire, new Set([wire])]));
  const isLoose = new Set<number>();
  for (const { split } of cases)
    for (const block of split.blocks) {
      if (pinsEach(block, weights, facts)) continue;
      const merged = new Set<number>();
      for (const digit of block)
        for (const wire of digit.wires) for (const member of groupOf.get(wire)!) merged.add(member);
      for (const member of merged) {
        groupOf.set(member, merged);
        isLoose.add(member);
      }
    }
  const loose = new Set([...isLoose].map((wire) => groupOf.get(wire)!));
  return { fixed: terms.map(({ wire }) => wire).filter((wire) => !isLoose.has(wire)), loose: [...loose] };
}
