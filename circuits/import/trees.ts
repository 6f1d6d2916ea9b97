/**
 * ai.onnx.ml's tree ensembles → integer scores (forest.ts) and a float tail. Executed form: the uploaded trees with the
 * integer scores for weights, so that float32 sums are exact and equal the circuit's. What the uploaded file would have
 * answered differs by the rounding of each score to 2^−k and by float32's own rounding; the import says how much.
 */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { intAttribute, intsAttribute, refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import type { NodeParts, Tensor } from './builder.js';
import { type Forest, forestOf } from './forest.js';
import type { Lowering } from './lowering.js';
import {
  BRANCH_MODES,
  type RawBranch,
  type RawForest,
  readListedForest,
  readTensorForest,
} from './tree-attributes.js';
import { classified } from './tree-labels.js';
import { presenceOf } from './tree-presence.js';
import { isSetMember } from './tree-tests.js';
import { transformed } from './tree-transforms.js';
import type { DequantizedFloat } from './value.js';

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });

const TYPES = ['TreeEnsembleRegressor', 'TreeEnsembleClassifier', 'TreeEnsemble'];

export function isTreeEnsemble(node: GraphNode): boolean {
  return node.domain === 'ai.onnx.ml' && TYPES.includes(node.type);
}

export function emitTreeEnsemble(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const type = context.type(0)!;
  const input = lowering.float(node, 0);
  if (input.op !== 'input') refuseNode(node, 'input', 'a float32 input of the graph', `a float ${input.op}`);
  const [rows, features] = type.shape.length === 1 ? [1, type.shape[0]!] : [type.shape[0]!, type.shape[1]!];
  if (type.shape.length !== 2) refuseNode(node, 'input', '[rows, features]', [...type.shape]);
  const scoresOf = (raw: RawForest, base: readonly number[]): DequantizedFloat =>
    emitScores(
      lowering,
      { node, input: input.name, rows, raw },
      forestOf(node, raw, features, base.length, base),
    );
  if (node.type === 'TreeEnsembleClassifier')
    return classified(lowering, node, readListedForest(node, 'class'), rows, scoresOf);
  const raw = node.type === 'TreeEnsemble' ? readTensorForest(node) : readListedForest(node, 'target');
  const targets = intAttribute(node, 'n_targets', 1);
  if (raw.base.length !== 0 && raw.base.length !== targets)
    refuseNode(node, 'base_values', `none or ${targets}`, raw.base.length);
  const scores = scoresOf(raw, regressorBase(node, raw, targets));
  // ONNX Runtime leaves a single target as it is, but for PROBIT.
  const transform = targets === 1 && raw.transform !== 'PROBIT' ? 'NONE' : raw.transform;
  lowering.setFloat(node.outputs[0]!, transformed(node, transform, scores));
}

/** ONNX Runtime adds the base of a target only if the leaves reached have a weight for it, but for a single target. */
function regressorBase(node: GraphNode, raw: RawForest, targets: number): number[] {
  return Array.from({ length: targets }, (_, t) => {
    const base = raw.base[t] ?? 0;
    if (base === 0 || targets === 1) return base;
    const presence = presenceOf(raw, t);
    if (presence === 'sometimes')
      refuseNode(
        node,
        'weights',
        `of target ${t} on every leaf of a tree (it has a base value), or on none`,
        'on some',
      );
    return presence === 'always' ? base : 0;
  });
}

interface Executed {
  readonly node: GraphNode;
  readonly input: string;
  readonly rows: number;
  readonly raw: RawForest;
}

