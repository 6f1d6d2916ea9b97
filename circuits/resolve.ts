import { findBoundary, type Boundary } from './boundary.js';
import { ModelRefused } from './errors.js';
import type { ConstantTensor, Graph, GraphNode } from './onnx/graph.js';
import { findOp } from './ops/index.js';
import { NodeView, integers, type Op, type Operand } from './ops/op.js';
import { dtypeRange, type TensorType } from './tensor.js';

/** A node whose operator, attributes and types are settled; nothing about it can be refused any more. */
export interface ResolvedNode {
  readonly name: string;
  readonly op: Op;
  readonly attributes: unknown;
  /** Names of the operands, in the operator's order. */
  readonly operands: readonly string[];
  readonly outputs: readonly string[];
  readonly types: readonly TensorType[];
}

export interface ResolvedGraph {
  readonly boundary: Boundary;
  readonly nodes: readonly ResolvedNode[];
  readonly types: ReadonlyMap<string, TensorType>;
  /** Constants that are operands of the computation. */
  readonly constants: ReadonlyMap<string, { readonly type: TensorType; readonly data: Int32Array }>;
  /** How many nodes and outputs read a tensor. */
  readonly uses: ReadonlyMap<string, number>;
}

/** Finds the operator of every node and infers every type, in order. Throws ModelRefused. */
export function resolve(graph: Graph): ResolvedGraph {
  const boundary = findBoundary(graph);
  const types = new Map<string, TensorType>();
  for (const { tensor, dtype, shape, given } of boundary.inputs) {
    // An integer input is packed in at most 32 bits; in the graph it keeps its own type.
    types.set(tensor, { dtype: given.dtype === 'float32' ? dtype : given.dtype, shape });
  }
  const constants = new Map<string, { type: TensorType; data: Int32Array }>();
  const uses = new Map<string, number>();
  const use = (name: string) => uses.set(name, (uses.get(name) ?? 0) + 1);
  const nodes = boundary.nodes.map((node): ResolvedNode => {
    const op = findOp(node.domain, node.type);
    const view = new NodeView(
      node,
      node.inputs.map((name) => operandOf(name, types, graph.constants)),
    );
    if (op === undefined) return view.refuse('operator', 'supported', qualified(node));
    const attributes = op.attributes(view);
    const operands = op.operands(attributes).map((index) => {
      const operand = view.operand(index, `input ${index}`);
      if (operand.constant)
        constants.set(operand.name, { type: operand, data: operandIntegers(view, operand.constant) });
      else use(operand.name);
      return operand.name;
    });
    const inputs = operands.map((name) => types.get(name) ?? constants.get(name)!.type);
    const outputs = op.shape(attributes, inputs);
    outputs.forEach((type, i) => {
      if (type.shape.some((size) => !(size >= 1)))
        view.refuse('output shape', 'not empty', `[${type.shape.join(',')}]`);
      if (node.outputs[i]) types.set(node.outputs[i], type);
    });
    return { name: node.name, op, attributes, operands, outputs: node.outputs, types: outputs };
  });
  for (const name of boundary.outputs) {
    const type = types.get(name);
    if (type === undefined || dtypeRange(type.dtype) === undefined) {
      const got = type?.dtype ?? 'no integer tensor';
      throw new ModelRefused({
        where: `output "${name}"`,
        what: 'dtype',
        expected: 'a proven integer tensor',
        got,
      });
    }
    use(name);
  }
  if (boundary.outputs.length === 0) {
    throw new ModelRefused({
      where: 'graph',
      what: 'outputs',
      expected: 'computed from the inputs',
      got: 'constants',
    });
  }
  return { boundary, nodes, types, constants, uses };
}

function qualified({ domain, type }: GraphNode): string {
  return domain === '' ? type : `${domain}.${type}`;
}

function operandOf(
  name: string,
  types: ReadonlyMap<string, TensorType>,
  constants: ReadonlyMap<string, ConstantTensor>,
): Operand | undefined {
  if (name === '') return undefined;
  const constant = constants.get(name);
  if (constant) return { name, dtype: constant.dtype, shape: constant.shape, constant };
  const type = types.get(name);
  if (!type)
    throw new ModelRefused({ where: `tensor "${name}"`, what: 'type', expected: 'known', got: 'unknown' });
  return { name, ...type };
}

/** A constant that values are computed with: unlike a shape or an index, it may not be clamped to 32 bits. */
function operandIntegers(view: NodeView, constant: ConstantTensor): Int32Array {
  const data = integers(constant);
  if (constant.dtype === 'int64' || constant.dtype === 'uint64' || constant.dtype === 'uint32') {
    constant.data.forEach((value: number | bigint, i: number) => {
      if (Number(value) !== data[i]) view.refuse('constant operand', 'inside int32', String(value));
    });
  }
  return data;
}
