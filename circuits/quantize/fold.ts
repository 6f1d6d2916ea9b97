/** What a float graph computes from constants alone, computed once by ONNX Runtime. */
import { encodeGraph } from '../onnx/encode.js';
import type { ConstantTensor, Dtype, Graph, GraphNode, TensorData } from '../onnx/graph.js';
import { inferTypes } from '../onnx/infer.js';
import { openSession } from './calibrate.js';

/** The same graph without the nodes all of whose inputs are known. */
export async function foldConstants(graph: Graph): Promise<Graph> {
  const known = new Set(graph.constants.keys());
  const folded: GraphNode[] = [];
  const kept: GraphNode[] = [];
  for (const node of graph.nodes) {
    const isKnown =
      node.inputs.some((name) => name !== '') && node.inputs.every((name) => name === '' || known.has(name));
    (isKnown ? folded : kept).push(node);
    if (isKnown) node.outputs.forEach((name) => known.add(name));
  }
  if (folded.length === 0) return graph;
  const read = new Set([...kept.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const wanted = folded.flatMap(({ outputs }) => outputs).filter((name) => name !== '' && read.has(name));
  const types = inferTypes(graph);
  const outputs = wanted.map((name) => ({ name, ...types.get(name)! }));
  if (outputs.length === 0) return { ...graph, nodes: kept };
  const used = new Set(folded.flatMap(({ inputs }) => inputs));
  const constants = new Map([...graph.constants].filter(([name]) => used.has(name)));
  const session = await openSession(encodeGraph({ ...graph, inputs: [], outputs, constants, nodes: folded }));
  const results = await session.run({});
  await session.release();
  const all = new Map(graph.constants);
  for (const { name } of outputs) {
    const { type, data, dims } = results[name]!;
    all.set(name, {
      dtype: type as Dtype,
      shape: dims,
      data: data as TensorData,
    } satisfies ConstantTensor);
  }
  return { ...graph, constants: all, nodes: kept };
}
