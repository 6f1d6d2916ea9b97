/**
 * TreeEnsemble (verinfer 1), the integer form of ai.onnx.ml's TreeEnsembleRegressor and TreeEnsembleClassifier: inputs
 * are float32 in their order as int32, a node takes the way `below` if x < cut, and the leaves' integer scores add up.
 * The executed graph holds a TreeEnsembleRegressor with the same integers as weights, whose float32 sums are exact.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import * as bins from '../gadgets/one-hot-bins.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import type { Forest } from '../import/forest.js';
import { defineOp, type NodeView } from './op.js';

type TreeEnsemble = Omit<Forest, 'scaleBits'>;

export const treeEnsemble = defineOp<TreeEnsemble>({
  type: 'TreeEnsemble',
  domain: 'verinfer',
  supports: 'forests with float32 thresholds (LEQ, LT, GTE, GT), sum of leaf scores',

  attributes(view) {
    const input = view.operand(0, 'x');
    if (input.dtype !== 'int32' || input.shape.length !== 2)
      view.refuse('x', 'int32 [rows, features]', `${input.dtype} [${input.shape.join(',')}]`);
    const list = (name: string): readonly number[] => view.ints(name) ?? view.refuse(name, 'given', 'none');
    const forest = {
      featureCount: input.shape[1],
      targetCount: view.int('targets', 1),
      features: list('features'),
      cuts: list('cuts'),
      below: list('below'),
      above: list('above'),
      roots: list('roots'),
      scoreLeaves: list('score_leaves'),
      scoreTargets: list('score_targets'),
      scores: list('scores'),
      base: list('base'),
    };
    checkForest(view, forest);
    return forest;
  },

  operands: () => [0],
  shape: ({ targetCount }, [x]) => [{ dtype: 'int32', shape: [x.shape[0], targetCount] }],

  reference(forest, [x], [type]) {
    const { featureCount, targetCount, features, cuts, below, above } = forest;
    const byLeaf = scoresByLeaf(forest);
    const data = new Int32Array(type.shape[0] * targetCount);
    for (let row = 0; row < type.shape[0]; row++) {
      for (let t = 0; t < targetCount; t++) data[row * targetCount + t] = forest.base[t];
      for (const root of forest.roots) {
        let at = root;
        while (at >= 0) at = x.data[row * featureCount + features[at]] < cuts[at] ? below[at] : above[at];
        for (const { target, score } of byLeaf.get(-1 - at) ?? []) data[row * targetCount + target] += score;
      }
    }
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, forest, [input]) {
    const x = input.force(circuit);
    const scores = Array.from({ length: type.shape[0] }, (_, row) => constrainRow(circuit, forest, x, row));
    const writer = new AffineWriter();
    for (const row of scores) row.forEach(({ sum, lo, hi }) => writer.combination(sum.normalize(), lo, hi));
    return [Quantized.of(type, writer.finish(type.shape))];
  },
});

interface Score {
  readonly sum: LinearCombination;
  readonly lo: number;
  readonly hi: number;
}

/**
 * Proves   the scores of one row.
 * Assumes  x inside int32 (the input's range check).
 * Cost     per feature its bins (one-hot-bins.ts), and one product per inner node that is not a root.
 *
 * A node is reached with indicator I, a bit by induction (1 at a root). Its condition B is a sum of one-hot bins, a bit
 * too. The way below has indicator I·B, the way above I − I·B; exactly one leaf of a tree has indicator 1.
 */
