import type { ResolvedGraph } from './resolve.js';
import type { IntTensor } from './tensor.js';

/** The meaning of the executed graph on plain integers: what the circuit is tested against. */
export function interpret(
  graph: ResolvedGraph,
  inputs: ReadonlyMap<string, Int32Array>,
): ReadonlyMap<string, Int32Array> {
  const values = new Map<string, IntTensor>();
  for (const { name, tensor, dtype, shape } of graph.boundary.inputs) {
    values.set(tensor, { dtype, shape, data: inputs.get(name)! });
  }
  for (const [name, { type, data }] of graph.constants) values.set(name, { ...type, data });
  for (const { op, attributes, operands, outputs, types } of graph.nodes) {
    const results = op.reference(
      attributes,
      operands.map((name) => values.get(name)!),
      types,
    );
    results.forEach((result, i) => values.set(outputs[i], result));
  }
  return new Map(graph.boundary.outputs.map((name) => [name, values.get(name)!.data]));
}
