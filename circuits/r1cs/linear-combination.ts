import type { AffineTensor } from '../affine.js';

/**
 * One linear combination under construction, reused for every row: terms arrive in any order, `normalize`
 * sorts them by wire and adds up duplicates (a wire stands at most once in a row). Coefficients are safe integers on the
 * way too: two that a double has rounded may cancel to a small number that is another one.
 */
export class LinearCombination {
  wires = new Uint32Array(256);
  coefficients = new Float64Array(256);
  /** Where the next merge writes; it then changes places with what it read. */
  private spareWires = new Uint32Array(0);
  private spareCoefficients = new Float64Array(0);
  length = 0;
  /** Coefficient of wire 0, kept apart. */
  offset = 0;

  clear(): this {
    this.length = 0;
    this.offset = 0;
    return this;
  }

  /** Adds coefficient·wire; never wire 0. */
  add(wire: number, coefficient: number): this {
    if (coefficient === 0) return this;
    if (this.length === this.wires.length) this.grow(1);
    this.wires[this.length] = wire;
    this.coefficients[this.length++] = coefficient;
    return this;
  }

  constant(value: number): this {
    this.offset += value;
    return this;
  }

  /** Adds scale times element `index` of a tensor of linear combinations. */
  addElement(tensor: AffineTensor, index: number, scale: number): this {
    const { starts, wires, coefficients, constants } = tensor;
    const end = starts[index + 1];
    if (this.length + end - starts[index] > this.wires.length) this.grow(end - starts[index]);
    for (let k = starts[index]; k < end; k++) {
      this.wires[this.length] = wires[k];
      this.coefficients[this.length++] = exact(coefficients[k] * scale);
    }
    this.offset = exact(this.offset + exact(constants[index] * scale));
    return this;
  }

  /** Sorts by wire, merges duplicates, drops zeros. */
  normalize(): this {
    let sorted = true;
    for (let i = 1; i < this.length && sorted; i++) sorted = this.wires[i - 1] < this.wires[i];
    if (sorted) return this;
    if (this.length > 48) this.mergeSort();
    else this.insertionSort();
    const { wires, coefficients } = this;
    let kept = 0;
    for (let i = 0; i < this.length;) {
      const wire = wires[i];
      let sum = coefficients[i++];
      while (i < this.length && wires[i] === wire) sum = exact(sum + coefficients[i++]);
      if (sum === 0) continue;
      wires[kept] = wire;
      coefficients[kept++] = sum;
    }
    this.length = kept;
    return this;
  }

  private insertionSort(): void {
    const { wires, coefficients } = this;
    for (let i = 1; i < this.length; i++) {
      const wire = wires[i];
      const coefficient = coefficients[i];
      let j = i - 1;
      for (; j >= 0 && wires[j] > wire; j--) {
        wires[j + 1] = wires[j];
        coefficients[j + 1] = coefficients[j];
      }
      wires[j + 1] = wire;
      coefficients[j + 1] = coefficient;
    }
  }

  /** Long combinations are a few ascending runs (windows of a convolution), so merging runs is near linear. */
  private mergeSort(): void {
    let runs = [0];
    for (let i = 1; i < this.length; i++) if (this.wires[i - 1] > this.wires[i]) runs.push(i);
    runs.push(this.length);
    let fromWires = this.wires;
    let fromCoefficients = this.coefficients;
    if (this.spareWires.length < this.wires.length) {
      this.spareWires = new Uint32Array(this.wires.length);
      this.spareCoefficients = new Float64Array(this.wires.length);
    }
    let toWires = this.spareWires;
    let toCoefficients = this.spareCoefficients;
    while (runs.length > 2) {
      const merged = [0];
      for (let k = 0; k + 1 < runs.length; k += 2) {
        let left = runs[k];
        const middle = runs[k + 1];
        let right = middle;
        const end = k + 2 < runs.length ? runs[k + 2] : middle;
        for (let out = left; out < end; out++) {
          const takeLeft = right >= end || (left < middle && fromWires[left] <= fromWires[right]);
          const from = takeLeft ? left++ : right++;
          toWires[out] = fromWires[from];
          toCoefficients[out] = fromCoefficients[from];
        }
        merged.push(end);
      }
      [fromWires, toWires] = [toWires, fromWires];
      [fromCoefficients, toCoefficients] = [toCoefficients, fromCoefficients];
      runs = merged;
    }
    this.wires = fromWires;
    this.coefficients = fromCoefficients;
    this.spareWires = toWires;
    this.spareCoefficients = toCoefficients;
  }

  private grow(extra: number): void {
    const size = Math.max(this.length + extra, 2 * this.wires.length);
    const wires = new Uint32Array(size);
    const coefficients = new Float64Array(size);
    wires.set(this.wires.subarray(0, this.length));
    coefficients.set(this.coefficients.subarray(0, this.length));
    this.wires = wires;
    this.coefficients = coefficients;
  }
}

function exact(coefficient: number): number {
  if (coefficient > Number.MAX_SAFE_INTEGER || coefficient < Number.MIN_SAFE_INTEGER)
    throw new RangeError(`coefficient must be a safe integer, got ${coefficient}`);
  return coefficient;
}
