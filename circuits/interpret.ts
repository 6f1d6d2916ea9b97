import type { ResolvedGraph } from './resolve.js';
import type { IntTensor } from './tensor.js';

/**
 * The meaning of the executed graph on plain integers: what the circuit is tested against. `observe` sees every
 * tensor as it is computed, quantized inputs first.
 */
export function interpret(
  graph: ResolvedGraph,
  inputs: ReadonlyMap<string, Int32Array>,
  observe?: (name: string, tensor: IntTensor, node: string) => void,
): ReadonlyMap<string, Int32Array> {
  const values = new Map<string, IntTensor>();
  for (const { name, tensor, dtype, shape } of graph.boundary.inputs) {
    const value = { dtype, shape, data: inputs.get(name)! };
    values.set(tensor, value);
    observe?.(tensor, value, 'input');
  }
  for (const [name, { type, data }] of graph.constants) values.set(name, { ...type, data });
  for (const { name, op, attributes, operands, outputs, types } of graph.nodes) {
    const results = op.reference(
      attributes,
      operands.map((operand) => values.get(operand)!),
      types,
    );
    results.forEach((result, i) => {
      values.set(outputs[i], result);
      observe?.(outputs[i], result, name);
    });
  }
  return new Map(graph.boundary.outputs.map((name) => [name, values.get(name)!.data]));
}
