/**
 * The conditions of tree nodes as sets of ordered floats (ordered-float.ts). Every condition is a union of intervals, and
 * a set is kept as the places where membership changes.
 */
import type { GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import { ORDERED_NAN, orderedFloat } from '../ordered-float.js';
import type { RawBranch } from './tree-attributes.js';

const ORDERED_INFINITY = 0x7f800000;
const LOWEST = -ORDERED_INFINITY;

/** x takes the way `yes` if an odd number of cuts lies above ordered(x), or an even one unless `isYesOdd`. */
export interface TreeTest {
  /** Ascending and distinct. */
  readonly cuts: readonly number[];
  readonly isYesOdd: boolean;
}

/** Nothing lies between two neighbours, so x ≤ t is ordered(x) < ordered(t) + 1. */
export function testOf(node: GraphNode, { mode, values, tracksMissing }: RawBranch): TreeTest {
  const at = values.map(orderedFloat);
  if (at.includes(ORDERED_NAN)) refuseNode(node, 'threshold', 'a number', 'NaN');
  const intervals = intervalsOf(node, mode, values, at);
  if (tracksMissing || mode === 'BRANCH_NEQ') intervals.push([ORDERED_NAN, ORDERED_NAN + 1]);
  const isInside = (x: number): boolean => intervals.some(([low, end]) => x >= low && x < end);
  const edges = [...new Set(intervals.flat())].sort((a, b) => a - b);
  const cuts = edges.filter(
    (edge) => edge > LOWEST && edge <= ORDERED_NAN && isInside(edge) !== isInside(edge - 1),
  );
  // Above the last cut lies NaN, with no cut above it: an even number.
  return { cuts, isYesOdd: !isInside(ORDERED_NAN) };
}

/** The numbers for which the condition holds, as [first, end). */
function intervalsOf(
  node: GraphNode,
  mode: string,
  values: readonly number[],
  at: readonly number[],
): [number, number][] {
  const [first = 0] = at;
  switch (mode) {
    case 'BRANCH_LT':
      return [[LOWEST, first]];
    case 'BRANCH_LEQ':
      return [[LOWEST, first + 1]];
    case 'BRANCH_GTE':
      return [[first, ORDERED_NAN]];
    case 'BRANCH_GT':
      return [[first + 1, ORDERED_NAN]];
    case 'BRANCH_EQ':
      return at.map((value) => [value, value + 1]);
    case 'BRANCH_MEMBER':
      return isLookedUp(values) ? values.map(integerPart) : at.map((value) => [value, value + 1]);
    case 'BRANCH_NEQ':
      return [
        [LOWEST, first],
        [first + 1, ORDERED_NAN],
      ];
    default:
      return refuseNode(node, 'nodes_modes', 'LEAF or one of the branch modes', mode);
  }
}

/** Sets of such integers are what ONNX Runtime can test. */
export function isSetMember(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31;
}

/** ONNX Runtime tests a set of small integers bit by bit, as it stands; other sets by looking up the integer part of x. */
function isLookedUp(members: readonly number[]): boolean {
  return members.every(isSetMember) && members.some((member) => member < 0 || member >= MASK_BITS);
}
const MASK_BITS = 31;

/** All x with this integer part. */
function integerPart(value: number): [number, number] {
  const [low, high] = [orderedFloat(Math.fround(value - 1)), orderedFloat(Math.fround(value + 1))];
  const own = orderedFloat(value);
  // Where float32 is coarser than 1, the neighbours are no integer parts of this value.
  return [value > 0 ? own : Math.min(low + 1, own), value < 0 ? own + 1 : Math.max(high, own + 1)];
}
