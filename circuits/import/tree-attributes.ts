/**
 * The attributes of ai.onnx.ml's tree ensembles, in one shape: TreeEnsembleRegressor and TreeEnsembleClassifier (v1–v3,
 * lists of nodes by tree) and TreeEnsemble (v5, tensors, leaves apart). Float32 thresholds and weights only.
 */
import type { GraphNode } from '../onnx/graph.js';
import { floatsAttribute, intAttribute, intsAttribute, refuseNode, stringAttribute } from '../onnx/node.js';

/** x takes the way `yes` if `mode` holds between x and the values; NaN takes it if `tracksMissing`. */
export interface RawBranch {
  readonly feature: number;
  readonly mode: string;
  /** One threshold, or the members of a set. */
  readonly values: readonly number[];
  readonly tracksMissing: boolean;
  readonly yes: number;
  readonly no: number;
}

export interface RawWeight {
  /** Index of the leaf among `nodes`. */
  readonly node: number;
  readonly target: number;
  readonly weight: number;
}

export interface RawForest {
  /** `leaf` or a branch whose ways are indices of this list. */
  readonly nodes: readonly (RawBranch | 'leaf')[];
  readonly roots: readonly number[];
  readonly weights: readonly RawWeight[];
  readonly base: readonly number[];
  readonly aggregate: 'SUM' | 'AVERAGE' | 'MIN' | 'MAX';
  readonly transform: string;
}

const AGGREGATES = ['AVERAGE', 'SUM', 'MIN', 'MAX'] as const;
/** In the order of their numbers in opset 5. */
export const BRANCH_MODES: readonly string[] =
  'BRANCH_LEQ BRANCH_LT BRANCH_GTE BRANCH_GT BRANCH_EQ BRANCH_NEQ BRANCH_MEMBER'.split(' ');
/** ONNX Runtime's order, which is not the specification's: 1 and 2 are exchanged there. */
const TRANSFORMS = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO', 'PROBIT'];

/** @param prefix of the leaf attributes: `target` for regressors, `class` for classifiers. */
export function readListedForest(node: GraphNode, prefix: 'target' | 'class'): RawForest {
  const ints = (name: string): readonly number[] =>
    intsAttribute(node, name) ?? refuseNode(node, name, 'given', 'none');
  const treeIds = ints('nodes_treeids');
  const list = <T>(name: string, values: readonly T[] | undefined): readonly T[] =>
    sized(node, name, values, treeIds.length);
  const nodeIds = list('nodes_nodeids', intsAttribute(node, 'nodes_nodeids'));
  const modes = list('nodes_modes', stringsOf(node, 'nodes_modes'));
  const features = list('nodes_featureids', intsAttribute(node, 'nodes_featureids'));
  const values = list('nodes_values', floatsAttribute(node, 'nodes_values'));
  const yes = list('nodes_truenodeids', intsAttribute(node, 'nodes_truenodeids'));
  const no = list('nodes_falsenodeids', intsAttribute(node, 'nodes_falsenodeids'));
  const missing = missingOf(node, treeIds.length);
  const at = new Map<string, number>();
  nodeIds.forEach((id, i) => {
    const key = `${treeIds[i]}/${id}`;
    if (at.has(key)) refuseNode(node, 'nodes_nodeids', 'unique within a tree', key);
    at.set(key, i);
  });
  const find = (tree: number, id: number): number =>
    at.get(`${tree}/${id}`) ?? refuseNode(node, 'node id', 'a node of the tree', `${tree}/${id}`);
  const nodes = modes.map((mode, i): RawBranch | 'leaf' =>
    mode === 'LEAF'
      ? 'leaf'
      : {
          feature: features[i]!,
          mode,
          values: [values[i]!],
          tracksMissing: missing[i] === 1,
          yes: find(treeIds[i]!, yes[i]!),
          no: find(treeIds[i]!, no[i]!),
        },
  );
  const weightTrees = intsAttribute(node, `${prefix}_treeids`) ?? [];
  const listed = <T>(name: string, list: readonly T[] | undefined): readonly T[] =>
    sized(node, `${prefix}_${name}`, list, weightTrees.length);
  const weightNodes = listed('nodeids', intsAttribute(node, `${prefix}_nodeids`));
  const targets = listed('ids', intsAttribute(node, `${prefix}_ids`));
  const weights = listed('weights', floatsAttribute(node, `${prefix}_weights`));
  const aggregate = stringAttribute(node, 'aggregate_function', 'SUM');
  return {
    nodes,
    // ONNX Runtime starts at the first node listed of each tree.
    roots: treeIds.flatMap((tree, i) => (i === 0 || treeIds[i - 1] !== tree ? [i] : [])),
    weights: weightTrees.map((tree, i) => ({
      node: find(tree, weightNodes[i]!),
      target: targets[i]!,
      weight: weights[i]!,
    })),
    base: floatsAttribute(node, 'base_values') ?? [],
    aggregate:
      AGGREGATES.find((name) => name === aggregate) ??
      refuseNode(node, 'aggregate_function', AGGREGATES.join(', '), aggregate),
    transform: transformOf(node, stringAttribute(node, 'post_transform', 'NONE')),
  };
}

