/**
 * A tree ensemble on order-preserving integers. Every condition becomes "ordered(x) < cut", so that a forest is nodes
 * with a feature, a cut and two ways, and leaves with integer scores: score = round(weight·2^k).
 */
import type { GraphNode } from '../onnx/graph.js';
import { floatsAttribute, intsAttribute, refuseNode, stringAttribute } from '../onnx/node.js';

/** Order of float32 as int32: monotone, and −0 is +0. NaN has no place in it. */
export function orderedFloat(x: number): number {
  scratch.setFloat32(0, x === 0 ? 0 : x);
  const bits = scratch.getInt32(0);
  return bits >= 0 ? bits : -(bits & 0x7fffffff);
}

/** The float32 whose place that is. */
export function floatOfOrder(order: number): number {
  scratch.setUint32(0, order >= 0 ? order : 0x80000000 | -order);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));

/** Integer sums of leaf scores stay exact in float32, so ONNX Runtime computes them exactly as well. */
const EXACT_SUM = 2 ** 24;

export interface Forest {
  readonly featureCount: number;
  readonly targetCount: number;
  /** Per inner node. */
  readonly features: readonly number[];
  /** The way `below` is taken if ordered(x) < cut. */
  readonly cuts: readonly number[];
  /** An inner node if ≥ 0, else leaf −1 − value. */
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
}

interface TreeNode {
  readonly mode: string;
  readonly feature: number;
  readonly value: number;
  readonly yes: number;
  readonly no: number;
}

/** @param prefix of the leaf attributes: `target` for regressors, `class` for classifiers. */
export function readForest(
  node: GraphNode,
  prefix: 'target' | 'class',
  featureCount: number,
  targetCount: number,
): Forest {
  const ints = (name: string): readonly number[] =>
    intsAttribute(node, name) ?? refuseNode(node, name, 'given', 'none');
  const treeIds = ints('nodes_treeids');
  const count = treeIds.length;
  const list = <T>(name: string, values: readonly T[] | undefined): readonly T[] =>
    values?.length === count
      ? values
      : refuseNode(node, name, `${count} values, as many as nodes_treeids`, values?.length ?? 'none');
  const nodeIds = list('nodes_nodeids', intsAttribute(node, 'nodes_nodeids'));
  const modes = list('nodes_modes', stringsOf(node, 'nodes_modes'));
  const features = list('nodes_featureids', intsAttribute(node, 'nodes_featureids'));
  const values = list('nodes_values', floatsAttribute(node, 'nodes_values'));
  const yes = list('nodes_truenodeids', intsAttribute(node, 'nodes_truenodeids'));
  const no = list('nodes_falsenodeids', intsAttribute(node, 'nodes_falsenodeids'));
  const aggregate = stringAttribute(node, 'aggregate_function', 'SUM');
  if (aggregate !== 'SUM') refuseNode(node, 'aggregate_function', 'SUM', aggregate);

  const at = new Map<string, number>();
  nodeIds.forEach((id, i) => {
    const key = `${treeIds[i]}/${id}`;
    if (at.has(key)) refuseNode(node, 'nodes_nodeids', 'unique within a tree', key);
    at.set(key, i);
  });
  const find = (tree: number, id: number): number =>
    at.get(`${tree}/${id}`) ?? refuseNode(node, 'node id', 'a node of the tree', `${tree}/${id}`);
  const nodes = modes.map((mode, i): TreeNode => ({
    mode,
    feature: features[i]!,
    value: values[i]!,
    yes: mode === 'LEAF' ? -1 : find(treeIds[i]!, yes[i]!),
    no: mode === 'LEAF' ? -1 : find(treeIds[i]!, no[i]!),
  }));
  const children = new Set(nodes.flatMap(({ mode, yes: y, no: n }) => (mode === 'LEAF' ? [] : [y, n])));
  const layout = layOut(node, nodes, featureCount, children);
  const leafScores = readScores(node, prefix, find, layout.reference, targetCount);
  const given = floatsAttribute(node, 'base_values') ?? [];
  if (given.length !== 0 && given.length !== targetCount)
    refuseNode(node, 'base_values', `none or ${targetCount}`, given.length);
  const baseValues = Array.from({ length: targetCount }, (_, t) => given[t] ?? 0);
  const scaleBits = chooseScaleBits(node, leafScores, baseValues, layout.treeOfLeaf, targetCount);
  const scaled = (x: number): number => Math.round(x * 2 ** scaleBits);
  return {
    featureCount,
    targetCount,
    features: layout.features,
    cuts: layout.cuts,
    below: layout.below,
    above: layout.above,
    roots: layout.roots,
    scoreLeaves: leafScores.map(({ leaf }) => leaf),
    scoreTargets: leafScores.map(({ target }) => target),
    scores: leafScores.map(({ weight }) => scaled(weight)),
    base: baseValues.map(scaled),
    scaleBits,
  };
}

function stringsOf(node: GraphNode, name: string): readonly string[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'strings' ? attribute.value : undefined;
}

interface Layout {
  readonly features: number[];
  readonly cuts: number[];
  readonly below: number[];
  readonly above: number[];
  readonly roots: number[];
  readonly treeOfLeaf: number[];
  /** Inner node ≥ 0 or leaf −1 − index, by position in the attribute lists. */
  readonly reference: readonly number[];
}