/** The integer scores, and as a float: score = integer · 2^−k. */
function emitScores(lowering: Lowering, executed: Executed, forest: Forest): DequantizedFloat {
  const { builder } = lowering;
  const { node, input, rows } = executed;
  const shape = [rows, forest.targetCount];
  const ordered = builder.fresh(`${node.name}/ordered`);
  builder.emitTwoForms(
    ordered,
    { dtype: 'int32', shape: [rows, forest.featureCount] },
    { type: 'OrderedFloat', domain: 'verinfer', inputs: [input] },
    [],
    [ordered],
  );
  const sums = builder.fresh(`${node.name}/sums`);
  const integers = builder.fresh(`${node.name}/scores`);
  const tensor: Tensor = builder.emitTwoForms(
    `${node.name}/scores`,
    { dtype: 'int32', shape },
    { type: 'TreeEnsemble', domain: 'verinfer', inputs: [ordered], attributes: integerAttributes(forest) },
    [executedTrees(executed, forest), { type: 'Cast', inputs: [sums], attributes: { to: int(6) } }],
    [sums, integers],
  );
  // One rounding a tree and one of the base; a minimum or maximum is off by one of them.
  const roundings = forest.aggregate === 'SUM' ? forest.roots.length + 1 : 1;
  const bound = roundings * mostWeights(forest) * 2 ** (-forest.scaleBits - 1);
  lowering.notes.push(
    `node "${node.name}" (${node.type}): scores in steps of 2^${-forest.scaleBits}, within ${bound.toExponential(1)} of the exact value`,
  );
  const scales = Float32Array.of(2 ** -forest.scaleBits);
  return {
    op: 'dequantized',
    shape,
    tensor,
    quantization: { dtype: 'int32', scales, zeroPoints: [0], axis: undefined },
  };
}

