/**
 * The linear members of ai.onnx.ml as core operators: Scaler, LinearRegressor, LinearClassifier, and SVMRegressor with a
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
      case 'Scaler':
        return this.scaler(node);
      case 'LinearRegressor':
        return this.linearRegressor(node);
      case 'LinearClassifier':
        return this.linearClassifier(node);
      case 'SVMRegressor':
        return this.svmRegressor(node);
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

  private scaler(node: GraphNode): void {
    const [offset, scale] = ['offset', 'scale'].map((name) => floatsAttribute(node, name) ?? []);
    const centred = this.emit(
      node,
      'Sub',
      [node.inputs[0]!, this.floats(node, 'offset', offset!, [offset!.length])],
      `${node.outputs[0]!}/centred`,
    );
    this.emit(node, 'Mul', [centred, this.floats(node, 'scale', scale!, [scale!.length])], node.outputs[0]!);
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
    const width = count > 0 ? supports.length / count : coefficients.length;
    if (!Number.isInteger(width) || width < 1 || (count > 0 && coefficients.length !== count))
      refuseNode(node, 'support_vectors', `${count} of equal width`, supports.length);
    const weights =
      count === 0
        ? coefficients
        : Array.from({ length: width }, (_, f) =>
            coefficients.reduce((sum, c, i) => sum + c * supports[i * width + f]!, 0),
          );
    this.gemm(node, node.inputs[0]!, weights, [floatsAttribute(node, 'rho')?.[0] ?? 0], node.outputs[0]!);
  }

  private linearClassifier(node: GraphNode): void {
    const x = node.inputs[0]!;
    const labels =
      intsAttribute(node, 'classlabels_ints') ?? refuseNode(node, 'classlabels', 'integers', 'strings');
    if (labels.some((label, i) => label !== i))
      refuseNode(node, 'classlabels_ints', '0, 1, 2, …', [...labels]);
    const weights = floatsAttribute(node, 'coefficients') ?? [];
    const bias = floatsAttribute(node, 'intercepts') ?? [];
    const transform = stringAttribute(node, 'post_transform', 'NONE');
    if (!['NONE', 'LOGISTIC', 'SOFTMAX'].includes(transform))
      refuseNode(node, 'post_transform', 'NONE, LOGISTIC or SOFTMAX', transform);
    const [label, probabilities] = [node.outputs[0] ?? '', node.outputs[1] ?? ''];
    const isBinary = bias.length === 1;
    const negated = weights.map((w) => -w);
    const isPlain = transform === 'NONE' && !isBinary && probabilities !== '';
    const scores = isPlain ? probabilities : `${node.name}/scores`;
    // One row s becomes [−s, s]: its arg-max is "s > 0", and its sigmoid is [1 − p, p].
    if (isBinary) this.gemm(node, x, [...negated, ...weights], [-bias[0]!, bias[0]!], scores);
    else this.gemm(node, x, weights, bias, scores);
    if (probabilities !== '' && !isPlain) {
      if (transform === 'LOGISTIC') this.emit(node, 'Sigmoid', [scores], probabilities);
      else if (isBinary)
        this.gemm(node, x, [...negated, ...weights], [1 - bias[0]!, bias[0]!], probabilities);
      else this.emit(node, 'Softmax', [scores], probabilities, { axis: { kind: 'int', value: -1 } });
    }
    if (label !== '')
      this.emit(node, 'ArgMax', [scores], label, {
        axis: { kind: 'int', value: 1 },
        keepdims: { kind: 'int', value: 0 },
      });
  }

  private requireNoTransform(node: GraphNode): void {
    const transform = stringAttribute(node, 'post_transform', 'NONE');
    if (transform !== 'NONE') refuseNode(node, 'post_transform', 'NONE', transform);
  }
}
