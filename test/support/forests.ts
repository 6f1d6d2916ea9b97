/** Random tree ensembles of every kind ai.onnx.ml has, and inputs that sit on, beside and far from their thresholds. */
import type { AttributeValue, Graph } from '../../circuits/onnx/graph.js';
import type { SeededRandom } from '../../models/train/random.js';

export interface RandomForest {
  readonly graph: Graph;
  readonly description: string;
  readonly features: number;
  /** Scores are sums of multiples of 2^−6, so that float32 adds them exactly and ties are frequent. */
  readonly isExact: boolean;
  /** One row of inputs. */
  readonly input: () => Float32Array;
}

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });
const floats = (value: readonly number[]): AttributeValue => ({ kind: 'floats', value });
const text = (value: string): AttributeValue => ({ kind: 'string', value });
const tensor = (dtype: 'float32' | 'uint8', values: readonly number[]): AttributeValue => ({
  kind: 'tensor',
  value: {
    dtype,
    shape: [values.length],
    data: dtype === 'uint8' ? Uint8Array.from(values) : Float32Array.from(values),
  },
});

const BRANCHES = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'].map((mode) => `BRANCH_${mode}`);
export const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'];
const AGGREGATES = ['AVERAGE', 'SUM', 'MIN', 'MAX'];

/** Values at which float32 comparisons go wrong. */
const EDGES = [0, -0, 1e-45, -1e-45, 1.1754942e-38, 3.4028235e38, -3.4028235e38, 1, -1, 2, 3];

interface Branch {
  readonly feature: number;
  readonly mode: string;
  readonly value: number;
  readonly members: readonly number[];
  readonly missing: number;
  /** ≥ 0: the branch's place; < 0: leaf −1 − place. */
  yes: number;
  no: number;
}

interface Tree {
  readonly branches: Branch[];
  leaves: number;
}

