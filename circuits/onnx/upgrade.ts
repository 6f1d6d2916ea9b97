/**
 * Opset 6 read as opset 7: the last change to how operands broadcast. Where the old `axis` attribute is absent, operands
 * of one shape and trailing alignment mean the same in both; the other old attributes have no meaning at inference.
 */
import type { AttributeValue, Graph, GraphNode } from './graph.js';
import { hasAttribute, intAttribute, refuseNode } from './node.js';

const NEW_BROADCAST = 7;

const broadcasting: ReadonlySet<string> = new Set(
  'Add Sub Mul Div Pow And Or Xor Equal Greater Less Gemm PRelu'.split(' '),
);
const forgotten: ReadonlySet<string> = new Set(['consumed_inputs', 'broadcast', 'is_test', 'spatial']);

export function upgrade(graph: Graph): Graph {
  const version = graph.opsets.get('');
  if (version === undefined || version >= NEW_BROADCAST) return graph;
  return {
    ...graph,
    opsets: new Map(graph.opsets).set('', NEW_BROADCAST),
    nodes: graph.nodes.map(upgradeNode),
  };
}

function upgradeNode(node: GraphNode): GraphNode {
  if (node.domain !== '') return node;
  if (broadcasting.has(node.type) && hasAttribute(node, 'axis')) {
    refuseNode(node, 'axis', 'absent (opset 7 broadcasting)', intAttribute(node, 'axis', 0));
  }
  if (intAttribute(node, 'spatial', 1) !== 1) refuseNode(node, 'spatial', '1', 0);
  const kept = [...node.attributes].filter(([name]) => !forgotten.has(name));
  return { ...node, attributes: new Map<string, AttributeValue>(kept) };
}
