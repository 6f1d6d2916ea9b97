/**
 * The executed graph under construction. Two forms grow side by side: `integer` is what the compiler proves, `executed`
 * what ONNX Runtime runs as the oracle. They hold the same nodes, except that a compiler-only node (domain `verinfer`)
 * stands in `executed` as the standard ONNX nodes it was checked against.
 */
import { findBoundary } from '../boundary.js';
import type { AttributeValue, ConstantTensor, Dtype, Graph, GraphNode, ValueInfo } from '../onnx/graph.js';
import { inferTypes } from '../onnx/infer.js';
import type { ValueType } from '../onnx/shape.js';
import { newTensorData } from '../onnx/tensor.js';

/** Opsets of every executed graph: the first with int8 forms of all operators that are emitted. */
export const executedOpsets: ReadonlyMap<string, number> = new Map([
  ['', 18],
  ['com.microsoft', 1],
]);

export interface NodeParts {
  readonly type: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** A tensor of the new graph. */
export interface Tensor extends ValueType {
  readonly name: string;
}

export class GraphBuilder {
  private readonly nodes: GraphNode[] = [];
  private readonly executedNodes: GraphNode[] = [];
  private readonly constants = new Map<string, ConstantTensor>();
  private readonly constantKeys = new Map<string, string>();
  private readonly names = new Set<string>();
  private readonly nodeNames = new Map<string, number>();

  constructor(private readonly inputs: readonly ValueInfo[]) {
    for (const { name } of inputs) this.names.add(name);
  }

  /** A name not used yet, close to the one wished for. */
  fresh(wish: string): string {
    let name = wish;
    for (let i = 1; this.names.has(name); i++) name = `${wish}:${i}`;
    this.names.add(name);
    return name;
  }

  /** Node names are unique too: labels, reports and ONNX Runtime tell nodes apart by them. */
  private freshNode(wish: string): string {
    const count = (this.nodeNames.get(wish) ?? 0) + 1;
    this.nodeNames.set(wish, count);
    return count === 1 ? wish : this.freshNode(`${wish}#${count}`);
  }

  /** Keeps names that the outputs of the model will need. */
  reserve(names: Iterable<string>): void {
    for (const name of names) this.names.add(name);
  }

  constant(wish: string, tensor: ConstantTensor): Tensor {
    const { data } = tensor;
    // Scales and zero points repeat by the hundred; equal small constants are one constant.
    const key =
      data.length <= 16
        ? `${tensor.dtype}[${tensor.shape.join()}]${Array.from(data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? '-0' : String(x))).join()}`
        : '';
    const known = key && this.constantKeys.get(key);
    if (known) return { name: known, dtype: tensor.dtype, shape: tensor.shape };
    const name = this.fresh(wish);
    this.constants.set(name, tensor);
    if (key) this.constantKeys.set(key, name);
    return { name, dtype: tensor.dtype, shape: tensor.shape };
  }

  scalar(wish: string, dtype: Dtype, value: number): Tensor {
    const data = newTensorData(dtype, 1);
    data[0] = (dtype === 'int64' || dtype === 'uint64' ? BigInt(value) : value) as never;
    return this.constant(wish, { dtype, shape: [], data });
  }

  int64s(wish: string, values: readonly number[]): Tensor {
    return this.constant(wish, {
      dtype: 'int64',
      shape: [values.length],
      data: BigInt64Array.from(values.map(BigInt)),
    });
  }

  constantOf(name: string): ConstantTensor | undefined {
    return this.constants.get(name);
  }

  /** Adds one node to both forms and returns its output. */
  emit(name: string, type: ValueType, parts: NodeParts, output = this.fresh(name)): Tensor {
    const node = nodeOf(this.freshNode(name), parts, output);
    this.nodes.push(node);
    this.executedNodes.push(node);
    return { name: output, dtype: type.dtype, shape: type.shape };
  }

  /** Adds a compiler-only node and the standard nodes that mean the same; the last of them makes the output. */
  emitTwoForms(
    name: string,
    type: ValueType,
    integer: NodeParts,
    executed: readonly NodeParts[],
    outputs: readonly string[],
  ): Tensor {
    const output = outputs.at(-1)!;
    name = this.freshNode(name);
    this.nodes.push(nodeOf(name, integer, output));
    executed.forEach((parts, i) =>
      this.executedNodes.push(nodeOf(i === executed.length - 1 ? name : `${name}/${i}`, parts, outputs[i]!)),
    );
    return { name: output, dtype: type.dtype, shape: type.shape };
  }

  finish(outputs: readonly Tensor[]): { integer: Graph; executed: Graph } {
    const graphOf = (nodes: readonly GraphNode[]): Graph => {
      const live = liveNodes(
        nodes,
        outputs.map(({ name }) => name),
      );
      const used = new Set([...live.flatMap(({ inputs }) => inputs), ...outputs.map(({ name }) => name)]);
      const isTabular = live.some(({ domain }) => domain === 'ai.onnx.ml');
      const isTensorForest = live.some(
        ({ domain, type }) => domain === 'ai.onnx.ml' && type === 'TreeEnsemble',
      );
      return {
        opsets: isTabular
          ? new Map([...executedOpsets, ['ai.onnx.ml', isTensorForest ? 5 : 3]])
          : executedOpsets,
        inputs: this.inputs,
        outputs: outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
        constants: new Map([...this.constants].filter(([name]) => used.has(name))),
        nodes: live,
      };
    };
    const integer = graphOf(this.nodes);
    const executed = withBoundary(graphOf(this.executedNodes), findBoundary(integer).outputs);
    return { integer, executed };
  }
}

/** Adds the integers that the circuit proves as outputs of their own, after the model's: an answer shows both. */
function withBoundary(graph: Graph, names: readonly string[]): Graph {
  const types = inferTypes(graph);
  const known = new Set(graph.outputs.map(({ name }) => name));
  const added = names.filter((name) => !known.has(name)).map((name) => ({ name, ...types.get(name)! }));
  return { ...graph, outputs: [...graph.outputs, ...added] };
}

function nodeOf(name: string, parts: NodeParts, output: string): GraphNode {
  return {
    name,
    domain: parts.domain ?? '',
    type: parts.type,
    inputs: parts.inputs,
    outputs: [output],
    attributes: new Map(Object.entries(parts.attributes ?? {})),
  };
}

function liveNodes(nodes: readonly GraphNode[], outputs: readonly string[]): GraphNode[] {
  const needed = new Set(outputs);
  const live: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    node.inputs.forEach((name) => needed.add(name));
    live.push(node);
  }
  return live.reverse();
}
