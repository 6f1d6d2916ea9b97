/**
 * ai.onnx.ml's tree ensembles → integer scores (forest.ts) and a float tail. Executed form: a TreeEnsembleRegressor whose
 * weights are the integer scores, so that its float32 sums are exact and equal the circuit's. What the uploaded file would
 * have answered differs by the rounding of each leaf to 2^−k and by float32's own rounding; the import says how much.
 *
 * The label rules are ONNX Runtime's (tree_ensemble_aggregator.h): the greatest score, lowest index on ties; a two-class
 * ensemble with scores for one class compares with 0.5 if all weights are positive, with 0 otherwise.
 */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { floatsAttribute, intAttribute, intsAttribute, refuseNode, stringAttribute } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import type { Tensor } from './builder.js';
import { type Forest, readForest } from './forest.js';
import type { Lowering } from './lowering.js';
import type { Float } from './value.js';

const int = (value: number): AttributeValue => ({ kind: 'int', value });
const ints = (value: readonly number[]): AttributeValue => ({ kind: 'ints', value });

export function isTreeEnsemble(node: GraphNode): boolean {
  return (
    node.domain === 'ai.onnx.ml' &&
    (node.type === 'TreeEnsembleRegressor' || node.type === 'TreeEnsembleClassifier')
  );
}

export function emitTreeEnsemble(lowering: Lowering, context: NodeContext): void {
  const { node } = context;
  const type = context.type(0)!;
  const input = lowering.float(node, 0);
  if (input.op !== 'input') refuseNode(node, 'input', 'a float32 input of the graph', `a float ${input.op}`);
  if (type.shape.length !== 2) refuseNode(node, 'input', '[rows, features]', [...type.shape]);
  const features = type.shape[1]!;
  if (node.type === 'TreeEnsembleRegressor') {
    const forest = readForest(node, 'target', features, intAttribute(node, 'n_targets', 1));
    const scores = emitScores(lowering, node, input.name, type.shape[0]!, forest);
    return lowering.setFloat(node.outputs[0]!, transformed(node, scores));
  }
  emitClassifier(lowering, node, input.name, type.shape[0]!, features);
}

function emitClassifier(
  lowering: Lowering,
  node: GraphNode,
  input: string,
  rows: number,
  features: number,
): void {
  const labels = intsAttribute(node, 'classlabels_int64s');
  const strings = node.attributes.get('classlabels_strings');
  const count = labels?.length ?? (strings?.kind === 'strings' ? strings.value.length : 0);
  if (count < 2) refuseNode(node, 'classlabels_int64s', 'at least 2', count);
  const ids = new Set(intsAttribute(node, 'class_ids') ?? []);
  const isBinary = count === 2 && ids.size === 1;
  // One scored class: its scores are target 0, whatever its id.
  const source: GraphNode = isBinary
    ? {
        ...node,
        attributes: new Map(node.attributes).set(
          'class_ids',
          ints([...intsAttribute(node, 'class_ids')!].fill(0)),
        ),
      }
    : node;
  const forest = readForest(source, 'class', features, isBinary ? 1 : count);
  const scores = emitScores(lowering, node, input, rows, forest);
  const shape = [rows, count];
  let decisive: Float = scores;
  let probabilities: Float;
  if (isBinary) {
    const isPositive = (floatsAttribute(node, 'class_weights') ?? []).every((weight) => weight >= 0);
    const complement = isPositive
      ? pointwise(node, 'Sub', scores.shape, [constant(1), scores])
      : pointwise(node, 'Mul', scores.shape, [scores, constant(-1)]);
    decisive = joined(node, [complement, scores], shape);
    probabilities = binaryProbabilities(node, scores, decisive, shape);
  } else probabilities = transformed(node, scores);
  if (node.outputs[1]) lowering.setFloat(node.outputs[1], probabilities);
  if (!node.outputs[0]) return;
  if (!labels) return refuseNode(node, 'classlabels', 'integers', 'strings');
  const arg: Float = {
    op: 'tail',
    shape: [rows],
    dtype: 'int64',
    node: tailNode(node, 'ArgMax', { axis: int(1), keepdims: int(0) }),
    args: [decisive],
  };
  const isCounting = labels.every((label, i) => label === i);
  const table = { dtype: 'int64', shape: [count], data: BigInt64Array.from(labels, BigInt) } as const;
  lowering.setFloat(
    node.outputs[0],
    isCounting
      ? arg
      : {
          op: 'tail',
          shape: [rows],
          dtype: 'int64',
          node: tailNode(node, 'Gather', { axis: int(0) }),
          args: [{ op: 'constant', shape: [count], tensor: table }, arg],
        },
  );
}

