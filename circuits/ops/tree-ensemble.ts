/**
 * TreeEnsemble (verinfer 1), the integer form of ai.onnx.ml's tree ensembles: inputs are float32 in their order as int32,
 * a branch takes the way `below` if an odd number of its cuts lies above x, and the leaves' integer scores add up, or
 * their minimum or maximum is taken. The executed graph holds the uploaded trees with the same integers as weights, whose
 * float32 sums are exact.
 */
import { AffineWriter, gathered, type AffineTensor } from '../affine.js';
import * as max from '../gadgets/max.js';
import * as bins from '../gadgets/one-hot-bins.js';
import { Quantized } from '../quantized.js';
import type { Builder } from '../r1cs/builder.js';
import { LinearCombination } from '../r1cs/linear-combination.js';
import type { Forest } from '../import/forest.js';
import { defineOp, type NodeView } from './op.js';

type TreeEnsemble = Omit<Forest, 'scaleBits' | 'treeOfLeaf'>;

export const treeEnsemble = defineOp<TreeEnsemble>({
  type: 'TreeEnsemble',
  domain: 'verinfer',
  supports:
    'forests with float32 thresholds or sets; sum, mean, minimum or maximum of leaf scores; NaN as an input',

  attributes(view) {
    const input = view.operand(0, 'x');
    if (input.dtype !== 'int32' || input.shape.length !== 2)
      view.refuse('x', 'int32 [rows, features]', `${input.dtype} [${input.shape.join(',')}]`);
    const list = (name: string): readonly number[] => view.ints(name) ?? view.refuse(name, 'given', 'none');
    const aggregate = view.string('aggregate', 'SUM');
    if (aggregate !== 'SUM' && aggregate !== 'MIN' && aggregate !== 'MAX')
      return view.refuse('aggregate', 'SUM, MIN or MAX', aggregate);
    const forest: TreeEnsemble = {
      featureCount: input.shape[1],
      targetCount: view.int('targets', 1),
      aggregate,
      features: list('features'),
      cuts: cutLists(view, list('features').length),
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
    const { featureCount, targetCount, features, cuts, below, above, aggregate, base } = forest;
    const byLeaf = scoresByLeaf(forest);
    const data = new Int32Array(type.shape[0] * targetCount);
    for (let row = 0; row < type.shape[0]; row++) {
      const sums: (number | undefined)[] = new Array(targetCount).fill(undefined);
      for (const root of forest.roots) {
        let at = root;
        while (at >= 0)
          at = isOddAbove(cuts[at], x.data[row * featureCount + features[at]]) ? below[at] : above[at];
        for (const { target, score } of byLeaf.get(-1 - at) ?? []) {
          const known = sums[target];
          sums[target] = known === undefined ? score : joined(aggregate, known, score);
        }
      }
      for (let t = 0; t < targetCount; t++) data[row * targetCount + t] = base[t] + (sums[t] ?? 0);
    }
    return [{ ...type, data }];
  },

  constrain({ circuit, types: [type] }, forest, [input]) {
    const x = input.force(circuit);
    const rows = Array.from({ length: type.shape[0] }, (_, row) => constrainRow(circuit, forest, x, row));
    const writer = new AffineWriter();
    for (const scores of rows) for (const score of scores) writer.copy(score, 0);
    return [Quantized.of(type, writer.finish(type.shape))];
  },
});

/** Bits a branch's condition: whether an odd number of cuts lies above x. */
function isOddAbove(cuts: readonly number[], x: number): boolean {
  return cuts.reduce((count, cut) => count + Number(x < cut), 0) % 2 === 1;
}

function joined(aggregate: TreeEnsemble['aggregate'], a: number, b: number): number {
  if (aggregate === 'SUM') return a + b;
  return aggregate === 'MIN' ? Math.min(a, b) : Math.max(a, b);
}

/** `cuts` holds the lists of all branches one after the other, `cut_counts` their lengths (1 each if absent). */
function cutLists(view: NodeView, branches: number): number[][] {
  const flat = view.ints('cuts') ?? view.refuse('cuts', 'given', 'none');
  const counts = view.ints('cut_counts') ?? new Array<number>(branches).fill(1);
  if (counts.length !== branches || counts.reduce((sum, count) => sum + count, 0) !== flat.length)
    view.refuse('cut_counts', `${branches} that add up to ${flat.length}`, `${counts.length}`);
  let at = 0;
  return counts.map((count) => flat.slice(at, (at += count)));
}

/**
 * Proves   the scores of one row.
 * Assumes  x inside int32 (the input's range check).
 * Cost     per feature its bins (one-hot-bins.ts), and one product per branch that is not a root; a minimum or maximum
 *          costs one comparison (max.ts) less than there are trees.
 *
 * A node is reached with indicator I, a bit by induction (1 at a root). Its condition B is a sum of one-hot bins, a bit
 * too. The way below has indicator I·B, the way above I − I·B; exactly one leaf of a tree has indicator 1.
 */
function constrainRow(circuit: Builder, forest: TreeEnsemble, x: AffineTensor, row: number): AffineTensor[] {
  const { featureCount, features, cuts, below, above } = forest;
  const used = [...new Set(features)].sort((a, b) => a - b);
  const binsOf = new Map(
    used.map((feature) => {
      const own = features.flatMap((f, node) => (f === feature ? cuts[node] : []));
      const edges = [...new Set(own)].sort((a, b) => a - b);
      const value = gathered(x, [1], [row * featureCount + feature]);
      return [feature, { edges, first: bins.constrain(circuit, value, edges) }];
    }),
  );
  /** The node's cuts as places among those of its feature. */
  const placesOf = features.map((feature, node) =>
    cuts[node].map((cut) => binsOf.get(feature)!.edges.indexOf(cut)),
  );
  /** Adds the node's condition, a bit. */
  const addBelow = (sum: LinearCombination, node: number): void => {
    const { edges, first } = binsOf.get(features[node])!;
    bins.addOddAbove(sum, first, edges.length, placesOf[node]);
  };

  const isRoot = new Set(forest.roots.filter((root) => root >= 0));
  const inner = features.map((_, node) => node).filter((node) => !isRoot.has(node));
  const productOf = new Map(inner.map((node, i) => [node, i]));
  const products = circuit.exists('trees/reached', inner.length, (values, at) => {
    const reached = new Uint8Array(features.length);
    for (const root of isRoot) reached[root] = 1;
    for (let node = 0; node < features.length; node++) {
      const { edges, first } = binsOf.get(features[node])!;
      const isBelow = bins.isOddAbove(values, first, edges.length, placesOf[node]);
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
    if (product === undefined) addBelow(taken, node);
    else {
      addInto(circuit.a, indicator, 1);
      addBelow(circuit.b, node);
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

  return forest.aggregate === 'SUM' ? sumScores(forest, leaves) : joinScores(circuit, forest, leaves);
}

function sumScores(forest: TreeEnsemble, leaves: ReadonlyMap<number, LinearCombination>): AffineTensor[] {
  const byLeaf = scoresByLeaf(forest);
  const sums = forest.base.map((base) => new LinearCombination().constant(base));
  for (const [leaf, indicator] of leaves)
    for (const { target, score } of byLeaf.get(leaf) ?? []) addInto(sums[target], indicator, score);
  const bounds = boundScores(forest, forest.roots);
  return sums.map((sum, t) => oneElement(sum, forest.base[t] + bounds[t].lo, forest.base[t] + bounds[t].hi));
}

/** The minimum or maximum over the trees that score the target; 0 where none does. */
function joinScores(
  circuit: Builder,
  forest: TreeEnsemble,
  leaves: ReadonlyMap<number, LinearCombination>,
): AffineTensor[] {
  const byLeaf = scoresByLeaf(forest);
  const pick = forest.aggregate === 'MIN' ? max.constrainMin : max.constrain;
  return forest.base.map((_, target) => {
    const scores = forest.roots.flatMap((root) => {
      const sum = new LinearCombination();
      let isScored = false;
      for (const leaf of leavesUnder(forest, root))
        for (const own of byLeaf.get(leaf) ?? [])
          if (own.target === target) {
            addInto(sum, leaves.get(leaf)!, own.score);
            isScored = true;
          }
      const { lo, hi } = boundScores(forest, [root])[target];
      return isScored ? [oneElement(sum, lo, hi)] : [];
    });
    if (scores.length === 0) return oneElement(new LinearCombination(), 0, 0);
    return scores.reduce((best, score) => pick(circuit, best, score));
  });
}

function oneElement(sum: LinearCombination, lo: number, hi: number): AffineTensor {
  const writer = new AffineWriter();
  writer.combination(sum.normalize(), lo, hi);
  return writer.finish([1]);
}

function leavesUnder({ below, above }: TreeEnsemble, root: number): number[] {
  const found: number[] = [];
  const stack = [root];
  for (let at = stack.pop(); at !== undefined; at = stack.pop())
    if (at >= 0) stack.push(below[at], above[at]);
    else found.push(-1 - at);
  return found;
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

/** Least and greatest sum of one leaf of each of these trees, by target. */
function boundScores(forest: TreeEnsemble, roots: readonly number[]): { lo: number; hi: number }[] {
  const byLeaf = scoresByLeaf(forest);
  const bounds = forest.base.map(() => ({ lo: 0, hi: 0 }));
  for (const root of roots) {
    const lows = bounds.map(() => Infinity);
    const highs = bounds.map(() => -Infinity);
    for (const leaf of leavesUnder(forest, root)) {
      const own = bounds.map(() => 0);
      for (const { target, score } of byLeaf.get(leaf) ?? []) own[target] += score;
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
  if ([below, above].some(({ length }) => length !== features.length))
    view.refuse('nodes', `${features.length} ways`, 'other counts');
  if (cuts.some((own) => own.some((cut, i) => i > 0 && cut <= own[i - 1])))
    view.refuse('cuts', 'ascending in each branch', 'others');
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
