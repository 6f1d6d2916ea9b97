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
  readonly coefficients: Float64Array;
  readonly constants: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

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
  const coefficients = new Float64Array(count).fill(1);
  return { shape, starts, wires, coefficients, constants: new Float64Array(count), lo, hi };
}

/** A tensor of known integers. */
export function constantTensor(shape: readonly number[], values: ArrayLike<number>): AffineTensor {
  const constants = Float64Array.from(values);
  return {
    shape,
    starts: new Uint32Array(constants.length + 1),
    wires: new Uint32Array(0),
    coefficients: new Float64Array(0),
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

/** Builds an AffineTensor element by element; terms of an element must come sorted and without duplicates. */
export class AffineWriter {
  private readonly starts = new GrowableUint32();
  private readonly wires = new GrowableUint32();
  private readonly coefficients = new GrowableFloat64();
  private readonly constants = new GrowableFloat64();
  private readonly lo = new GrowableFloat64();
  private readonly hi = new GrowableFloat64();

  constructor() {
    this.starts.push(0);
  }

  term(wire: number, coefficient: number): void {
    this.wires.push(wire);
    this.coefficients.push(coefficient);
  }

  end(constant: number, lo: number, hi: number): void {
    this.starts.push(this.wires.length);
    this.constants.push(constant);
    this.lo.push(lo);
    this.hi.push(hi);
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

  finish(shape: readonly number[]): AffineTensor {
    return {
      shape,
      starts: this.starts.view(),
      wires: this.wires.view(),
      coefficients: this.coefficients.view(),
      constants: this.constants.view(),
      lo: this.lo.view(),
      hi: this.hi.view(),
    };
  }
}