/** The greatest number of weights of one leaf and target. */
function mostWeights({ scoreLeaves, scoreTargets }: Forest): number {
  const counts = new Map<string, number>();
  let most = 1;
  scoreLeaves.forEach((leaf, i) => {
    const key = `${leaf}/${scoreTargets[i]}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    most = Math.max(most, count);
  });
  return most;
}

function integerAttributes(forest: Forest): Record<string, AttributeValue> {
  const counts = forest.cuts.map(({ length }) => length);
  return {
    targets: int(forest.targetCount),
    ...(forest.aggregate !== 'SUM' && { aggregate: { kind: 'string', value: forest.aggregate } as const }),
    features: ints(forest.features),
    cuts: ints(forest.cuts.flat()),
    ...(counts.some((count) => count !== 1) && { cut_counts: ints(counts) }),
    below: ints(forest.below),
    above: ints(forest.above),
    roots: ints(forest.roots),
    score_leaves: ints(forest.scoreLeaves),
    score_targets: ints(forest.scoreTargets),
    scores: ints(forest.scores),
    base: ints(forest.base),
  };
}

/** The uploaded trees, with the integers for weights and none of what the tail does. */
function executedTrees({ node, input, raw }: Executed, forest: Forest): NodeParts {
  const kept = Object.fromEntries(
    [...node.attributes].filter(([name]) => name.startsWith('nodes_') && name !== 'nodes_hitrates'),
  );
  const parts = { domain: 'ai.onnx.ml', inputs: [input] };
  if (node.type === 'TreeEnsemble')
    return { ...parts, type: 'TreeEnsemble', attributes: tensorAttributes(node, raw, forest) };
  const leafIds = (name: string): AttributeValue => {
    const ids = intsAttribute(node, name)!;
    return ints(raw.weights.map((weight) => ids[weight.node]!));
  };
  const attributes: Record<string, AttributeValue> = {
    ...kept,
    target_treeids: leafIds('nodes_treeids'),
    target_nodeids: leafIds('nodes_nodeids'),
    target_ids: ints(forest.scoreTargets),
    target_weights: { kind: 'floats', value: forest.scores },
    aggregate_function: { kind: 'string', value: forest.aggregate },
    n_targets: int(forest.targetCount),
  };
  const hasBase = forest.base.some((base) => base !== 0);
  return {
    ...parts,
    type: 'TreeEnsembleRegressor',
    attributes: hasBase ? withBase(attributes, forest.base) : attributes,
  };
}

/** The base values as one more tree, a single leaf: a sum includes them whether or not another leaf has a weight. */
function withBase(
  attributes: Readonly<Record<string, AttributeValue>>,
  base: readonly number[],
): Record<string, AttributeValue> {
  const treeIds = attributes['nodes_treeids'];
  const tree = 1 + Math.max(...(treeIds?.kind === 'ints' ? treeIds.value : []));
  const perTarget = (value: (target: number) => number): number[] => base.map((_, target) => value(target));
  const added: Readonly<Record<string, readonly (number | string)[]>> = {
    nodes_treeids: [tree],
    nodes_nodeids: [0],
    nodes_modes: ['LEAF'],
    nodes_featureids: [0],
    nodes_values: [0],
    nodes_truenodeids: [0],
    nodes_falsenodeids: [0],
    nodes_missing_value_tracks_true: [0],
    target_treeids: perTarget(() => tree),
    target_nodeids: perTarget(() => 0),
    target_ids: perTarget((target) => target),
    target_weights: base,
  };
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const more = added[name];
      const isList = attribute.kind === 'ints' || attribute.kind === 'floats' || attribute.kind === 'strings';
      if (!more || !isList || attribute.value.length === 0) return [name, attribute];
      return [name, { kind: attribute.kind, value: [...attribute.value, ...more] } as AttributeValue];
    }),
  );
}

/** Opset 5. ONNX Runtime knows sets of integers only; another set becomes a chain of equalities with shared ways. */
function tensorAttributes(node: GraphNode, raw: RawForest, forest: Forest): Record<string, AttributeValue> {
  const branches = raw.nodes.flatMap((branch) => (branch === 'leaf' ? [] : [branch]));
  const count = branches.length;
  const unrolled: RawBranch[] = [...branches];
  branches.forEach((branch, at) => {
    if (branch.mode !== 'BRANCH_MEMBER' || branch.values.every(isSetMember)) return;
    const [first, ...others] = branch.values.map((value): RawBranch => ({
      ...branch,
      mode: 'BRANCH_EQ',
      values: [value],
    }));
    let last = at;
    unrolled[at] = first!;
    for (const other of others) {
      // Places after the leaves' indices are the chain's own.
      unrolled[last] = { ...unrolled[last]!, no: CHAIN + unrolled.length };
      last = unrolled.length;
      unrolled.push(other);
    }
  });
  const isLeaf = (way: number): number => Number(way >= count && way < CHAIN);
  const idOf = (way: number): number => (way >= CHAIN ? way - CHAIN : way >= count ? way - count : way);
  const members = unrolled.flatMap(({ mode, values }) => (mode === 'BRANCH_MEMBER' ? [...values, NaN] : []));
  return {
    tree_roots: node.attributes.get('tree_roots')!,
    nodes_featureids: ints(unrolled.map(({ feature }) => feature)),
    nodes_modes: bytes(unrolled.map(({ mode }) => BRANCH_MODES.indexOf(mode))),
    nodes_splits: singles(unrolled.map(({ values }) => values[0] ?? 0)),
    nodes_missing_value_tracks_true: ints(unrolled.map(({ tracksMissing }) => Number(tracksMissing))),
    nodes_truenodeids: ints(unrolled.map(({ yes }) => idOf(yes))),
    nodes_trueleafs: ints(unrolled.map(({ yes }) => isLeaf(yes))),
    nodes_falsenodeids: ints(unrolled.map(({ no }) => idOf(no))),
    nodes_falseleafs: ints(unrolled.map(({ no }) => isLeaf(no))),
    ...(members.length > 0 && { membership_values: singles(members) }),
    aggregate_function: int(['AVERAGE', 'SUM', 'MIN', 'MAX'].indexOf(forest.aggregate)),
    leaf_targetids: ints(raw.weights.map(({ target }) => target)),
    leaf_weights: singles(forest.scores),
    n_targets: int(forest.targetCount),
  };
}

/** Above every place in a model's lists. */
const CHAIN = 2 ** 32;

function singles(values: readonly number[]): AttributeValue {
  const data = Float32Array.from(values);
  return { kind: 'tensor', value: { dtype: 'float32', shape: [data.length], data } };
}

function bytes(values: readonly number[]): AttributeValue {
  const data = Uint8Array.from(values);
  return { kind: 'tensor', value: { dtype: 'uint8', shape: [data.length], data } };
}
