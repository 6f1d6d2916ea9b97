/** Public surface of the compiler: a model's executed graph becomes a circuit, an inference becomes a witness. */
import { evaluateElement } from './affine.js';
import { compileGraph, type LayerCost } from './compile.js';
import { quantizeInputs, requireIntegerInputs, type GivenInputs } from './inputs.js';
import { interpret } from './interpret.js';
import { manifestOf, type InputMode, type Manifest, type OutputMode } from './manifest.js';
import type { Graph } from './onnx/graph.js';
import type { LabelRange } from './r1cs/builder.js';
import type { CompactWitness, R1cs } from './r1cs/r1cs.js';
import type { WitnessProgram } from './r1cs/solver.js';
import { canonical } from './field.js';
import { resolve } from './resolve.js';

export type { LayerCost } from './compile.js';
export type { GivenInputs } from './inputs.js';
export type { InputMode, Manifest, OutputMode, PostProcessingStep, TensorInfo } from './manifest.js';
export { check } from './r1cs/check.js';

export interface CompileOptions {
  /** Default `committed`. */
  readonly inputMode?: InputMode;
  /** Default `packed`. */
  readonly outputMode?: OutputMode;
}

/** Integer tensors by name, row-major, values as the dtype holds them. */
export type IntegerTensors = ReadonlyMap<string, Int32Array>;

export interface WitnessRequest {
  /** By graph input name, quantized already (`quantizeInput`). */
  readonly inputs: IntegerTensors;
  readonly ctx: bigint;
  /** 248 random bits; ignored by a circuit without commitments. */
  readonly salt: bigint;
}

export interface InferenceWitness {
  readonly witness: CompactWitness;
  readonly publicSignals: readonly bigint[];
  /** The integers the witness proves, by output tensor. */
  readonly outputs: IntegerTensors;
}

export interface CompiledModel {
  readonly r1cs: R1cs;
  readonly labels: readonly LabelRange[];
  readonly manifest: Manifest;
  readonly layers: readonly LayerCost[];
  readonly program: WitnessProgram;
  /** Wires the prover may choose (ctx, input elements, salt): what the uniqueness check starts from. */
  readonly givenWires: readonly number[];
  /** The leading QuantizeLinear, outside the proof. Throws InputRefused for a wrong name, size, NaN or range. */
  quantizeInput(given: GivenInputs): IntegerTensors;
  /** The integer graph on plain integers. */
  reference(inputs: IntegerTensors): IntegerTensors;
  computeWitness(request: WitnessRequest): InferenceWitness;
}

/** Compiles a graph in executed form (circuits/import). Throws ModelRefused. Same graph, same bytes, anywhere. */
export function compile(graph: Graph, options: CompileOptions = {}): CompiledModel {
  const resolved = resolve(graph);
  const manifest = manifestOf(
    graph,
    resolved,
    options.inputMode ?? 'committed',
    options.outputMode ?? 'packed',
  );
  const { r1cs, labels, program, layers, outputs, givenWires } = compileGraph(resolved, manifest);
  const publicWires = program.provisionalWires(Array.from({ length: r1cs.publicCount }, (_, i) => i + 1));
  return {
    r1cs,
    labels,
    manifest,
    layers,
    program,
    givenWires,
    quantizeInput: (given) => quantizeInputs(resolved.boundary.inputs, given),
    reference: (inputs) => interpret(resolved, requireIntegerInputs(resolved.boundary.inputs, inputs)),
    computeWitness({ inputs, ctx, salt }) {
      const tensors = requireIntegerInputs(resolved.boundary.inputs, inputs);
      const assignment = program.assign({ tensors, ctx, salt });
      return {
        witness: program.compact(assignment),
        publicSignals: publicWires.map((wire) => canonical(assignment.get(wire))),
        outputs: new Map(
          outputs.map((tensor, i) => [
            resolved.boundary.outputs[i],
            Int32Array.from(tensor.constants, (_, element) =>
              evaluateElement(tensor, element, assignment.small),
            ),
          ]),
        ),
      };
    },
  };
}