/** Inner nodes in pre-order, tree by tree: a parent stands before its children. A node with two parents is refused. */
function layOut(
  node: GraphNode,
  nodes: readonly TreeNode[],
  featureCount: number,
  children: ReadonlySet<number>,
): Layout {
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
      const { mode, feature, value, yes, no } = nodes[at]!;
      if (mode === 'LEAF') {
        reference[at] = -1 - layout.treeOfLeaf.length;
        layout.treeOfLeaf.push(tree);
        put(reference[at]);
        continue;
      }
      if (feature < 0 || feature >= featureCount)
        refuseNode(node, 'nodes_featureids', `below ${featureCount}`, feature);
      if (!Number.isFinite(value)) refuseNode(node, 'nodes_values', 'finite', value);
      const { cut, isYesBelow } = asCut(node, mode, value);
      const index = layout.features.length;
      reference[at] = index;
      put(index);
      layout.features.push(feature);
      layout.cuts.push(cut);
      layout.below.push(0);
      layout.above.push(0);
      stack.push({ at: isYesBelow ? no : yes, put: (child) => (layout.above[index] = child) });
      stack.push({ at: isYesBelow ? yes : no, put: (child) => (layout.below[index] = child) });
    }
    return root;
  };
  nodes.forEach((_, i) => {
    if (!children.has(i)) layout.roots.push(place(i, layout.roots.length));
  });
  if (seen.size !== nodes.length) refuseNode(node, 'tree', 'reachable from a root', 'a cycle');
  return layout;
}

/** x < t is ordered(x) < ordered(t); x ≤ t is ordered(x) < ordered(t) + 1, as nothing lies between two neighbours. */
function asCut(node: GraphNode, mode: string, value: number): { cut: number; isYesBelow: boolean } {
  const at = orderedFloat(value);
  switch (mode) {
    case 'BRANCH_LT':
      return { cut: at, isYesBelow: true };
    case 'BRANCH_LEQ':
      return { cut: at + 1, isYesBelow: true };
    case 'BRANCH_GTE':
      return { cut: at, isYesBelow: false };
    case 'BRANCH_GT':
      return { cut: at + 1, isYesBelow: false };
    default:
      return refuseNode(node, 'nodes_modes', 'LEAF, BRANCH_LEQ, BRANCH_LT, BRANCH_GTE or BRANCH_GT', mode);
  }
}

interface LeafScore {
  readonly leaf: number;
  readonly target: number;
  readonly weight: number;
}

function readScores(
  node: GraphNode,
  prefix: 'target' | 'class',
  find: (tree: number, id: number) => number,
  reference: readonly number[],
  targetCount: number,
): LeafScore[] {
  const trees = intsAttribute(node, `${prefix}_treeids`) ?? [];
  const ids = intsAttribute(node, `${prefix}_nodeids`) ?? [];
  const targets = intsAttribute(node, `${prefix}_ids`) ?? [];
  const weights = floatsAttribute(node, `${prefix}_weights`) ?? [];
  if (trees.length === 0 || [ids, targets, weights].some(({ length }) => length !== trees.length))
    refuseNode(node, `${prefix}_weights`, `as many as ${prefix}_treeids, at least one`, weights.length);
  return trees.map((tree, i) => {
    const at = reference[find(tree, ids[i]!)]!;
    if (at >= 0) refuseNode(node, `${prefix}_nodeids`, 'a leaf', `inner node ${ids[i]}`);
    const target = targets[i]!;
    if (target < 0 || target >= targetCount)
      refuseNode(node, `${prefix}_ids`, `below ${targetCount}`, target);
    if (!Number.isFinite(weights[i]!)) refuseNode(node, `${prefix}_weights`, 'finite', weights[i]!);
    return { leaf: -1 - at, target, weight: weights[i]! };
  });
}

/** The largest k for which no sum of scores of one target can reach 2^24. */
function chooseScaleBits(
  node: GraphNode,
  scores: readonly LeafScore[],
  base: readonly number[],
  treeOfLeaf: readonly number[],
  targetCount: number,
): number {
  const peaks = Array.from({ length: targetCount }, () => new Map<number, number>());
  const sums = new Map<string, number>();
  for (const { leaf, target, weight } of scores) {
    const key = `${leaf}/${target}`;
    const sum = (sums.get(key) ?? 0) + Math.abs(weight);
    sums.set(key, sum);
    const tree = treeOfLeaf[leaf]!;
    peaks[target]!.set(tree, Math.max(peaks[target]!.get(tree) ?? 0, sum));
  }
  const reach = Math.max(
    ...peaks.map((trees, t) => Math.abs(base[t]!) + [...trees.values()].reduce((sum, peak) => sum + peak, 0)),
  );
  // Rounding adds at most half a unit a score.
  const room = EXACT_SUM - scores.length - targetCount - 1;
  if (room < 2) refuseNode(node, 'leaves', `fewer than ${EXACT_SUM}`, scores.length);
  return reach === 0 ? 0 : Math.max(-100, Math.min(100, Math.floor(Math.log2(room / reach))));
}
