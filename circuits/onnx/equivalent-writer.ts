/** Nodes and constants that stand for a node of another kind, under names close to its own. */
import type { AttributeValue, ConstantTensor, Dtype, Graph, GraphNode } from './graph.js';
import type { ValueTypes } from './infer.js';
import { refuseNode } from './node.js';
import type { NodeContext, ValueType } from './shape.js';
import { dtypeCodes, newTensorData } from './tensor.js';

/** Writes what a node is equivalent to. */
export type Rewriting = (writer: EquivalentWriter, context: NodeContext) => void;

export class EquivalentWriter {
  readonly nodes: GraphNode[] = [];
  readonly constants: Map<string, ConstantTensor>;
  /** Floats that are integers cast to float32, and moved since. */
  private readonly whole = new Set<string>();
  private readonly taken: Set<string>;
  private prefix = '';

  constructor(
    graph: Graph,
    readonly types: ValueTypes,
  ) {
    this.constants = new Map(graph.constants);
    this.taken = new Set([...types.keys(), ...graph.nodes.map(({ name }) => name)]);
  }

  keep(node: GraphNode): void {
    const [x, y] = [node.inputs[0] ?? '', node.outputs[0] ?? ''];
    const from = this.types.get(x)?.dtype ?? 'float32';
    const isCast =
      node.type === 'Cast' && this.types.get(y)?.dtype === 'float32' && !from.startsWith('float');
    const isMove = ['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].includes(node.type);
    if (isCast || (isMove && this.whole.has(x))) this.whole.add(y);
    this.nodes.push(node);
  }

  isWhole(name: string): boolean {
    return this.whole.has(name);
  }

  setWhole(name: string): void {
    this.whole.add(name);
  }

  /** Names what is emitted next after the node it stands for. */
  begin({ name }: GraphNode): void {
    this.prefix = name;
  }

  emit(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output = this.fresh(type.toLowerCase()),
  ): string {
    this.nodes.push({
      name: this.fresh(`${type.toLowerCase()} node`),
      domain: '',
      type,
      inputs,
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    return output;
  }

  cast(x: string, to: Dtype, output?: string): string {
    return this.emit('Cast', [x], { to: { kind: 'int', value: dtypeCodes[to] } }, output);
  }

  reshape(x: string, shape: readonly number[], output?: string): string {
    return this.emit('Reshape', [x, this.constant('int64', [shape.length], shape)], {}, output);
  }

  constant(dtype: Dtype, shape: readonly number[], values: readonly number[]): string {
    const data = newTensorData(dtype, values.length);
    values.forEach((value, i) => {
      data[i] = (dtype === 'int64' || dtype === 'uint64' ? BigInt(value) : value) as never;
    });
    const name = this.fresh('constant');
    this.constants.set(name, { dtype, shape, data });
    return name;
  }

  private fresh(wish: string): string {
    let name = `${this.prefix}/${wish}`;
    for (let i = 1; this.taken.has(name); i++) name = `${this.prefix}/${wish}:${i}`;
    this.taken.add(name);
    return name;
  }
}

export function typeOf({ node, type }: NodeContext, i: number): ValueType {
  return type(i) ?? refuseNode(node, `input ${i}`, 'present', 'absent');
}

export const isFloat = (dtype: Dtype): boolean => dtype === 'float32' || dtype === 'float64';
