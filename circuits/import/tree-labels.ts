/**
 * Labels and scores of a TreeEnsembleClassifier, by ONNX Runtime's rules (tree_ensemble_aggregator.h). It distinguishes
 * classes that have a score from those that have none, so a rule that would depend on which leaf was reached is refused.
 */
import type { AttributeValue, GraphNode } from '../onnx/graph.js';
import { intsAttribute, refuseNode } from '../onnx/node.js';
import type { Lowering } from './lowering.js';
import type { RawForest } from './tree-attributes.js';
import { type Presence, presenceOf, somePositive } from './tree-presence.js';
import { joined, number, tail, tailNode, transformed } from './tree-transforms.js';
import type { Float } from './value.js';

const int = (value: number): AttributeValue => ({ kind: 'int', value });

type ScoresOf = (raw: RawForest, base: readonly number[]) => Float;

interface Answer {
  /** Columns of which the greatest names the label, the first on ties. */
  readonly decisive: Float;
  /** The label of each column. */
  readonly labels: readonly number[];
  readonly scores: Float;
}

export function classified(
  lowering: Lowering,
  node: GraphNode,
  raw: RawForest,
  rows: number,
  scoresOf: ScoresOf,
): void {
  const labels = intsAttribute(node, 'classlabels_int64s') ?? [];
  if (labels.length === 0) refuseNode(node, 'classlabels_int64s', 'at least 1', 'none');
  if (raw.aggregate !== 'SUM') refuseNode(node, 'aggregate_function', 'SUM, for a classifier', raw.aggregate);
  const outOfRange = raw.weights.find(({ target }) => target < 0 || target >= labels.length);
  if (outOfRange) refuseNode(node, 'class_ids', `below ${labels.length}`, outOfRange.target);
  const answer =
    labels.length > 2
      ? amongMany(node, raw, labels, scoresOf)
      : labels.length === 2
        ? amongTwo(node, raw, labels, scoresOf)
        : alone(node, raw, scoresOf);
  if (node.outputs[1]) lowering.setFloat(node.outputs[1], answer.scores);
  if (!node.outputs[0]) return;
  const column: Float = {
    op: 'tail',
    shape: [rows],
    dtype: 'int64',
    node: tailNode(node, 'ArgMax', { axis: int(1), keepdims: int(0) }),
    args: [answer.decisive],
  };
  lowering.setFloat(
    node.outputs[0],
    answer.labels.every((label, i) => label === i) ? column : lookedUp(node, answer.labels, column),
  );
}

function lookedUp(node: GraphNode, labels: readonly number[], column: Float): Float {
  const shape = [labels.length];
  const table = { dtype: 'int64', shape, data: BigInt64Array.from(labels, BigInt) } as const;
  return {
    op: 'tail',
    shape: column.shape,
    dtype: 'int64',
    node: tailNode(node, 'Gather', { axis: int(0) }),
    args: [{ op: 'constant', shape, tensor: table }, column],
  };
}

/** One label: its score above 0 says 1, else 0, whatever the label is called. */
function alone(node: GraphNode, raw: RawForest, scoresOf: ScoresOf): Answer {
  if (raw.base.length > 1) refuseNode(node, 'base_values', 'at most 1', raw.base.length);
  const score = scoresOf(raw, [raw.base[0] ?? 0]);
  const scores = raw.transform === 'PROBIT' ? transformed(node, 'PROBIT', score) : score;
  return { decisive: joined(node, [negated(node, score), score]), labels: [0, 1], scores };
}

/**
 * Two labels. If all weights are of one class, its score decides: above 0.5 if no weight is negative, else above 0. With
 * weights of both, ONNX Runtime answers 1 if the second score is above 0 and 0 otherwise, whatever the labels are called.
 */