/** TreeEnsemble of opset 5. A root both of whose ways are one leaf is that leaf. */
export function readTensorForest(node: GraphNode): RawForest {
  const features = intsAttribute(node, 'nodes_featureids') ?? [];
  const branchCount = features.length;
  const list = (name: string): readonly number[] => sized(node, name, intsAttribute(node, name), branchCount);
  const [yes, no] = [list('nodes_truenodeids'), list('nodes_falsenodeids')];
  const [isYesLeaf, isNoLeaf] = [list('nodes_trueleafs'), list('nodes_falseleafs')];
  const modes = sized(node, 'nodes_modes', tensorOf(node, 'nodes_modes', 'uint8'), branchCount);
  const splits = sized(node, 'nodes_splits', tensorOf(node, 'nodes_splits', 'float32'), branchCount);
  const missing = missingOf(node, branchCount);
  const weights = tensorOf(node, 'leaf_weights', 'float32') ?? [];
  const targets = sized(node, 'leaf_targetids', intsAttribute(node, 'leaf_targetids'), weights.length);
  const members = membersOf(node, modes);
  const indexOf = (id: number, isLeaf: number): number => {
    const count = isLeaf ? weights.length : branchCount;
    if (!Number.isInteger(id) || id < 0 || id >= count)
      refuseNode(node, isLeaf ? 'leaf' : 'node id', `below ${count}`, id);
    return isLeaf ? branchCount + id : id;
  };
  const branches = features.map((feature, i): RawBranch => ({
    feature,
    mode:
      BRANCH_MODES[modes[i]!] ??
      refuseNode(node, 'nodes_modes', `0 to ${BRANCH_MODES.length - 1}`, modes[i]!),
    values: members[i] ?? [splits[i]!],
    tracksMissing: missing[i] === 1,
    yes: indexOf(yes[i]!, isYesLeaf[i]!),
    no: indexOf(no[i]!, isNoLeaf[i]!),
  }));
  const isOnlyLeaf = (i: number): boolean =>
    branches[i]!.yes === branches[i]!.no && branches[i]!.yes >= branchCount;
  const aggregate = intAttribute(node, 'aggregate_function', 1);
  const transform = intAttribute(node, 'post_transform', 0);
  return {
    nodes: [...branches, ...weights.map(() => 'leaf' as const)],
    roots: (intsAttribute(node, 'tree_roots') ?? []).map((root) => {
      const at = indexOf(root, 0);
      return isOnlyLeaf(at) ? branches[at]!.yes : at;
    }),
    weights: weights.map((weight, i) => ({ node: branchCount + i, target: targets[i]!, weight })),
    base: [],
    aggregate: AGGREGATES[aggregate] ?? refuseNode(node, 'aggregate_function', '0 to 3', aggregate),
    transform: TRANSFORMS[transform] ?? refuseNode(node, 'post_transform', '0 to 4', transform),
  };
}

/** The members of each set node: one list a node, in order, NaN between them. */
function membersOf(node: GraphNode, modes: readonly number[]): (readonly number[] | undefined)[] {
  const given = tensorOf(node, 'membership_values', 'float32') ?? [];
  let next = 0;
  return modes.map((mode) => {
    if (BRANCH_MODES[mode] !== 'BRANCH_MEMBER') return undefined;
    const end = given.findIndex((value, i) => i >= next && Number.isNaN(value));
    const members = given.slice(next, end < 0 ? given.length : end);
    next = end < 0 ? given.length : end + 1;
    return members;
  });
}

function sized<T>(
  node: GraphNode,
  name: string,
  values: readonly T[] | undefined,
  count: number,
): readonly T[] {
  return values?.length === count
    ? values
    : refuseNode(node, name, `${count} values`, values?.length ?? 'none');
}

function missingOf(node: GraphNode, count: number): readonly number[] {
  const given = intsAttribute(node, 'nodes_missing_value_tracks_true') ?? [];
  return given.length === 0 ? given : sized(node, 'nodes_missing_value_tracks_true', given, count);
}

function stringsOf(node: GraphNode, name: string): readonly string[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'strings' ? attribute.value : undefined;
}

function tensorOf(node: GraphNode, name: string, dtype: 'float32' | 'uint8'): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute?.kind !== 'tensor') return undefined;
  if (attribute.value.dtype !== dtype) refuseNode(node, name, dtype, attribute.value.dtype);
  return Array.from(attribute.value.data as Float32Array | Uint8Array);
}

function transformOf(node: GraphNode, name: string): string {
  return TRANSFORMS.includes(name) ? name : refuseNode(node, 'post_transform', TRANSFORMS.join(', '), name);
}
