import ort from 'onnxruntime-node';
import { InputRefused } from '../../circuits/errors.js';
import { check, compile, type CompiledModel } from '../../circuits/index.js';
import { encodeGraph } from '../../circuits/onnx/encode.js';
import type { Dtype, Graph } from '../../circuits/onnx/graph.js';
import { typedArrays } from '../../circuits/onnx/tensor.js';
import { checkUniqueness } from '../../circuits/r1cs/uniqueness.js';
import type { OperatorCase } from './operator-cases.js';
import type { Random } from './random.js';
import { between, carriedRanges } from './values.js';

/** Inputs of a compiled model: all minimum, all maximum, zero, or random. */
export function operatorInputs(
  { manifest }: CompiledModel,
  r: Random,
  ranges: OperatorCase['ranges'] = {},
): Map<string, Int32Array> {
  const kind = r.below(8);
  return new Map(
    manifest.inputs.map(({ name, dtype, shape }) => {
      const [lo, hi] = ranges[name] ?? carriedRanges[dtype]!;
      const count = shape.reduce((all, size) => all * size, 1);
      const pick = () =>
        kind === 0 ? lo : kind === 1 ? hi : kind === 2 ? Math.min(Math.max(0, lo), hi) : between(r, lo, hi);
      return [name, Int32Array.from({ length: count }, pick)];
    }),
  );
}

/** A graph in ONNX Runtime, its integer outputs flat. */
class Runtime {
  private constructor(
    private readonly graph: Graph,
    private readonly session: ort.InferenceSession,
  ) {}

  static async open(graph: Graph): Promise<Runtime> {
    const session = await ort.InferenceSession.create(encodeGraph(graph), {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: 1,
      extra: { session: { x64quantprecision: '1' } },
    });
    return new Runtime(graph, session);
  }

  async run(inputs: ReadonlyMap<string, Int32Array>): Promise<number[]> {
    const feeds = Object.fromEntries(
      this.graph.inputs.map(({ name, dtype, shape }) => {
        const given = inputs.get(name)!;
        const data =
          dtype === 'int64' || dtype === 'uint64'
            ? typedArrays[dtype].from(Array.from(given, BigInt))
            : typedArrays[dtype as 'int32'].from(given);
        return [name, new ort.Tensor(dtype as Exclude<Dtype, 'int64'>, data as never, shape as number[])];
      }),
    );
    const results = await this.session.run(feeds);
    return Array.from(results[this.graph.outputs[0].name].data as Int32Array, Number);
  }

  close(): Promise<void> {
    return this.session.release();
  }
}

/** The graph in ONNX Runtime, once: integer outputs, flat. */
export async function runtimeOutputs(
  graph: Graph,
  inputs: ReadonlyMap<string, Int32Array>,
): Promise<number[]> {
  const runtime = await Runtime.open(graph);
  const outputs = await runtime.run(inputs);
  await runtime.close();
  return outputs;
}

/** What the operator answers, or that it has no answer for these inputs. */
export function referenceOrRefusal(
  model: CompiledModel,
  inputs: ReadonlyMap<string, Int32Array>,
): ReadonlyMap<string, Int32Array> | 'refused' {
  try {
    return model.reference(inputs);
  } catch (error) {
    if (error instanceof InputRefused) return 'refused';
    throw error;
  }
}

/** One case: reference = circuit = ONNX Runtime, the witness satisfies, every wire is determined. */
export function disagreement(drawn: OperatorCase, r: Random): Promise<string | undefined> {
  return firstDisagreement(drawn, r, 1, compile(drawn.graph));
}

/** The same for several inputs of one graph whose input is public: the sponge is not what is tested, and costs most. */
export function disagreements(drawn: OperatorCase, r: Random, count: number): Promise<string | undefined> {
  return firstDisagreement(drawn, r, count, compile(drawn.graph, { inputMode: 'public' }));
}

async function firstDisagreement(
  { graph, inRuntime, ranges }: OperatorCase,
  r: Random,
  count: number,
  model: CompiledModel,
): Promise<string | undefined> {
  const { undetermined } = checkUniqueness(model.r1cs, { givenWires: model.givenWires });
  if (undetermined.length > 0) return `${undetermined.length} wires are not determined`;
  const runtime = inRuntime ? await Runtime.open(graph) : undefined;
  const [{ name }] = graph.outputs;
  for (let k = 0; k < count; k++) {
    const inputs = operatorInputs(model, r, ranges);
    const answer = referenceOrRefusal(model, inputs);
    const { witness, outputs } = model.computeWitness({ inputs, ctx: 5n, salt: 6n });
    const result = check(model.r1cs, witness, { labels: model.labels });
    if (answer === 'refused') {
      if (result.ok) return `inputs ${k}: the reference refuses what the circuit accepts`;
      continue;
    }
    if (!result.ok) return `inputs ${k}: row ${result.row} (${result.label}) fails`;
    const reference = Array.from(answer.get(name)!);
    if (outputs.get(name)!.join() !== reference.join()) return `inputs ${k}: circuit and reference differ`;
    const expected = await runtime?.run(inputs);
    const at = expected?.findIndex((value, i) => value !== reference[i]) ?? -1;
    if (at >= 0)
      return `inputs ${k}, element ${at}: ONNX Runtime ${expected![at]}, reference ${reference[at]}`;
  }
  await runtime?.close();
  return undefined;
}