export function randomForest(random: SeededRandom): RandomForest {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random.between(0, list.length))]!;
  const upTo = (n: number): number => 1 + Math.floor(random.between(0, n));
  const features = upTo(4);
  const kind = pick(['classifier', 'regressor', 'tensor'] as const);
  const isMixed = random.next() < 0.5;
  const ownMode = pick(kind === 'tensor' ? [...BRANCHES, 'BRANCH_MEMBER'] : BRANCHES);
  const tracks = random.next() < 0.5;
  const threshold = (): number =>
    random.next() < 0.2 ? pick(EDGES) : Math.fround(Math.round(random.between(-40, 40)) / 8);
  const grow = (tree: Tree, depth: number): number => {
    if (depth === 0 || random.next() < 0.15) return -1 - tree.leaves++;
    const at = tree.branches.length;
    const branch: Branch = {
      feature: Math.floor(random.between(0, features)),
      mode: isMixed ? pick(kind === 'tensor' ? [...BRANCHES, 'BRANCH_MEMBER'] : BRANCHES) : ownMode,
      value: threshold(),
      // Integers alone go to ONNX Runtime as a set; any other set is not something it runs.
      members: Array.from({ length: upTo(4) }, () => Math.round(random.between(-5, 6))),
      missing: tracks && random.next() < 0.5 ? 1 : 0,
      yes: 0,
      no: 0,
    };
    tree.branches.push(branch);
    branch.yes = grow(tree, depth - 1);
    branch.no = grow(tree, depth - 1);
    return at;
  };
  const trees = Array.from({ length: upTo(6) }, () => {
    const tree: Tree = { branches: [], leaves: 0 };
    const depth = upTo(4);
    while (grow(tree, depth) < 0) {
      tree.branches.length = 0;
      tree.leaves = 0;
    }
    return tree;
  });
  const isExact = random.next() < 0.5;
  const isPositive = random.next() < 0.5;
  const weight = (): number => {
    const real = random.between(isPositive ? 0 : -1, 1);
    return Math.fround(isExact ? Math.round(real * 64) / 64 : real);
  };
  const inputs = [{ name: 'x', dtype: 'float32', shape: [1, features] } as const];
  const input = (): Float32Array =>
    Float32Array.from({ length: features }, () => {
      const roll = random.next();
      if (roll < 0.1) return NaN;
      if (roll < 0.2) return pick([Infinity, -Infinity]);
      if (roll < 0.4) return pick(EDGES);
      const near = Math.fround(Math.round(random.between(-44, 44)) / 8);
      return roll < 0.7 ? near : near + random.between(-1e-6, 1e-6);
    });
  const common = { features, isExact, input };
  const targets = upTo(4);
  if (kind === 'tensor') {
    const transform = Math.floor(random.between(0, 5));
    const aggregate = Math.floor(random.between(0, 4));
    const attributes = tensorAttributes(trees, targets, weight, pick);
    attributes.set('post_transform', int(transform)).set('aggregate_function', int(aggregate));
    return {
      ...common,
      description: `TreeEnsemble, ${targets} targets, ${AGGREGATES[aggregate]}, transform ${transform}`,
      graph: graphOf(5, inputs, 'TreeEnsemble', attributes, [['scores', 'float32', [1, targets]]]),
    };
  }
  const transform = pick(TRANSFORMS);
  const isClassifier = kind === 'classifier';
  const isSparse = isClassifier && random.next() < 0.3;
  const onlyId =
    isClassifier && random.next() < 0.3 ? Math.floor(random.between(0, Math.min(2, targets))) : -1;
  const aggregate = isClassifier ? 'SUM' : pick(AGGREGATES);
  const attributes = listedAttributes(trees, isClassifier ? 'class' : 'target', (leaf) => {
    const ids = onlyId >= 0 ? [onlyId] : Array.from({ length: targets }, (_, id) => id);
    const given = isSparse ? ids.filter(() => random.next() < 0.6) : ids;
    return (given.length > 0 ? given : [ids[leaf % ids.length]!]).map((id) => [id, weight()] as const);
  });
  attributes.set('post_transform', text(transform));
  const bases = isClassifier && targets <= 2 ? pick([0, 0, 1, targets]) : pick([0, targets]);
  if (bases > 0) attributes.set('base_values', floats(Array.from({ length: bases }, weight)));
  if (isClassifier) {
    const labels = Array.from({ length: targets }, (_, i) => (isMixed ? 10 - 3 * i : i));
    attributes.set('classlabels_int64s', ints(labels));
  } else attributes.set('n_targets', int(targets)).set('aggregate_function', text(aggregate));
  return {
    ...common,
    description: `${kind}, ${targets} targets, ${aggregate}, ${transform}, ${bases} base values${isSparse ? ', sparse' : ''}`,
    graph: graphOf(
      3,
      inputs,
      isClassifier ? 'TreeEnsembleClassifier' : 'TreeEnsembleRegressor',
      attributes,
      isClassifier
        ? [
            ['label', 'int64', [1]],
            ['scores', 'float32', [1, targets]],
          ]
        : [['scores', 'float32', [1, targets]]],
    ),
  };
}

function graphOf(
  opset: number,
  inputs: Graph['inputs'],
  type: string,
  attributes: Map<string, AttributeValue>,
  outputs: readonly (readonly [string, 'int64' | 'float32', readonly number[]])[],
): Graph {
  return {
    opsets: new Map([
      ['', 13],
      ['ai.onnx.ml', opset],
    ]),
    inputs,
    outputs: outputs.map(([name, dtype, shape]) => ({ name, dtype, shape })),
    constants: new Map(),
    nodes: [
      {
        name: 'forest',
        domain: 'ai.onnx.ml',
        type,
        inputs: ['x'],
        outputs: outputs.map(([name]) => name),
        attributes,
      },
    ],
  };
}

