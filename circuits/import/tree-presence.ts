/** Which targets of a forest have a weight on the leaves that a sample reaches: ONNX Runtime treats the others apart. */
import type { RawForest } from './tree-attributes.js';

export type Presence = 'always' | 'never' | 'sometimes';

/** Whether a class has a score: on every leaf of some tree, on no leaf at all, or depending on the leaf. */
export function presenceOf(raw: RawForest, target: number): Presence {
  const scored = new Set(raw.weights.flatMap((weight) => (weight.target === target ? [weight.node] : [])));
  if (scored.size === 0) return 'never';
  return raw.roots.some((root) => leavesUnder(raw, root).every((leaf) => scored.has(leaf)))
    ? 'always'
    : 'sometimes';
}

/** No weight is negative, and in some tree every leaf has one that is far above the rounding of scores. */
export function somePositive(raw: RawForest): boolean {
  const peak = Math.max(...raw.weights.map(({ weight }) => weight));
  const positive = new Set(
    raw.weights.flatMap(({ node, weight }) => (weight > peak * 2 ** -12 ? [node] : [])),
  );
  return (
    raw.weights.every(({ weight }) => weight >= 0) &&
    raw.roots.some((root) => leavesUnder(raw, root).every((leaf) => positive.has(leaf)))
  );
}

/** Nodes are visited once, so that a list with a cycle ends too; forestOf refuses it. */
function leavesUnder({ nodes }: RawForest, root: number): number[] {
  const seen = new Set<number>();
  const stack = [root];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const branch = nodes[at];
    if (seen.has(at)) continue;
    seen.add(at);
    if (branch && branch !== 'leaf') stack.push(branch.yes, branch.no);
  }
  return [...seen].filter((at) => nodes[at] === 'leaf');
}
