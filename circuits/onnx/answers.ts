/**
 * Takes class names off a graph's answers. A ZipMap is dropped and the tensor in front of it leaves the graph instead;
 * a classifier with string labels answers with the index of the label. ONNX Runtime itself computes that index and looks
 * the string up afterwards, so nothing else about the classifier changes.
 */
import type { AnswerStep } from '../answer-record.js';
import type { GraphNode } from './graph.js';
import { intsAttribute, refuseNode } from './node.js';

export interface PlainAnswers {
  readonly nodes: readonly GraphNode[];
  /** Names of the graph outputs, each once. */
  readonly outputs: readonly string[];
  readonly steps: readonly AnswerStep[];
}

/** Attribute of the integer labels, by classifier. */
const integerLabels: Readonly<Record<string, string>> = {
  TreeEnsembleClassifier: 'classlabels_int64s',
  LinearClassifier: 'classlabels_ints',
  SVMClassifier: 'classlabels_ints',
};

export function withoutClassNames(nodes: readonly GraphNode[], outputs: readonly string[]): PlainAnswers {
  const steps: AnswerStep[] = [];
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const front = new Map<string, string>();
  const kept = nodes.flatMap((node) => {
    if (node.domain !== 'ai.onnx.ml') return [node];
    if (node.type !== 'ZipMap') return [indexed(node, read, outputs, steps)];
    const [tensor, output] = [node.inputs[0]!, node.outputs[0]!];
    if (read.has(output) || !outputs.includes(output))
      refuseNode(node, 'output', 'an output of the graph that no node reads', `"${output}"`);
    const labels = stringsOf(node) ?? intsAttribute(node, 'classlabels_int64s');
    steps.push({ operator: 'ZipMap', tensor, output, labels: labels ?? [] });
    front.set(output, tensor);
    return [];
  });
  return { nodes: kept, outputs: [...new Set(outputs.map((name) => front.get(name) ?? name))], steps };
}

function indexed(
  node: GraphNode,
  read: ReadonlySet<string>,
  outputs: readonly string[],
  steps: AnswerStep[],
): GraphNode {
  const attribute = integerLabels[node.type];
  const labels = stringsOf(node);
  if (!attribute || !labels) return node;
  if (intsAttribute(node, attribute)?.length) refuseNode(node, 'class labels', 'strings or integers', 'both');
  if (labels.length < 2) refuseNode(node, 'classlabels_strings', 'at least 2', labels.length);
  const label = node.outputs[0] ?? '';
  if (read.has(label)) refuseNode(node, 'string labels', 'an output that no node reads', `"${label}"`);
  if (outputs.includes(label)) steps.push({ operator: 'LabelEncoder', tensor: label, output: label, labels });
  const attributes = new Map(node.attributes);
  attributes.delete('classlabels_strings');
  attributes.set(attribute, { kind: 'ints', value: labels.map((_, i) => i) });
  return { ...node, attributes };
}

function stringsOf(node: GraphNode): readonly string[] | undefined {
  const attribute = node.attributes.get('classlabels_strings');
  return attribute?.kind === 'strings' && attribute.value.length > 0 ? attribute.value : undefined;
}