function listedAttributes(
  trees: readonly Tree[],
  prefix: string,
  weightsOf: (leaf: number) => readonly (readonly [number, number])[],
): Map<string, AttributeValue> {
  const rows: { tree: number; id: number; branch: Branch | undefined }[] = [];
  const leaves: { tree: number; id: number; target: number; weight: number }[] = [];
  trees.forEach(({ branches, leaves: count }, tree) => {
    branches.forEach((branch, id) => rows.push({ tree, id, branch }));
    for (let leaf = 0; leaf < count; leaf++) {
      const id = branches.length + leaf;
      rows.push({ tree, id, branch: undefined });
      for (const [target, weight] of weightsOf(leaf)) leaves.push({ tree, id, target, weight });
    }
  });
  const idOf = (tree: number, way: number | undefined): number =>
    way === undefined ? 0 : way >= 0 ? way : trees[tree]!.branches.length - 1 - way;
  return new Map<string, AttributeValue>([
    ['nodes_treeids', ints(rows.map(({ tree }) => tree))],
    ['nodes_nodeids', ints(rows.map(({ id }) => id))],
    ['nodes_modes', { kind: 'strings', value: rows.map(({ branch }) => branch?.mode ?? 'LEAF') }],
    ['nodes_featureids', ints(rows.map(({ branch }) => branch?.feature ?? 0))],
    ['nodes_values', floats(rows.map(({ branch }) => branch?.value ?? 0))],
    ['nodes_missing_value_tracks_true', ints(rows.map(({ branch }) => branch?.missing ?? 0))],
    ['nodes_truenodeids', ints(rows.map(({ tree, branch }) => idOf(tree, branch?.yes)))],
    ['nodes_falsenodeids', ints(rows.map(({ tree, branch }) => idOf(tree, branch?.no)))],
    [`${prefix}_treeids`, ints(leaves.map(({ tree }) => tree))],
    [`${prefix}_nodeids`, ints(leaves.map(({ id }) => id))],
    [`${prefix}_ids`, ints(leaves.map(({ target }) => target))],
    [`${prefix}_weights`, floats(leaves.map(({ weight }) => weight))],
  ]);
}

function tensorAttributes(
  trees: readonly Tree[],
  targets: number,
  weight: () => number,
  pick: <T>(list: readonly T[]) => T,
): Map<string, AttributeValue> {
  const roots: number[] = [];
  const branches: Branch[] = [];
  let leaves = 0;
  for (const tree of trees) {
    const [first, firstLeaf] = [branches.length, leaves];
    const moved = (way: number): number => (way >= 0 ? way + first : way - firstLeaf);
    roots.push(first);
    for (const branch of tree.branches)
      branches.push({ ...branch, yes: moved(branch.yes), no: moved(branch.no) });
    leaves += tree.leaves;
  }
  const ids = Array.from({ length: targets }, (_, id) => id);
  // A minimum over trees that score a target only on some leaves is refused: each tree scores one.
  const targetOfTree = trees.map(() => pick(ids));
  const treeOfLeaf = trees.flatMap(({ leaves: count }, tree) => new Array<number>(count).fill(tree));
  const way = (at: number): number => (at >= 0 ? at : -1 - at);
  const modes = [...BRANCHES, 'BRANCH_MEMBER'];
  const members = branches.flatMap(({ mode, members: own }) =>
    mode === 'BRANCH_MEMBER' ? [...own, NaN] : [],
  );
  return new Map<string, AttributeValue>([
    ['n_targets', int(targets)],
    ['tree_roots', ints(roots)],
    ['nodes_featureids', ints(branches.map(({ feature }) => feature))],
    [
      'nodes_modes',
      tensor(
        'uint8',
        branches.map(({ mode }) => modes.indexOf(mode)),
      ),
    ],
    [
      'nodes_splits',
      tensor(
        'float32',
        branches.map(({ value }) => value),
      ),
    ],
    ['nodes_missing_value_tracks_true', ints(branches.map(({ missing }) => missing))],
    ['nodes_truenodeids', ints(branches.map(({ yes }) => way(yes)))],
    ['nodes_falsenodeids', ints(branches.map(({ no }) => way(no)))],
    ['nodes_trueleafs', ints(branches.map(({ yes }) => Number(yes < 0)))],
    ['nodes_falseleafs', ints(branches.map(({ no }) => Number(no < 0)))],
    ['leaf_targetids', ints(treeOfLeaf.map((tree) => targetOfTree[tree]!))],
    ['leaf_weights', tensor('float32', treeOfLeaf.map(weight))],
    ...(members.length > 0 ? [['membership_values', tensor('float32', members)] as const] : []),
  ]);
}
