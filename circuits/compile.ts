import { ModelRefused } from './errors.js';
import { constantTensor, releaseScratch, type AffineTensor } from './affine.js';
import type { Manifest } from './manifest.js';
import { Quantized } from './quantized.js';
import { Builder, type LabelRange } from './r1cs/builder.js';
import type { R1cs } from './r1cs/r1cs.js';
import type { WitnessProgram } from './r1cs/solver.js';
import type { ResolvedGraph } from './resolve.js';
import { elementCount } from './tensor.js';
import { constrainContext, constrainInputs, constrainOutputs } from './statement.js';

/** What one node of the graph cost; the rounding of its result stands apart, under its own name. */
export interface LayerCost {
  /** Node name, or node name and `: rounding`. */
  readonly name: string;
  readonly type: string;
  /** Elements of the node's outputs. */
  readonly elements: number;
  readonly rows: number;
  readonly wires: number;
  readonly nonzeros: number;
}

export interface Circuit {
  readonly r1cs: R1cs;
  readonly labels: readonly LabelRange[];
  readonly program: WitnessProgram;
  readonly layers: readonly LayerCost[];
  /** Integer outputs as combinations of provisional wires. */
  readonly outputs: readonly AffineTensor[];
  /** Wires that the statement is about and the prover may choose: ctx, the input elements, the salt. */
  readonly givenWires: readonly number[];
}

/** The integer graph as constraints: public inputs first, then each node in order, then the outputs. */
export function compileGraph(graph: ResolvedGraph, manifest: Manifest): Circuit {
  const circuit = new Builder();
  const values = new Map<string, Quantized>();
  for (const [name, { type, data }] of graph.constants) {
    values.set(name, Quantized.of(type, constantTensor(type.shape, data)));
  }
  const ctx = circuit.scope('context', () => constrainContext(circuit));
  const { tensors, salt } = circuit.scope('input', () => constrainInputs(circuit, manifest));
  graph.boundary.inputs.forEach(({ tensor }, i) => {
    values.set(tensor, Quantized.of(graph.types.get(tensor)!, tensors[i]));
  });
  const unread = new Map(graph.uses);
  for (const { name, op, attributes, operands, outputs, types } of graph.nodes) {
    const isOnlyReader = (index: number) => graph.uses.get(operands[index]) === 1;
    const inputs = operands.map((operand) => values.get(operand)!);
    const results = circuit.scope(name, () =>
      refusing(name, op.type, () =>
        op.constrain({ circuit, label: name, types, isOnlyReader }, attributes, inputs),
      ),
    );
    results.forEach((result, i) => values.set(outputs[i], result));
    // What nobody reads any more is let go of, before the next layer is built.
    for (const operand of operands) {
      const left = (unread.get(operand) ?? Infinity) - 1;
      unread.set(operand, left);
      if (left === 0) values.delete(operand);
    }
  }
  const outputs = circuit.scope('output', () => {
    const forced = graph.boundary.outputs.map((name) => values.get(name)!.force(circuit));
    constrainOutputs(circuit, manifest, forced, salt);
    return forced;
  });
  const layers = layerCosts(circuit, graph);
  const { r1cs, labels, program, newWires } = circuit.finish();
  releaseScratch();
  const given = [ctx, ...(salt === 0 ? [] : [salt]), ...tensors.flatMap(({ wires }) => Array.from(wires))];
  return { r1cs, labels, program, layers, outputs, givenWires: given.map((wire) => newWires[wire]) };
}

function layerCosts(circuit: Builder, graph: ResolvedGraph): LayerCost[] {
  const nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  return [...circuit.costs].flatMap(([name, cost]) => {
    if (name === '') return [];
    const node = nodes.get(name.replace(/: rounding$/, ''));
    const elements = node ? node.types.reduce((sum, { shape }) => sum + elementCount(shape), 0) : 0;
    return [{ name, type: node?.op.type ?? 'statement', elements, ...cost }];
  });
}

/** A gadget that finds its operands too wide says so without knowing where it stands. */
function refusing<T>(name: string, type: string, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const where = `node "${name}" (${type})`;
    throw new ModelRefused({
      where,
      what: 'value range',
      expected: 'narrow enough to prove',
      got: error.message,
    });
  }
}
