/**
 * Static types of every value, and folding of what is already known: shape arithmetic (Shape, Gather, Concat, …) and
 * constants that pass through it. Sizes are products in bigints and are refused before anything of that size exists.
 */
import { ModelRefused } from '../errors.js';
import { coreTypes } from './core-types.js';
import { domainTypes } from './domain-types.js';
import { foldNode } from './fold.js';
import type { ConstantTensor, Graph, GraphNode, ValueInfo } from './graph.js';
import { refuseNode, whereOf } from './node.js';
import type { NodeContext, ValueType } from './shape.js';
import { elementCount } from './tensor.js';
import { need, type Rule } from './type-rules.js';
import { wiringOf } from './wiring.js';

/** All values of a graph together, in elements. */
const MAX_TOTAL_ELEMENTS = 2n ** 28n;
/** Constants that folding may create, in elements: weights moved once each, not a bomb. */
const MAX_FOLDED_ELEMENTS = 2 ** 24;

/** Type of every value by name. */
export type ValueTypes = ReadonlyMap<string, ValueType>;

/** The same graph with static output types, Constant and constant-only nodes folded away. */
export function inferGraph(graph: Graph): Graph {
  const { nodes, constants, types } = walk(graph, true);
  const outputs = graph.outputs.map(({ name }): ValueInfo => ({ name, ...types.get(name)! }));
  for (const output of outputs) {
    if (output.shape.some((dim) => dim < 1)) {
      throw new ModelRefused({
        where: `output "${output.name}"`,
        what: 'dimensions',
        expected: 'at least 1',
        got: `[${output.shape.join(',')}]`,
      });
    }
  }
  return { ...graph, outputs, nodes, constants };
}

/** Types of all values of a graph that `loadGraph` returned, or of one rewritten from it. */
export function inferTypes(graph: Graph): ValueTypes {
  return walk(graph, false).types;
}

export function contextOf(
  node: GraphNode,
  graph: Pick<Graph, 'opsets' | 'constants'>,
  types: ValueTypes,
): NodeContext {
  return {
    node,
    opset: graph.opsets.get(node.domain) ?? 1,
    type: (i) => types.get(node.inputs[i] ?? ''),
    constant: (i) => graph.constants.get(node.inputs[i] ?? ''),
  };
}

function walk(
  graph: Graph,
  folds: boolean,
): { nodes: GraphNode[]; constants: Map<string, ConstantTensor>; types: Map<string, ValueType> } {
  const types = new Map<string, ValueType>();
  const constants = new Map(graph.constants);
  let total = 0n;
  let folded = 0;
  const add = (name: string, type: ValueType, where: string): void => {
    total += BigInt(elementCount(type.shape, where));
    if (total > MAX_TOTAL_ELEMENTS) {
      throw new ModelRefused({
        where,
        what: 'elements of all values so far',
        expected: `at most ${MAX_TOTAL_ELEMENTS}`,
        got: String(total),
      });
    }
    types.set(name, { dtype: type.dtype, shape: type.shape });
  };
  for (const input of graph.inputs) add(input.name, input, `input "${input.name}"`);
  for (const [name, tensor] of constants) add(name, tensor, `tensor "${name}"`);
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const context = contextOf(node, { opsets: graph.opsets, constants }, types);
    const outputs = typesOf(context);
    node.outputs.forEach((name, i) => {
      if (name !== '')
        add(
          name,
          outputs[i] ?? refuseNode(node, 'outputs', String(outputs.length), node.outputs.length),
          whereOf(node),
        );
    });
    const values = folds ? foldNode(context, outputs) : undefined;
    if (!values) {
      nodes.push(node);
      continue;
    }
    for (const tensor of values) folded += tensor.data.length;
    if (folded > MAX_FOLDED_ELEMENTS)
      refuseNode(node, 'folded constants', `at most ${MAX_FOLDED_ELEMENTS} elements`, folded);
    node.outputs.forEach((name, i) => name !== '' && constants.set(name, values[i]!));
  }
  return { nodes, constants, types };
}

function typesOf(context: NodeContext): readonly ValueType[] {
  const { node } = context;
  const wirings = wiringOf(context);
  if (wirings) return wirings.map(({ shape }) => ({ dtype: need(context, 0).dtype, shape }));
  const rule = rules[`${node.domain}:${node.type}`];
  return rule ? rule(context) : refuseNode(node, 'operator', 'one whose shape can be inferred', node.type);
}

const rules: Readonly<Record<string, Rule>> = Object.fromEntries([...coreTypes, ...domainTypes]);
