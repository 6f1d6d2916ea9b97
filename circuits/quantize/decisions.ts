/**
 * Values that depend on the input through comparisons alone, as decision trees over its features. What a graph computes
 * from such values (sums, look-ups, further comparisons) is again one, so that trees which an exporter wrote as matrix
 * products or gathers become trees again.
 */
import { ORDERED_NAN, orderedFloat } from '../ordered-float.js';

/** `ordered(feature) < cut` takes the way below. */
export interface DecisionBranch {
  readonly kind: 'branch';
  readonly feature: number;
  readonly cut: number;
  readonly below: Decision;
  readonly above: Decision;
}

export interface NumberLeaf {
  readonly kind: 'number';
  readonly value: number;
}

/** The value of a feature itself. */
export interface FeatureLeaf {
  readonly kind: 'feature';
  readonly feature: number;
}

export type Leaf = NumberLeaf | FeatureLeaf;
export type Decision = DecisionBranch | Leaf;

/** constant + Σ weight·decision: sums stay apart until something needs their value. */
export interface DecisionSum {
  readonly constant: number;
  readonly terms: readonly { readonly decision: Decision; readonly weight: number }[];
}

/** The graph is not of this kind, or its trees would become too large. */
export class NotDecisions extends Error {}

/** Branches that one graph may make. */
const BRANCH_LIMIT = 2_000_000;

/** What is known of features on the way to a leaf: ordered(feature) in [low, end). */
type Known = ReadonlyMap<number, readonly [number, number]>;

const NOTHING: Known = new Map();

export const numberLeaf = (value: number): NumberLeaf => ({ kind: 'number', value });
export const constantSum = (constant: number): DecisionSum => ({ constant, terms: [] });
export const sumOf = (decision: Decision): DecisionSum =>
  decision.kind === 'number'
    ? constantSum(decision.value)
    : { constant: 0, terms: [{ decision, weight: 1 }] };

export function scaledSum({ constant, terms }: DecisionSum, factor: number): DecisionSum {
  if (factor === 0) return constantSum(0);
  return {
    constant: constant * factor,
    terms: terms.map(({ decision, weight }) => ({ decision, weight: weight * factor })),
  };
}

export function addedSums(sums: readonly DecisionSum[]): DecisionSum {
  return {
    constant: sums.reduce((total, { constant }) => total + constant, 0),
    terms: sums.flatMap(({ terms }) => terms),
  };
}

export class Decisions {
  private branches = 0;

  /** The sum as one tree; a feature may stand in it alone. */
  joined({ constant, terms }: DecisionSum): Decision {
    const [only] = terms;
    if (!only) return numberLeaf(constant);
    if (terms.length === 1 && only.weight === 1 && constant === 0) return only.decision;
    return this.combine(
      terms.map(({ decision }) => decision),
      (leaves) => {
        let total = constant;
        let feature: FeatureLeaf | undefined;
        leaves.forEach((leaf, i) => {
          if (leaf.kind === 'number') total += terms[i]!.weight * leaf.value;
          else if (feature || terms[i]!.weight !== 1) throw new NotDecisions('a sum of features');
          else feature = leaf;
        });
        if (!feature) return numberLeaf(total);
        if (total !== 0) throw new NotDecisions('a feature plus a number');
        return feature;
      },
    );
  }

  /** A function of several decisions, leaf by leaf; ways that contradict what is known of a feature are left out. */
  combine(given: readonly Decision[], of: (leaves: readonly Leaf[]) => Decision, known = NOTHING): Decision {
    const decisions = given.map((decision) => decided(decision, known));
    const at = decisions.findIndex(({ kind }) => kind === 'branch');
    if (at < 0) return decided(of(decisions as Leaf[]), known);
    const branch = decisions[at] as DecisionBranch;
    if (++this.branches > BRANCH_LIMIT) throw new NotDecisions('too many branches');
    const { feature, cut } = branch;
    const [low, end] = known.get(feature) ?? [-Infinity, Infinity];
    const side = (way: Decision, range: readonly [number, number]): Decision =>
      this.combine(decisions.with(at, way), of, new Map(known).set(feature, range));
    const below = side(branch.below, [low, cut]);
    const above = side(branch.above, [cut, end]);
    if (below.kind === 'number' && above.kind === 'number' && below.value === above.value) return below;
    return { kind: 'branch', feature, cut, below, above };
  }

  /** 1 where the comparison holds, else 0. */
  compare(type: string, a: Decision, b: Decision): Decision {
    return this.combine([a, b], ([x, y]) => {
      if (x!.kind === 'number' && y!.kind === 'number') {
        requireClear(x!.value, y!.value);
        return numberLeaf(Number(holds(type, x!.value, y!.value)));
      }
      if (x!.kind === 'feature' && y!.kind === 'number') return test(type, x!.feature, y!.value);
      if (x!.kind === 'number' && y!.kind === 'feature') return test(MIRRORED[type]!, y!.feature, x!.value);
      throw new NotDecisions('two features compared');
    });
  }
}

const MIRRORED: Readonly<Record<string, string>> = {
  Less: 'Greater',
  Greater: 'Less',
  LessOrEqual: 'GreaterOrEqual',
  GreaterOrEqual: 'LessOrEqual',
  Equal: 'Equal',
};

/** Sums are exact here and rounded in the file: two numbers that only rounding tells apart are not compared. */
function requireClear(x: number, y: number): void {
  if (x !== y && Math.abs(x - y) <= 1e-5 * Math.max(1, Math.abs(x)))
    throw new NotDecisions('a comparison that rounding decides');
}

function holds(type: string, x: number, y: number): boolean {
  switch (type) {
    case 'Less':
      return x < y;
    case 'Greater':
      return x > y;
    case 'LessOrEqual':
      return x <= y;
    case 'GreaterOrEqual':
      return x >= y;
    default:
      return x === y;
  }
}

/** Of a feature with a number, in the order of float32; NaN, above all numbers, fulfils none. */
function test(type: string, feature: number, value: number): Decision {
  if (Number.isNaN(value)) throw new NotDecisions('a comparison with NaN');
  // The first float32 that is not below the number, which may be a double.
  const nearest = Math.fround(value);
  const at = orderedFloat(nearest) + Number(nearest < value);
  const after = nearest === value ? at + 1 : at;
  const below = (cut: number, yes: Decision, no: Decision): Decision => ({
    kind: 'branch',
    feature,
    cut,
    below: yes,
    above: no,
  });
  const [one, zero] = [numberLeaf(1), numberLeaf(0)];
  const isNumber = below(ORDERED_NAN, one, zero);
  switch (type) {
    case 'Less':
      return below(at, one, zero);
    case 'LessOrEqual':
      return below(after, one, zero);
    case 'GreaterOrEqual':
      return below(at, zero, isNumber);
    case 'Greater':
      return below(after, zero, isNumber);
    default:
      return after === at ? zero : below(at, zero, below(after, one, zero));
  }
}

/** Without the branches that are decided already. */
function decided(decision: Decision, known: Known): Decision {
  let at = decision;
  while (at.kind === 'branch') {
    const range = known.get(at.feature);
    if (!range) return at;
    if (range[1] <= at.cut) at = at.below;
    else if (range[0] >= at.cut) at = at.above;
    else return at;
  }
  return at;
}
