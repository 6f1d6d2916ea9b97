import ort from 'onnxruntime-node';
import { check, compile, type CompiledModel } from '../../circuits/index.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { Dtype, Graph } from '../../circuits/onnx/graph.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import type { OperatorCase } from './operator-cases.js';
import type { Random } from './random.js';
import { between } from './values.js';

const typed = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  bool: Uint8Array,
} as const;

/** Inputs of a compiled model: all minimum, all maximum, zero, or random. */
export function operatorInputs({ manifest }: CompiledModel, r: Random): Map<string, Int32Array> {
  const kind = r.below(8);
  return new Map(
    manifest.inputs.map(({ name, dtype, shape }) => {
      const [lo, hi] =
        dtype === 'int8'
          ? [-128, 127]
          : dtype === 'uint8'
            ? [0, 255]
            : dtype === 'bool'
              ? [0, 1]
              : [-(2 ** 31), 2 ** 31 - 1];
      const count = shape.reduce((all, size) => all * size, 1);
      const pick = () =>
        kind === 0 ? lo : kind === 1 ? hi : kind === 2 ? Math.max(0, lo) : between(r, lo, hi);
      return [name, Int32Array.from({ length: count }, pick)];
    }),
  );
}

/** The graph in ONNX Runtime: integer outputs, flat. */
export async function runtimeOutputs(
  graph: Graph,
  inputs: ReadonlyMap<string, Int32Array>,
): Promise<number[]> {
  const session = await ort.InferenceSession.create(encodeGraph(graph), {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    extra: { session: { x64quantprecision: '1' } },
  });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const data = typed[dtype as keyof typeof typed].from(inputs.get(name)!);
      return [name, new ort.Tensor(dtype as Exclude<Dtype, 'int64'>, data as never, shape as number[])];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  return Array.from(results[graph.outputs[0].name].data as Int32Array, Number);
}

/** One case: reference = circuit = ONNX Runtime, the witness satisfies, every wire is determined. */
export async function disagreement(
  { graph, inRuntime }: OperatorCase,
  r: Random,
): Promise<string | undefined> {
  const model = compile(graph);
  const inputs = operatorInputs(model, r);
  const [name] = [graph.outputs[0].name];
  const reference = Array.from(model.reference(inputs).get(name)!);
  const { witness, outputs } = model.computeWitness({ inputs, ctx: 5n, salt: 6n });
  const result = check(model.r1cs, witness, { labels: model.labels });
  if (!result.ok) return `row ${result.row} (${result.label}) fails`;
  if (outputs.get(name)!.join() !== reference.join()) return 'circuit and reference differ';
  const { undetermined } = checkUniqueness(model.r1cs, { givenWires: model.givenWires });
  if (undetermined.length > 0) return `${undetermined.length} wires are not determined`;
  if (!inRuntime) return undefined;
  const expected = await runtimeOutputs(graph, inputs);
  const at = expected.findIndex((value, i) => value !== reference[i]);
  return at < 0 ? undefined : `element ${at}: ONNX Runtime ${expected[at]}, reference ${reference[at]}`;
}
