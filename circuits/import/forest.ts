/**
 * A tree ensemble on order-preserving integers: branches with a feature, cuts and two ways, and leaves with integer
 * scores, score = round(weight·2^k).
 */
import type { GraphNode } from '../onnx/graph.js';
import { refuseNode } from '../onnx/node.js';
import type { RawForest } from './tree-attributes.js';
import { testOf } from './tree-tests.js';

/** Integer sums of leaf scores stay exact in float32, so ONNX Runtime computes them exactly as well. */
const EXACT_SUM = 2 ** 24;

/** How the scores of the trees become one. */
export type Aggregate = 'SUM' | 'MIN' | 'MAX';

export interface Forest {
  readonly featureCount: number;
  readonly targetCount: number;
  readonly aggregate: Aggregate;
  /** Per branch. */
  readonly features: readonly number[];
  /** The way `below` is taken if an odd number of the branch's cuts lies above ordered(x); ascending. */
  readonly cuts: readonly (readonly number[])[];
  /** A branch if ≥ 0, else leaf −1 − value. */
  readonly below: readonly number[];
  readonly above: readonly number[];
  readonly roots: readonly number[];
  /** Scores of each leaf: parallel lists of leaf, target, integer. */
  readonly scoreLeaves: readonly number[];
  readonly scoreTargets: readonly number[];
  readonly scores: readonly number[];
  readonly base: readonly number[];
  /** score = integer · 2^−scaleBits. */
  readonly scaleBits: number;
  /** Tree of each leaf. */
  readonly treeOfLeaf: readonly number[];
}

/** @param base one value a target. A mean over trees is a sum of scores divided by their number. */
export function forestOf(
  node: GraphNode,
  raw: RawForest,
  featureCount: number,
  targetCount: number,
  base: readonly number[],
): Forest {
  const layout = layOut(node, raw, featureCount);
  const isSum = raw.aggregate === 'SUM' || raw.aggregate === 'AVERAGE';
  const share = raw.aggregate === 'AVERAGE' ? 1 / raw.roots.length : 1;
  const leafScores = raw.weights.map(({ node: at, target, weight }): LeafScore => {
    const leaf = layout.reference[at]!;
    if (leaf >= 0) refuseNode(node, 'weights', 'on leaves', `on branch ${at}`);
    if (!Number.isInteger(target) || target < 0 || target >= targetCount)
      refuseNode(node, 'target of a weight', `below ${targetCount}`, target);
    if (!Number.isFinite(weight)) refuseNode(node, 'weights', 'finite', weight);
    // Adding the base to every score of a maximum adds it to the maximum.
    return { leaf: -1 - leaf, target, weight: isSum ? weight * share : weight + base[target]! };
  });
  if (leafScores.length === 0) refuseNode(node, 'weights', 'at least one', 0);
  const aggregate = raw.aggregate === 'AVERAGE' ? 'SUM' : raw.aggregate;
  requireOneWeightEach(node, leafScores, layout.treeOfLeaf, aggregate, targetCount);
  const ownBase = isSum ? base : base.map(() => 0);
  const scaleBits = chooseScaleBits(node, leafScores, ownBase, layout.treeOfLeaf, aggregate);
  const scaled = (x: number): number => Math.round(x * 2 ** scaleBits);
  return {
    featureCount,
    targetCount,
    aggregate,
    features: layout.features,
    cuts: layout.cuts,
    below: layout.below,
    above: layout.above,
    roots: layout.roots,
    scoreLeaves: leafScores.map(({ leaf }) => leaf),
    scoreTargets: leafScores.map(({ target }) => target),
    scores: leafScores.map(({ weight }) => scaled(weight)),
    base: ownBase.map(scaled),
    scaleBits,
    treeOfLeaf: layout.treeOfLeaf,
  };
}

interface Layout {
  readonly features: number[];
  readonly cuts: (readonly number[])[];
  readonly below: number[];
  readonly above: number[];
  readonly roots: number[];
  readonly treeOfLeaf: number[];
  /** Branch ≥ 0 or leaf −1 − index, by position in the attribute lists. */
  readonly reference: readonly number[];
}

