import type { AffineTensor } from '../../circuits/affine.js';
import { wiresAsTensor } from '../../circuits/affine.js';
import { FIELD_MODULUS } from '../../circuits/field.js';
import { Builder, type LabelRange } from '../../circuits/r1cs/builder.js';
import type { R1cs } from '../../circuits/r1cs/r1cs.js';
import type { WitnessInputs, WitnessProgram } from '../../circuits/r1cs/solver.js';

/** A gadget with its inputs and outputs made public, so that a changed output is a changed statement. */
export interface GadgetCircuit {
  readonly r1cs: R1cs;
  readonly program: WitnessProgram;
  readonly labels: readonly LabelRange[];
  readonly inputCount: number;
  readonly outputCount: number;
  /** Rows and wires of the gadget alone, without inputs and output rows. */
  readonly cost: { readonly rows: number; readonly wires: number };
}

export interface GadgetCase {
  readonly name: string;
  /** Inclusive range of each input tensor's elements. */
  readonly inputs: readonly { readonly lo: number; readonly hi: number; readonly count: number }[];
  constrain(circuit: Builder, inputs: readonly AffineTensor[]): AffineTensor;
  /** Outputs from the flat list of input elements; undefined where the relation must be unsatisfiable. */
  reference(inputs: readonly number[]): readonly number[] | undefined;
  /** The operands' bounds are proven elsewhere: outside them the gadget promises nothing. */
  readonly assumesBounds?: true;
  /** Labels of wires that may change freely, each with its reason in the gadget. */
  readonly free?: RegExp;
}

export function gadgetCircuit(gadget: GadgetCase, modulus: bigint = FIELD_MODULUS): GadgetCircuit {
  const circuit = new Builder({ modulus });
  let offset = 0;
  const tensors = gadget.inputs.map(({ lo, hi, count }) => {
    const from = offset;
    offset += count;
    const first = circuit.public('input', count, ({ inputs }) =>
      Array.from({ length: count }, (_, i) => BigInt(inputs.tensors.get('in')![from + i])),
    );
    return wiresAsTensor([count], first, new Float64Array(count).fill(lo), new Float64Array(count).fill(hi));
  });
  const before = { rows: circuit.constraintCount, wires: circuit.wireCount };
  const output = gadget.constrain(circuit, tensors);
  const cost = { rows: circuit.constraintCount - before.rows, wires: circuit.wireCount - before.wires };
  const outputCount = output.constants.length;
  const published = circuit.public('output', outputCount, (assignment) =>
    Array.from({ length: outputCount }, (_, i) => {
      let sum = BigInt(output.constants[i]);
      for (let k = output.starts[i]; k < output.starts[i + 1]; k++) {
        sum += BigInt(output.coefficients[k]) * assignment.get(output.wires[k]);
      }
      return sum;
    }),
  );
  for (let i = 0; i < outputCount; i++) {
    circuit.a.addElement(output, i, 1);
    circuit.c.add(published + i, 1);
    circuit.enforceLinear('output');
  }
  const { r1cs, program, labels } = circuit.finish();
  return { r1cs, program, labels, inputCount: offset, outputCount, cost };
}

export function gadgetInputs(values: readonly number[]): WitnessInputs {
  return { tensors: new Map([['in', Int32Array.from(values)]]), ctx: 0n, salt: 0n };
}