function amongTwo(node: GraphNode, raw: RawForest, labels: readonly number[], scoresOf: ScoresOf): Answer {
  const { base, transform } = raw;
  if (base.length > 2) refuseNode(node, 'base_values', 'at most 2', base.length);
  const [first, second] = [0, 1].map((id) => presenceOf(raw, id)) as [Presence, Presence];
  if (second === 'sometimes')
    refuseNode(node, 'class_ids', 'class 1 on every leaf of a tree, or on none', 'some');
  if (first === 'sometimes' && base.length > 0)
    refuseNode(node, 'class_ids', 'class 0 on every leaf of a tree, with base values', 'some');
  const isOneClass = first === 'never' || second === 'never';
  const isPositive = raw.weights.every(({ weight }) => weight >= 0);
  const decide = (score: Float): Pick<Answer, 'decisive' | 'labels'> => ({
    decisive: joined(node, [
      isOneClass && isPositive ? tail(node, 'Sub', score.shape, [number(1), score]) : negated(node, score),
      score,
    ]),
    labels: isOneClass ? labels : [0, 1],
  });
  const rows = (score: Float): Float => tail(node, 'Mul', score.shape, [score, number(0)]);
  if (second === 'never') {
    const score = scoresOf(onlyClass(raw, 0), [base[0] ?? 0]);
    const answer = decide(score);
    if (base.length === 2)
      return { ...answer, scores: transformed(node, transform, joined(node, [score, rows(score)])) };
    return { ...answer, scores: complemented(node, transform, score, answer.decisive) };
  }
  if (base.length === 2) {
    // The second score is taken from the first, and the first becomes its negative.
    const sum = scoresOf(onlyClass(raw, 0), [base[1]!]);
    const scores = joined(node, [first === 'never' ? rows(sum) : negated(node, sum), sum]);
    return { ...decide(sum), scores: transformed(node, transform, scores) };
  }
  if (first === 'never') {
    const score = scoresOf(onlyClass(raw, 1), [0]);
    return { ...decide(score), scores: transformed(node, transform, joined(node, [rows(score), score])) };
  }
  const both = scoresOf(raw, [base[0] ?? 0, 0]);
  const score = column(node, both, 1);
  return { ...decide(score), scores: transformed(node, transform, both) };
}

/** Two columns from one score. */
function complemented(node: GraphNode, transform: string, score: Float, decisive: Float): Float {
  if (transform === 'PROBIT') {
    const zero = tail(node, 'Mul', score.shape, [score, number(0)]);
    return joined(node, [transformed(node, 'PROBIT', score), zero]);
  }
  if (transform !== 'LOGISTIC') return decisive;
  const columns = [negated(node, score), score];
  return joined(
    node,
    columns.map((one) => transformed(node, 'LOGISTIC', one)),
  );
}

/** More than two labels: the greatest score of a class that has one, the first on ties. */
function amongMany(node: GraphNode, raw: RawForest, labels: readonly number[], scoresOf: ScoresOf): Answer {
  if (raw.base.length !== 0 && raw.base.length !== labels.length)
    refuseNode(node, 'base_values', `none or ${labels.length}`, raw.base.length);
  const both = scoresOf(
    raw,
    labels.map((_, id) => raw.base[id] ?? 0),
  );
  const scores = transformed(node, raw.transform, both);
  const presences = labels.map((_, id) => presenceOf(raw, id));
  // A class without a score cannot win; where some score is positive, its 0 does not win either.
  if (raw.base.length > 0 || presences.every((is) => is === 'always') || somePositive(raw))
    return { decisive: both, labels, scores };
  if (presences.includes('sometimes'))
    refuseNode(
      node,
      'class_ids',
      'classes on every leaf of a tree or on none, or a positive weight on every leaf',
      'others',
    );
  const eligible = labels.flatMap((_, id) => (presences[id] === 'always' ? [id] : []));
  const columns = eligible.map((id) => column(node, both, id));
  return { decisive: joined(node, columns), labels: eligible.map((id) => labels[id]!), scores };
}

/** The weights of one class as target 0, added up on each leaf; a leaf without one gets 0. */
function onlyClass(raw: RawForest, id: number): RawForest {
  const sums = new Map<number, number>();
  raw.nodes.forEach((node, at) => node === 'leaf' && sums.set(at, 0));
  for (const { node, target, weight } of raw.weights)
    if (target === id) sums.set(node, (sums.get(node) ?? 0) + weight);
  return { ...raw, weights: [...sums].map(([node, weight]) => ({ node, target: 0, weight })) };
}

function column(node: GraphNode, columns: Float, index: number): Float {
  const indices = { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(index)) } as const;
  const constant: Float = { op: 'constant', shape: [1], tensor: indices };
  return tail(node, 'Gather', [columns.shape[0]!, 1], [columns, constant], { axis: int(1) });
}

function negated(node: GraphNode, score: Float): Float {
  return tail(node, 'Mul', score.shape, [score, number(-1)]);
}
