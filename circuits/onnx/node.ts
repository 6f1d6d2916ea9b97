/** Reading a node's attributes and constant inputs, with refusals that name the node. */
import { ModelRefused } from '../errors.js';
import type { ConstantTensor, GraphNode } from './graph.js';
import type { NodeContext } from './shape.js';

export function whereOf(node: GraphNode): string {
  return `node "${node.name}" (${node.domain ? `${node.domain}:` : ''}${node.type})`;
}

export function refuseNode(node: GraphNode, what: string, expected: string, got: unknown): never {
  throw new ModelRefused({
    where: whereOf(node),
    what,
    expected,
    got: Array.isArray(got) ? `[${got.join(',')}]` : String(got),
  });
}

export function hasAttribute(node: GraphNode, name: string): boolean {
  return node.attributes.has(name);
}

export function intAttribute(node: GraphNode, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function floatAttribute(node: GraphNode, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

export function stringAttribute(node: GraphNode, name: string, fallback: string): string {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'string' ? attribute.value : fallback;
}

export function intsAttribute(node: GraphNode, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}

export function floatsAttribute(node: GraphNode, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'floats' ? attribute.value : undefined;
}

/** The integers of a constant; beyond 2^53 they are clamped, which is what "to the end" in a Slice means. */
export function integersOf(tensor: ConstantTensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, (value) => {
    const number = Number(value);
    return Math.min(Math.max(number, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  });
}

/** An axis in [-rank, rank) as [0, rank). */
export function axisOf(node: GraphNode, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    refuseNode(node, 'axis', `in [${-rank}, ${rank - 1}]`, axis);
  return axis < 0 ? axis + rank : axis;
}

/** Integers that ONNX moved from an attribute to an input over time; they must be known when the model is loaded. */
export function integersGiven(
  context: NodeContext,
  attribute: string,
  input: number,
): readonly number[] | undefined {
  const fromAttribute = intsAttribute(context.node, attribute);
  if (fromAttribute) return fromAttribute;
  if (!context.type(input)) return undefined;
  const constant = context.constant(input);
  if (!constant) refuseNode(context.node, attribute, 'a constant', 'a value computed at run time');
  return integersOf(constant);
}
