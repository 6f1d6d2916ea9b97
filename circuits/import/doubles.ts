/**
 * Double precision that holds nothing float32 would not: small integers cast to float64, constants that float32 holds,
 * and operators that select, move or multiply them with sums below 2^24. There float32, float64 and integer arithmetic
 * give the same numbers, so the graph is read as one of float32; any other float64 is refused.
 */
import { ModelRefused } from '../errors.js';
import type { ConstantTensor, Graph, GraphNode } from '../onnx/graph.js';
import { contextOf, inferTypes } from '../onnx/infer.js';
import { refuseNode } from '../onnx/node.js';
import type { NodeContext } from '../onnx/shape.js';
import { dtypeCodes } from '../onnx/tensor.js';
import { wiringOf } from '../onnx/wiring.js';
import { isComparison } from './choice.js';

/** Integers up to here are float32 numbers, and so are their sums and products up to here. */
const EXACT = 2 ** 24;

const magnitudes: Partial<Record<string, number>> = {
  bool: 1,
  int8: 128,
  uint8: 255,
  int16: 32768,
  uint16: 65535,
};

export function withoutDoubles(graph: Graph): Graph {
  const types = inferTypes(graph);
  if (![...types.values()].some(({ dtype }) => dtype === 'float64')) return graph;
  const bounds = new Map<string, number>();
  const constants = new Map(
    [...graph.constants].map(([name, tensor]) => {
      if (tensor.dtype !== 'float64') return [name, tensor] as const;
      const values = Array.from(tensor.data as Float64Array, Math.abs);
      bounds.set(
        name,
        values.reduce((a, b) => Math.max(a, b), 0),
      );
      return [name, asFloat32(name, tensor)] as const;
    }),
  );
  for (const { name, dtype } of graph.inputs) if (dtype === 'float64') refuse(`input "${name}"`);
  const nodes = graph.nodes.map((node) => {
    const isDouble = (name: string): boolean => types.get(name)?.dtype === 'float64';
    if (!node.inputs.some(isDouble) && !node.outputs.some(isDouble)) return node;
    const context = contextOf(node, graph, types);
    const bound = boundOf(context, bounds);
    for (const output of node.outputs) if (isDouble(output)) bounds.set(output, bound);
    if (node.type !== 'Cast' || !isDouble(node.outputs[0]!)) return node;
    return {
      ...node,
      attributes: new Map(node.attributes).set('to', { kind: 'int', value: dtypeCodes.float32 }),
    };
  });
  const outputs = graph.outputs.map((output) =>
    output.dtype === 'float64' ? ({ ...output, dtype: 'float32' } as const) : output,
  );
  return { ...graph, constants, nodes, outputs };
}

/** Greatest magnitude of what a node returns, from those of its float64 inputs. */
function boundOf(context: NodeContext, bounds: ReadonlyMap<string, number>): number {
  const { node } = context;
  const known = node.inputs.flatMap((name) => bounds.get(name) ?? []);
  if (node.domain === '' && node.type === 'Cast')
    return magnitudes[context.type(0)!.dtype] ?? refuseDouble(node, `a cast of ${context.type(0)!.dtype}`);
  if (node.domain === '' && node.type === 'MatMul') {
    const { shape } = context.type(0)!;
    const bound = shape[shape.length - 1]! * known[0]! * known[known.length - 1]!;
    return bound <= EXACT ? bound : refuseDouble(node, `sums up to ${bound}`);
  }
  const selects = (node.domain === '' && node.type === 'Where') || isComparison(node) || wiringOf(context);
  return selects ? Math.max(...known) : refuseDouble(node, node.type);
}

function asFloat32(name: string, { shape, data }: ConstantTensor): ConstantTensor {
  const narrow = Float32Array.from(data as Float64Array);
  if (narrow.some((x, i) => !Object.is(x, data[i]))) refuse(`value "${name}"`);
  return { dtype: 'float32', shape, data: narrow };
}

function refuse(where: string): never {
  throw new ModelRefused({ where, what: 'dtype', expected: 'float32', got: 'float64' });
}

function refuseDouble(node: GraphNode, got: string): never {
  const expected = 'integers up to 2^24 that are cast, moved, selected or multiplied, else float32';
  return refuseNode(node, 'dtype', expected, `float64 (${got})`);
}