/** The integer scores, and as a float: score = integer · 2^−k. */
function emitScores(lowering: Lowering, node: GraphNode, input: string, rows: number, forest: Forest): Float {
  const { builder } = lowering;
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
    [
      {
        type: 'TreeEnsembleRegressor',
        domain: 'ai.onnx.ml',
        inputs: [input],
        attributes: executedAttributes(node, forest),
      },
      { type: 'Cast', inputs: [sums], attributes: { to: int(6) } },
    ],
    [sums, integers],
  );
  const bound = (forest.scores.length / forest.targetCount) * 2 ** (-forest.scaleBits - 1);
  lowering.notes.push(
    `node "${node.name}" (${node.type}): scores in steps of 2^${-forest.scaleBits}, within ${bound.toExponential(1)} of the exact sum`,
  );
  const scales = Float32Array.of(2 ** -forest.scaleBits);
  return {
    op: 'dequantized',
    shape,
    tensor,
    quantization: { dtype: 'int32', scales, zeroPoints: [0], axis: undefined },
  };
}

function integerAttributes(forest: Forest): Record<string, AttributeValue> {
  return {
    targets: int(forest.targetCount),
    features: ints(forest.features),
    cuts: ints(forest.cuts),
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
function executedAttributes(node: GraphNode, forest: Forest): Record<string, AttributeValue> {
  const prefix = node.type === 'TreeEnsembleRegressor' ? 'target' : 'class';
  const kept = [...node.attributes].filter(
    ([name]) => name.startsWith('nodes_') && name !== 'nodes_hitrates',
  );
  const leaves = ['treeids', 'nodeids'].map((name) => [
    `target_${name}`,
    node.attributes.get(`${prefix}_${name}`)!,
  ]);
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(leaves),
    target_ids: ints(forest.scoreTargets),
    target_weights: { kind: 'floats', value: forest.scores },
    base_values: { kind: 'floats', value: forest.base },
    n_targets: int(forest.targetCount),
  };
}

function transformed(node: GraphNode, scores: Float): Float {
  const transform = stringAttribute(node, 'post_transform', 'NONE');
  if (transform === 'NONE') return scores;
  if (transform === 'LOGISTIC') return pointwise(node, 'Sigmoid', scores.shape, [scores]);
  if (transform === 'SOFTMAX')
    return {
      op: 'tail',
      shape: scores.shape,
      node: tailNode(node, 'Softmax', { axis: int(1) }),
      args: [scores],
    };
  return refuseNode(node, 'post_transform', 'NONE, LOGISTIC or SOFTMAX', transform);
}

/** Two columns from one score: [1 − p, p], or what the rule compared when there is no transform. */
function binaryProbabilities(
  node: GraphNode,
  score: Float,
  decisive: Float,
  shape: readonly number[],
): Float {
  const transform = stringAttribute(node, 'post_transform', 'NONE');
  if (transform === 'NONE') return decisive;
  if (transform !== 'LOGISTIC')
    refuseNode(node, 'post_transform', 'NONE or LOGISTIC (two classes, one score)', transform);
  const one = pointwise(node, 'Sigmoid', score.shape, [score]);
  const minus = pointwise(node, 'Mul', score.shape, [score, constant(-1)]);
  return joined(node, [pointwise(node, 'Sigmoid', score.shape, [minus]), one], shape);
}

function joined(node: GraphNode, args: readonly Float[], shape: readonly number[]): Float {
  return { op: 'tail', shape, node: tailNode(node, 'Concat', { axis: int(1) }), args };
}

function pointwise(node: GraphNode, type: string, shape: readonly number[], args: readonly Float[]): Float {
  return { op: 'pointwise', shape, node: tailNode(node, type, {}), args };
}

function constant(value: number): Float {
  return { op: 'constant', shape: [], tensor: { dtype: 'float32', shape: [], data: Float32Array.of(value) } };
}

function tailNode(node: GraphNode, type: string, attributes: Record<string, AttributeValue>): GraphNode {
  return {
    name: `${node.name}/${type}`,
    domain: '',
    type,
    inputs: [],
    outputs: [],
    attributes: new Map(Object.entries(attributes)),
  };
}
