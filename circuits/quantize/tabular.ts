/**
 * The linear members of ai.onnx.ml as core operators: LinearRegressor, LinearClassifier, and the SVMs with a
 * linear kernel. Label and probability rules are ONNX Runtime's: with one row of coefficients the label is the second
 * one if the score is above 0, else the greatest score decides, lowest index on ties.
 */
import type { AttributeValue, ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import { floatsAttribute, intAttribute, intsAttribute, refuseNode, stringAttribute } from '../onnx/node.js';

const DOMAIN = 'ai.onnx.ml';

/** The same function without linear ai.onnx.ml nodes; other nodes stay as they are. Throws ModelRefused. */
export function lowerTabular(graph: Graph): Graph {
  const rewriter = new Rewriter(graph);
  for (const node of graph.nodes) rewriter.rewrite(node);
  return { ...graph, constants: rewriter.constants, nodes: rewriter.nodes };
}

class Rewriter {
  readonly nodes: GraphNode[] = [];
  readonly constants: Map<string, ConstantTensor>;

  constructor(graph: Graph) {
    this.constants = new Map(graph.constants);
  }

  rewrite(node: GraphNode): void {
    if (node.domain !== DOMAIN) return void this.nodes.push(node);
    switch (node.type) {
      case 'LinearRegressor':
        return this.linearRegressor(node);
      case 'LinearClassifier':
        return this.linearClassifier(node);
      case 'SVMRegressor':
        return this.svmRegressor(node);
      case 'SVMClassifier':
        return this.svmClassifier(node);
    }
    this.nodes.push(node);
  }

  private emit(
    node: GraphNode,
    type: string,
    inputs: string[],
    output: string,
    attributes: Record<string, AttributeValue> = {},
  ): string {
    const name = `${node.name}/${output}`;
    this.nodes.push({
      name,
      domain: '',
      type,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  }

  private floats(node: GraphNode, what: string, values: readonly number[], shape: readonly number[]): string {
    const name = `${node.name}/${what}`;
    this.constants.set(name, { dtype: 'float32', shape, data: Float32Array.from(values) });
    return name;
  }

  /** x·Wᵀ + b with `rows` outputs. */
  private gemm(
    node: GraphNode,
    x: string,
    weights: readonly number[],
    bias: readonly number[],
    output: string,
  ): string {
    const rows = bias.length;
    if (rows === 0 || weights.length % rows !== 0)
      refuseNode(node, 'coefficients', `a multiple of ${rows} values`, weights.length);
    const w = this.floats(node, `${output}/coefficients`, weights, [rows, weights.length / rows]);
    const b = this.floats(node, `${output}/intercepts`, bias, [rows]);
    return this.emit(node, 'Gemm', [x, w, b], output, { transB: { kind: 'int', value: 1 } });
  }

  private linearRegressor(node: GraphNode): void {
    const targets = intAttribute(node, 'targets', 1);
    const weights = floatsAttribute(node, 'coefficients') ?? [];
    const bias = floatsAttribute(node, 'intercepts') ?? new Array<number>(targets).fill(0);
    this.requireNoTransform(node);
    this.gemm(node, node.inputs[0]!, weights, bias, node.outputs[0]!);
  }

  /** f(x) = Σ coefficientᵢ·(supportᵢ·x) + rho: one row of weights. */
  private svmRegressor(node: GraphNode): void {
    const kernel = stringAttribute(node, 'kernel_type', 'LINEAR');
    if (kernel !== 'LINEAR') refuseNode(node, 'kernel_type', 'LINEAR', kernel);
    if (intAttribute(node, 'one_class', 0) !== 0) refuseNode(node, 'one_class', '0', 1);
    this.requireNoTransform(node);
    const coefficients = floatsAttribute(node, 'coefficients') ?? [];
    const supports = floatsAttribute(node, 'support_vectors') ?? [];
    const count = intAttribute(node, 'n_supports', 0);
    const weights = count === 0 ? coefficients : combined(node, coefficients, supports, count);
    this.gemm(node, node.inputs[0]!, weights, [floatsAttribute(node, 'rho')?.[0] ?? 0], node.outputs[0]!);
  }

  private linearClassifier(node: GraphNode): void {
    const labels =
      intsAttribute(node, 'classlabels_ints') ?? refuseNode(node, 'classlabels', 'integers', 'strings');
    const weights = floatsAttribute(node, 'coefficients') ?? [];
    const bias = floatsAttribute(node, 'intercepts') ?? [];
    const isBinary = bias.length === 1;
    if (!isBinary && labels.length !== bias.length)
      refuseNode(node, 'classlabels_ints', `${bias.length}, as many as intercepts`, labels.length);
    const own = isBinary && labels.length !== 2 ? [0, 1] : labels;
    this.classify(node, { weights, bias, labels: own, isBinary });
  }

  /**
   * SVMClassifier with a linear kernel: without support vectors a score for each of more than two classes; with them one
   * score between two classes, above 0 for the first.
   */
  private svmClassifier(node: GraphNode): void {
    const kernel = stringAttribute(node, 'kernel_type', 'LINEAR');
    const perClass = intsAttribute(node, 'vectors_per_class') ?? [];
    const hasVectors = perClass.some((count) => count > 0);
    if (hasVectors && kernel !== 'LINEAR') refuseNode(node, 'kernel_type', 'LINEAR', kernel);
    const labels =
      intsAttribute(node, 'classlabels_ints') ?? refuseNode(node, 'classlabels', 'integers', 'strings');
    if ((floatsAttribute(node, 'prob_a') ?? []).length > 0)
      refuseNode(node, 'prob_a', 'none (no calibrated probabilities)', 'given');
    const coefficients = floatsAttribute(node, 'coefficients') ?? [];
    const rho = floatsAttribute(node, 'rho') ?? [];
    if (!hasVectors) {
      if (labels.length < 3)
        refuseNode(node, 'classes', 'more than 2 without support vectors', labels.length);
      const bias = new Array<number>(labels.length).fill(rho[0] ?? 0);
      return this.classify(node, { weights: coefficients, bias, labels, isBinary: false });
    }
    if (labels.length !== 2) refuseNode(node, 'classes', '2 with support vectors (no voting)', labels.length);
    const supports = floatsAttribute(node, 'support_vectors') ?? [];
    const count = perClass.reduce((sum, n) => sum + n, 0);
    const row = combined(node, coefficients, supports, count);
    // The score speaks for the first class: written for the second it has the other sign, and 0 is the second's.
    const score = this.gemm(
      node,
      node.inputs[0]!,
      [...negate(row), ...row],
      [-rho[0]!, rho[0]!],
      `${node.name}/scores`,
    );
    this.scoresOf(
      node,
      score,
      node.inputs[0]!,
      row,
      rho[0]!,
      stringAttribute(node, 'post_transform', 'NONE'),
    );
    this.label(node, score, [labels[1]!, labels[0]!]);
  }

  /** Rows of weights and biases → label and scores. One row s becomes [−s, s]: its arg-max is "s > 0". */
  private classify(
    node: GraphNode,
    {
      weights,
      bias,
      labels,
      isBinary,
    }: {
      readonly weights: readonly number[];
      readonly bias: readonly number[];
      readonly labels: readonly number[];
      readonly isBinary: boolean;
    },
  ): void {
    const x = node.inputs[0]!;
    const transform = stringAttribute(node, 'post_transform', 'NONE');
    if (!['NONE', 'LOGISTIC', 'SOFTMAX'].includes(transform))
      refuseNode(node, 'post_transform', 'NONE, LOGISTIC or SOFTMAX', transform);
    const probabilities = node.outputs[1] ?? '';
    const isPlain = transform === 'NONE' && !isBinary && probabilities !== '';
    const scores = isPlain ? probabilities : `${node.name}/scores`;
    if (isBinary) {
      this.gemm(node, x, [...negate(weights), ...weights], [-bias[0]!, bias[0]!], scores);
      this.scoresOf(node, scores, x, weights, bias[0]!, transform);
    } else {
      this.gemm(node, x, weights, bias, scores);
      if (probabilities !== '' && transform === 'LOGISTIC')
        this.emit(node, 'Sigmoid', [scores], probabilities);
      if (probabilities !== '' && transform === 'SOFTMAX')
        this.emit(node, 'Softmax', [scores], probabilities, { axis: { kind: 'int', value: -1 } });
    }
    this.label(node, scores, labels);
  }

  /** The two columns of a single score: [1 − p, p] under LOGISTIC, [−s, s] for an SVM, else [1 − s, s]. */
  private scoresOf(
    node: GraphNode,
    scores: string,
    x: string,
    row: readonly number[],
    bias: number,
    transform: string,
  ): void {
    const output = node.outputs[1] ?? '';
    if (output === '') return;
    if (transform === 'LOGISTIC') this.emit(node, 'Sigmoid', [scores], output);
    else if (node.type === 'SVMClassifier' && transform === 'NONE')
      this.emit(node, 'Identity', [scores], output);
    else this.gemm(node, x, [...negate(row), ...row], [1 - bias, bias], output);
  }

  private label(node: GraphNode, scores: string, labels: readonly number[]): void {
    const output = node.outputs[0] ?? '';
    if (output === '') return;
    const isCounting = labels.every((label, i) => label === i);
    const place = isCounting ? output : `${node.name}/place`;
    this.emit(node, 'ArgMax', [scores], place, {
      axis: { kind: 'int', value: 1 },
      keepdims: { kind: 'int', value: 0 },
    });
    if (isCounting) return;
    const table = `${node.name}/labels`;
    this.constants.set(table, {
      dtype: 'int64',
      shape: [labels.length],
      data: BigInt64Array.from(labels, BigInt),
    });
    this.emit(node, 'Gather', [table, place], output, { axis: { kind: 'int', value: 0 } });
  }

  private requireNoTransform(node: GraphNode): void {
    const transform = stringAttribute(node, 'post_transform', 'NONE');
    if (transform !== 'NONE') refuseNode(node, 'post_transform', 'NONE', transform);
  }
}

/** Σ coefficientᵢ·supportᵢ: the one row of weights that a linear kernel amounts to. */
function combined(
  node: GraphNode,
  coefficients: readonly number[],
  supports: readonly number[],
  count: number,
): number[] {
  const width = supports.length / count;
  if (!Number.isInteger(width) || width < 1 || coefficients.length !== count)
    refuseNode(
      node,
      'support_vectors',
      `${count} of equal width, with as many coefficients`,
      supports.length,
    );
  return Array.from({ length: width }, (_, f) =>
    coefficients.reduce((sum, c, i) => sum + c * supports[i * width + f]!, 0),
  );
}

function negate(values: readonly number[]): number[] {
  return values.map((value) => -value);
}
