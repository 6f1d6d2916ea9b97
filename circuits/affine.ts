import { GrowableFloat64, GrowableUint32 } from './r1cs/growable.js';
import type { LinearCombination } from './r1cs/linear-combination.js';

/**
 * A tensor whose elements are linear combinations of wires with integer coefficients and an integer constant,
 * each with an interval [lo, hi] that contains it for every admissible input. Linear layers are arithmetic on
 * these and cost nothing; wires appear only where something non-linear happens. Row-major, terms sorted by
 * wire, no wire twice in an element, never wire 0 (that is the constant).
 */
export interface AffineTensor {
  readonly shape: readonly number[];
  readonly starts: Uint32Array;
  readonly wires: Uint32Array;
  readonly coefficients: Coefficients;
  readonly constants: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

/** Integers in the narrowest array that holds them: a network's are weights, and there is one for each of its products. */
export type Coefficients = Int16Array | Int32Array | Float64Array;

/** A tensor of fresh wires: element i is wire first + i plus an offset. */
export function wiresAsTensor(
  shape: readonly number[],
  firstWire: number,
  lo: Float64Array,
  hi: Float64Array,
): AffineTensor {
  const count = lo.length;
  const starts = new Uint32Array(count + 1);
  const wires = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    starts[i + 1] = i + 1;
    wires[i] = firstWire + i;
  }
  const coefficients = new Int16Array(count).fill(1);
  return { shape, starts, wires, coefficients, constants: new Float64Array(count), lo, hi };
}

/** A tensor of known integers. */
export function constantTensor(shape: readonly number[], values: ArrayLike<number>): AffineTensor {
  const constants = Float64Array.from(values);
  return {
    shape,
    starts: new Uint32Array(constants.length + 1),
    wires: new Uint32Array(0),
    coefficients: new Int16Array(0),
    constants,
    lo: constants,
    hi: constants,
  };
}

/** The same elements under another shape. */
export function reshaped(tensor: AffineTensor, shape: readonly number[]): AffineTensor {
  return { ...tensor, shape };
}

/** Element i of the result is element indices[i] of the tensor; a negative index stands for `fill`. */
export function gathered(
  tensor: AffineTensor,
  shape: readonly number[],
  indices: ArrayLike<number>,
  fill = 0,
): AffineTensor {
  const writer = new AffineWriter();
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i];
    if (from < 0) writer.end(fill, fill, fill);
    else writer.copy(tensor, from);
  }
  return writer.finish(shape);
}

/** All elements of the tensors, one after the other, as a list. */
export function concatenated(tensors: readonly AffineTensor[]): AffineTensor {
  if (tensors.length === 1) return tensors[0];
  const writer = new AffineWriter();
  for (const tensor of tensors) {
    for (let i = 0; i < tensor.constants.length; i++) writer.copy(tensor, i);
  }
  return writer.finish([tensors.reduce((sum, { constants }) => sum + constants.length, 0)]);
}

/** Wires in one element's combination. */
export function termCount({ starts }: AffineTensor, index: number): number {
  return starts[index + 1] - starts[index];
}

/** Value of one element under a provisional assignment; exact because bounds keep sums below 2^53. */
export function evaluateElement(tensor: AffineTensor, index: number, wireValues: Int32Array): number {
  const { starts, wires, coefficients } = tensor;
  let sum = tensor.constants[index];
  for (let k = starts[index], end = starts[index + 1]; k < end; k++) {
    sum += coefficients[k] * wireValues[wires[k]];
  }
  return sum;
}

/** Where a writer collects before it knows its sizes. */
class Scratch {
  readonly starts = new GrowableUint32();
  readonly wires = new GrowableUint32();
  readonly coefficients = new GrowableFloat64();
  readonly constants = new GrowableFloat64();
  readonly lo = new GrowableFloat64();
  readonly hi = new GrowableFloat64();
  /** Greatest magnitude among the coefficients. */
  widest = 0;

  clear(): this {
    for (const list of [this.wires, this.coefficients, this.constants, this.lo, this.hi]) list.length = 0;
    this.starts.length = 0;
    this.starts.push(0);
    this.widest = 0;
    return this;
  }
}

/** Scratch between two writers. One that has grown large serves the next layer instead of becoming garbage. */
let spare: Scratch[] = [];

/** Lets go of what writers have grown; called when a circuit is finished. */
export function releaseScratch(): void {
  spare = [];
}

/** Builds an AffineTensor element by element; terms of an element must come sorted and without duplicates. */
export class AffineWriter {
  private readonly to = (spare.pop() ?? new Scratch()).clear();

  term(wire: number, coefficient: number): void {
    const { to } = this;
    to.wires.push(wire);
    to.coefficients.push(coefficient);
    const magnitude = Math.abs(coefficient);
    if (magnitude > to.widest) to.widest = magnitude;
  }

  end(constant: number, lo: number, hi: number): void {
    const { starts, wires, constants, lo: los, hi: his } = this.to;
    starts.push(wires.length);
    constants.push(constant);
    los.push(lo);
    his.push(hi);
  }

  /** One element from a normalized combination. */
  combination(from: LinearCombination, lo: number, hi: number): void {
    for (let k = 0; k < from.length; k++) this.term(from.wires[k], from.coefficients[k]);
    // Terms that cancelled leave a known number, whatever each of them could have been.
    if (from.length === 0) this.end(from.offset, from.offset, from.offset);
    else this.end(from.offset, lo, hi);
  }

  copy(from: AffineTensor, index: number): void {
    for (let k = from.starts[index]; k < from.starts[index + 1]; k++) {
      this.term(from.wires[k], from.coefficients[k]);
    }
    this.end(from.constants[index], from.lo[index], from.hi[index]);
  }

  /** The tensor, in arrays of its own; the writer is used up. */
  finish(shape: readonly number[]): AffineTensor {
    const { starts, wires, coefficients, constants, lo, hi, widest } = this.to;
    const tensor = {
      shape,
      starts: starts.view().slice(),
      wires: wires.view().slice(),
      coefficients: narrowed(coefficients.view(), widest),
      constants: constants.view().slice(),
      lo: lo.view().slice(),
      hi: hi.view().slice(),
    };
    spare.push(this.to);
    return tensor;
  }
}

function narrowed(values: Float64Array, widest: number): Coefficients {
  if (widest < 2 ** 15) return Int16Array.from(values);
  return widest < 2 ** 31 ? Int32Array.from(values) : values.slice();
}
