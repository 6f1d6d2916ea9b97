/**
 * One exponent for values that must share a scale. Moving, clamping, taking maxima and adding keep the scale, so that
 * they stay exact on integers; every other operator rounds into a scale of its own.
 */
import type { ObservedValue } from './calibrate.js';
import { type CalibrationMethod, chooseExponent } from './lattice.js';
import type { PlainGraph, PlainNode } from './plain.js';

export interface Scale {
  readonly exponent: number;
  /** 0, or −128 for inputs that are never negative and reach no computed value: 255 steps span [0, max]. */
  readonly zeroPoint: 0 | -128;
}

const CLAMPS = new Set(['Relu', 'Clip']);
const KEEPS_SCALE = new Set([
  'Relu',
  'Clip',
  'MaxPool',
  'GlobalMaxPool',
  'ReduceMax',
  'ReduceMin',
  'Add',
  'Sub',
  'Sum',
  'Max',
  'Min',
]);

/** @param inputs names of the float graph inputs. @param ranges of every value that calibration saw. */
export function chooseScales(
  graph: PlainGraph,
  inputs: readonly string[],
  ranges: ReadonlyMap<string, ObservedValue>,
  constantPeak: (node: PlainNode) => number,
  options: { readonly levels: number; readonly method: CalibrationMethod },
): (name: string) => Scale {
  const parent = new Map<string, string>();
  const root = (name: string): string => {
    const up = parent.get(name);
    if (up === undefined || up === name) return name;
    const top = root(up);
    parent.set(name, top);
    return top;
  };
  const readers = new Map<string, PlainNode[]>();
  const computed = new Set<string>();
  const peaks = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
    const keeps = node.kind === 'wiring' || (node.kind === 'operator' && KEEPS_SCALE.has(node.node.type));
    if (!keeps) computed.add(node.output);
    else
      for (const input of node.inputs) if (graph.types.has(input)) parent.set(root(input), root(node.output));
    // A fill or an operand that is a constant must fit the scale too; both forbid a zero point of its own.
    const isMixed = node.kind === 'wiring' ? node.wiring.map().includes(-1) : keeps && !isClampOrPool(node);
    if (isMixed) computed.add(node.output);
    peaks.set(node.output, constantPeak(node));
  }
  const outputs = new Set(graph.outputs.values());
  const members = new Map<string, string[]>();
  const names = new Set([...inputs, ...graph.nodes.map((node) => node.output)]);
  for (const name of names) members.set(root(name), [...(members.get(root(name)) ?? []), name]);
  const isClampedAway = (name: string): boolean =>
    !outputs.has(name) &&
    (readers.get(name) ?? []).length > 0 &&
    readers.get(name)!.every((node) => node.kind === 'operator' && CLAMPS.has(node.node.type));
  const scales = new Map<string, Scale>();
  for (const [top, group] of members) {
    const isInput = group.some((name) => inputs.includes(name));
    const isPlainInput = isInput && group.every((name) => !computed.has(name));
    const seen = group.filter((name) => ranges.has(name) && (inputs.includes(name) || !isClampedAway(name)));
    const zeroPoint = isPlainInput && seen.every((name) => ranges.get(name)!.min >= 0) ? -128 : 0;
    // Inputs keep 8 bits and their whole range whatever the width of the activations.
    const levels = isPlainInput ? 127 - zeroPoint : options.levels;
    const method = isInput ? 'minmax' : options.method;
    const exponents = seen.map((name) => chooseExponent(ranges.get(name)!, levels, method));
    const peak = Math.max(0, ...group.map((name) => peaks.get(name) ?? 0));
    if (peak > 0) exponents.push(Math.ceil(Math.log2(peak / (levels + 1))));
    scales.set(top, { exponent: exponents.length > 0 ? Math.max(...exponents) : -7, zeroPoint });
  }
  return (name) => scales.get(root(name))!;
}

/** Sharing a scale may cost a value this many bits before it gets a copy. */
const BITS_TO_SPARE = 2;

/**
 * An operand that a layer reads too, and that would lose its fine scale to the sum it is added into, is copied: the
 * copy is rounded to the scale of the sum, the original keeps its own.
 */
export function copyFineOperands(
  graph: PlainGraph,
  ranges: ReadonlyMap<string, ObservedValue>,
  scaleOf: (name: string) => Scale,
  options: { readonly levels: number; readonly method: CalibrationMethod },
): PlainGraph {
  const readers = new Map<string, number>();
  for (const { inputs } of graph.nodes)
    for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  const types = new Map(graph.types);
  const nodes = graph.nodes.flatMap((node): PlainNode[] => {
    const joins = node.inputs.length > 1 && (node.kind === 'wiring' || node.kind === 'operator');
    const keeps = node.kind === 'wiring' || (node.kind === 'operator' && KEEPS_SCALE.has(node.node.type));
    if (!joins || !keeps) return [node];
    const copies: PlainNode[] = [];
    const inputs = node.inputs.map((input, i) => {
      const range = ranges.get(input);
      const type = types.get(input);
      if (!range || !type || readers.get(input) === 1) return input;
      const own = chooseExponent(range, options.levels, options.method);
      if (scaleOf(input).exponent - own <= BITS_TO_SPARE) return input;
      const output = `${node.output}_copy${i}`;
      const size = type.shape.reduce((product, dim) => product * dim, 1);
      types.set(output, type);
      copies.push({
        kind: 'affine',
        name: `copy_${output}`,
        inputs: [input],
        output,
        scale: new Float32Array(size).fill(1),
        shift: new Float32Array(size),
      });
      return output;
    });
    return [...copies, { ...node, inputs } as PlainNode];
  });
  return { nodes, types, outputs: graph.outputs };
}

function isClampOrPool(node: PlainNode): boolean {
  return (
    node.kind === 'operator' &&
    ['Relu', 'Clip', 'MaxPool', 'GlobalMaxPool', 'ReduceMax', 'ReduceMin'].includes(node.node.type)
  );
}
