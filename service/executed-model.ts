/** From uploaded bytes to what is compiled and what ONNX Runtime runs. */
import { importModel } from '../circuits/import/import.js';
import { encodeGraph } from '../circuits/onnx/encode.js';
import type { Graph } from '../circuits/onnx/graph.js';

export interface ExecutedModel {
  /** For circuits/compile. */
  readonly graph: Graph;
  /** ONNX bytes for ONNX Runtime; its outputs are the model's own, then `provenOutputs`. */
  readonly executed: Uint8Array;
  readonly notes: readonly string[];
}

/** Throws ModelRefused. `provenOutputs` are the integer tensors that the circuit speaks about. */
export function executedModelOf(
  bytes: Uint8Array,
  provenOutputs: (graph: Graph) => readonly string[],
): ExecutedModel {
  const { graph, executedGraph, notes } = importModel(bytes);
  const own = new Set(executedGraph.outputs.map(({ name }) => name));
  const observed = provenOutputs(graph).filter((name) => !own.has(name));
  return { graph, executed: encodeGraph(executedGraph, { observed }), notes };
}
