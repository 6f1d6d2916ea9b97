/** Names and order of a graph: every value defined once, every node after what it reads, outputs that nobody reads gone. */
import { ModelRefused } from '../errors.js';
import type { GraphNode, ValueInfo } from './graph.js';
import { refuseNode } from './node.js';
import { trimAbsent } from './read-node.js';

/** Further outputs that nobody reads (masks, indices, statistics) are not computed. */
export function withoutUnusedOutputs(nodes: readonly GraphNode[], wanted: ReadonlySet<string>): GraphNode[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  return nodes.map((node) =>
    node.outputs.length < 2
      ? node
      : {
          ...node,
          outputs: trimAbsent(
            node.outputs.map((name, i) => (i === 0 || read.has(name) || wanted.has(name) ? name : '')),
          ),
        },
  );
}

/** Every value name once: inputs, constants and node outputs never collide. */
export function defineValues(
  inputs: readonly ValueInfo[],
  constants: ReadonlyMap<string, unknown>,
  nodes: readonly GraphNode[],
): Set<string> {
  const defined = new Set<string>(constants.keys());
  for (const { name } of inputs) {
    if (defined.has(name))
      throw new ModelRefused({
        where: `input "${name}"`,
        what: 'name',
        expected: 'unique',
        got: 'a second definition',
      });
    defined.add(name);
  }
  for (const node of nodes) {
    for (const name of node.outputs) {
      if (name === '') continue;
      if (defined.has(name)) refuseNode(node, `output "${name}"`, 'defined once', 'a second definition');
      defined.add(name);
    }
  }
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name !== '' && !defined.has(name))
        refuseNode(node, `input "${name}"`, 'defined in the graph', 'undefined');
    }
  }
  return defined;
}

/** Kahn's algorithm, keeping the file's order among nodes that are ready; a rest means a cycle. */
export function sortNodes(nodes: readonly GraphNode[], ready: Set<string>): GraphNode[] {
  const consumers = new Map<string, number[]>();
  const missing = nodes.map((node, index) => {
    const waiting = new Set(node.inputs.filter((name) => name !== '' && !ready.has(name)));
    for (const name of waiting) {
      const list = consumers.get(name);
      if (list) list.push(index);
      else consumers.set(name, [index]);
    }
    return waiting.size;
  });
  const names = new Map<string, number>();
  const sorted: GraphNode[] = [];
  const queue = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  for (let head = 0; head < queue.length; head++) {
    const node = nodes[queue[head]!]!;
    sorted.push(uniquelyNamed(node, names));
    for (const output of node.outputs) {
      for (const consumer of consumers.get(output) ?? [])
        if (--missing[consumer]! === 0) queue.push(consumer);
    }
  }
  if (sorted.length !== nodes.length) {
    refuseNode(nodes[missing.findIndex((count) => count > 0)]!, 'inputs', 'computable before it', 'a cycle');
  }
  return sorted;
}

/** ONNX lets two nodes share a name; reports and wire labels need them apart. */
function uniquelyNamed(node: GraphNode, names: Map<string, number>): GraphNode {
  const count = (names.get(node.name) ?? 0) + 1;
  names.set(node.name, count);
  return count === 1 ? node : uniquelyNamed({ ...node, name: `${node.name}#${count}` }, names);
}