function constrainRow(circuit: Builder, forest: TreeEnsemble, x: AffineTensor, row: number): Score[] {
  const { featureCount, features, cuts, below, above, targetCount } = forest;
  const used = [...new Set(features)].sort((a, b) => a - b);
  const binsOf = new Map(
    used.map((feature) => {
      const own = features.flatMap((f, node) => (f === feature ? [cuts[node]] : []));
      const edges = [...new Set(own)].sort((a, b) => a - b);
      const value = gathered(x, [1], [row * featureCount + feature]);
      return [feature, { edges, first: bins.constrain(circuit, value, edges) }];
    }),
  );
  /** Adds scale·[x < cut of the node]. */
  const addBelow = (sum: LinearCombination, node: number, scale: number): void => {
    const { edges, first } = binsOf.get(features[node])!;
    bins.addBelow(sum, first, edges, edges.indexOf(cuts[node]), scale);
  };

  const isRoot = new Set(forest.roots.filter((root) => root >= 0));
  const inner = features.map((_, node) => node).filter((node) => !isRoot.has(node));
  const productOf = new Map(inner.map((node, i) => [node, i]));
  const products = circuit.exists('trees/reached', inner.length, (values, at) => {
    const reached = new Uint8Array(features.length);
    for (const root of isRoot) reached[root] = 1;
    for (let node = 0; node < features.length; node++) {
      const { edges, first } = binsOf.get(features[node])!;
      const isBelow = bins.isBelow(values, first, edges, edges.indexOf(cuts[node]));
      const next = reached[node] === 1 ? (isBelow ? below[node] : above[node]) : -1;
      if (next >= 0) reached[next] = 1;
      const product = productOf.get(node);
      if (product !== undefined) values[at + product] = reached[node] === 1 && isBelow ? 1 : 0;
    }
  });

  const leaves = new Map<number, LinearCombination>();
  const indicators: (LinearCombination | undefined)[] = new Array(features.length);
  for (const root of isRoot) indicators[root] = new LinearCombination().constant(1);
  for (const root of forest.roots) if (root < 0) leaves.set(-1 - root, new LinearCombination().constant(1));
  const hand = (child: number, indicator: LinearCombination): void => {
    if (child >= 0) indicators[child] = indicator;
    else leaves.set(-1 - child, indicator);
  };
  // Pre-order: a parent comes before its children.
  for (let node = 0; node < features.length; node++) {
    const indicator = indicators[node]!;
    const taken = new LinearCombination();
    const product = productOf.get(node);
    if (product === undefined) addBelow(taken, node, 1);
    else {
      addInto(circuit.a, indicator, 1);
      addBelow(circuit.b, node, 1);
      circuit.c.add(products + product, 1);
      circuit.enforce('trees/reached');
      taken.add(products + product, 1);
    }
    const rest = new LinearCombination();
    addInto(rest, indicator, 1);
    addInto(rest, taken, -1);
    hand(below[node], taken.normalize());
    hand(above[node], rest.normalize());
    indicators[node] = undefined;
  }

  const bounds = boundScores(forest);
  const byLeaf = scoresByLeaf(forest);
  const sums = Array.from({ length: targetCount }, (_, t) =>
    new LinearCombination().constant(forest.base[t]),
  );
  for (const [leaf, indicator] of leaves)
    for (const { target, score } of byLeaf.get(leaf) ?? []) addInto(sums[target], indicator, score);
  return sums.map((sum, t) => ({ sum, ...bounds[t] }));
}

function addInto(sum: LinearCombination, from: LinearCombination, scale: number): void {
  for (let k = 0; k < from.length; k++) sum.add(from.wires[k], scale * from.coefficients[k]);
  sum.constant(scale * from.offset);
}

function scoresByLeaf({
  scoreLeaves,
  scoreTargets,
  scores,
}: TreeEnsemble): Map<number, { target: number; score: number }[]> {
  const byLeaf = new Map<number, { target: number; score: number }[]>();
  scoreLeaves.forEach((leaf, i) => {
    const list = byLeaf.get(leaf) ?? [];
    byLeaf.set(leaf, list);
    list.push({ target: scoreTargets[i], score: scores[i] });
  });
  return byLeaf;
}

/** Least and greatest sum of one leaf a tree, by target. */
function boundScores(forest: TreeEnsemble): { lo: number; hi: number }[] {
  const byLeaf = scoresByLeaf(forest);
  const bounds = forest.base.map((base) => ({ lo: base, hi: base }));
  for (const root of forest.roots) {
    const lows = new Array<number>(forest.targetCount).fill(Infinity);
    const highs = new Array<number>(forest.targetCount).fill(-Infinity);
    const stack = [root];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (at >= 0) {
        stack.push(forest.below[at], forest.above[at]);
        continue;
      }
      const own = new Array<number>(forest.targetCount).fill(0);
      for (const { target, score } of byLeaf.get(-1 - at) ?? []) own[target] += score;
      own.forEach((score, t) => {
        lows[t] = Math.min(lows[t], score);
        highs[t] = Math.max(highs[t], score);
      });
    }
    bounds.forEach((bound, t) => {
      bound.lo += lows[t];
      bound.hi += highs[t];
    });
  }
  return bounds;
}

function checkForest(view: NodeView, forest: TreeEnsemble): void {
  const { features, cuts, below, above, featureCount, targetCount, base } = forest;
  const { scoreLeaves, scoreTargets, scores } = forest;
  if ([cuts, below, above].some(({ length }) => length !== features.length))
    view.refuse('nodes', `${features.length} cuts and ways`, 'other counts');
  if (features.some((feature) => feature < 0 || feature >= featureCount))
    view.refuse('features', `below ${featureCount}`, 'another');
  if ([...below, ...above, ...forest.roots].some((child) => child >= features.length))
    view.refuse('ways', `below ${features.length}`, 'another');
  if ([below, above].some((ways) => ways.some((child, node) => child >= 0 && child <= node)))
    view.refuse('ways', 'to later nodes', 'an earlier one');
  if (scoreLeaves.length !== scores.length || scoreTargets.length !== scores.length)
    view.refuse('scores', `${scores.length} leaves and targets`, 'other counts');
  if (base.length !== targetCount || scoreTargets.some((target) => target < 0 || target >= targetCount))
    view.refuse('targets', `${targetCount}`, `${base.length}`);
}