/** Branches in pre-order, tree by tree: a parent stands before its children. A node with two parents is refused. */
function layOut(node: GraphNode, { nodes, roots }: RawForest, featureCount: number): Layout {
  const layout: Layout = {
    features: [],
    cuts: [],
    below: [],
    above: [],
    roots: [],
    treeOfLeaf: [],
    reference: new Array<number>(nodes.length).fill(0),
  };
  const reference = layout.reference as number[];
  const seen = new Set<number>();
  const place = (start: number, tree: number): number => {
    const stack: { at: number; put: (reference: number) => void }[] = [];
    let root = 0;
    stack.push({ at: start, put: (value) => (root = value) });
    for (let top = stack.pop(); top; top = stack.pop()) {
      const { at, put } = top;
      if (seen.has(at)) refuseNode(node, 'tree', 'one parent a node', `node ${at} reached twice`);
      seen.add(at);
      const branch = nodes[at]!;
      if (branch === 'leaf') {
        reference[at] = -1 - layout.treeOfLeaf.length;
        layout.treeOfLeaf.push(tree);
        put(reference[at]);
        continue;
      }
      if (branch.feature < 0 || branch.feature >= featureCount)
        refuseNode(node, 'nodes_featureids', `below ${featureCount}`, branch.feature);
      const { cuts, isYesOdd } = testOf(node, branch);
      const index = layout.features.length;
      reference[at] = index;
      put(index);
      layout.features.push(branch.feature);
      layout.cuts.push(cuts);
      layout.below.push(0);
      layout.above.push(0);
      const [below, above] = isYesOdd ? [branch.yes, branch.no] : [branch.no, branch.yes];
      stack.push({ at: above, put: (child) => (layout.above[index] = child) });
      stack.push({ at: below, put: (child) => (layout.below[index] = child) });
    }
    return root;
  };
  roots.forEach((root, tree) => layout.roots.push(place(root, tree)));
  if (layout.roots.length === 0) refuseNode(node, 'trees', 'at least one', 0);
  const weighted = nodes.findIndex((_, i) => !seen.has(i));
  if (weighted >= 0) refuseNode(node, 'tree', 'reachable from its root', `node ${weighted}`);
  return layout;
}

interface LeafScore {
  readonly leaf: number;
  readonly target: number;
  readonly weight: number;
}

/**
 * With one target ONNX Runtime reads one weight a leaf. A minimum or maximum runs over the trees that have a weight for
 * the target, which must not depend on the leaf.
 */
function requireOneWeightEach(
  node: GraphNode,
  scores: readonly LeafScore[],
  treeOfLeaf: readonly number[],
  aggregate: Aggregate,
  targetCount: number,
): void {
  if (aggregate === 'SUM' && targetCount > 1) return;
  const given = new Set<string>();
  for (const { leaf, target } of scores) {
    const key = `${leaf}/${target}`;
    if (given.has(key)) refuseNode(node, 'weights', 'one a leaf and target', `two on leaf ${leaf}`);
    given.add(key);
  }
  const scored = new Set(scores.map(({ leaf, target }) => `${treeOfLeaf[leaf]}/${target}`));
  treeOfLeaf.forEach((tree, leaf) => {
    for (let target = 0; target < targetCount; target++)
      if ((targetCount === 1 || scored.has(`${tree}/${target}`)) && !given.has(`${leaf}/${target}`))
        refuseNode(node, 'weights', 'on every leaf of the tree', `none on leaf ${leaf}`);
  });
}

/** The largest k for which no score of a target can reach 2^24. */
function chooseScaleBits(
  node: GraphNode,
  scores: readonly LeafScore[],
  base: readonly number[],
  treeOfLeaf: readonly number[],
  aggregate: Aggregate,
): number {
  const peaks = base.map(() => new Map<number, number>());
  const sums = new Map<string, number>();
  for (const { leaf, target, weight } of scores) {
    const key = `${leaf}/${target}`;
    const sum = (sums.get(key) ?? 0) + Math.abs(weight);
    sums.set(key, sum);
    const tree = treeOfLeaf[leaf]!;
    peaks[target]!.set(tree, Math.max(peaks[target]!.get(tree) ?? 0, sum));
  }
  const joined = (peak: readonly number[]): number =>
    aggregate === 'SUM' ? peak.reduce((a, b) => a + b, 0) : Math.max(0, ...peak);
  const reach = Math.max(...peaks.map((trees, t) => Math.abs(base[t]!) + joined([...trees.values()])));
  // Rounding adds at most half a unit a score.
  const room = EXACT_SUM - scores.length - base.length - 1;
  if (room < 2) refuseNode(node, 'leaves', `fewer than ${EXACT_SUM}`, scores.length);
  return reach === 0 ? 0 : Math.max(-100, Math.min(100, Math.floor(Math.log2(room / reach))));
}
