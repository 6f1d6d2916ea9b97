/**
 * Append-only typed arrays: rows and entries are numbers, never objects. They grow fourfold, because what is outgrown is
 * memory until it is collected, and what is not yet written is none: the system gives a page when it is first touched.
 */
const GROWTH = 4;

export class GrowableUint32 {
  data = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `extra` more values. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const grown = new Uint32Array(Math.max(needed, GROWTH * this.data.length));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  view(): Uint32Array {
    return this.data.subarray(0, this.length);
  }
}

export class GrowableFloat64 {
  data = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const grown = new Float64Array(Math.max(needed, GROWTH * this.data.length));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  view(): Float64Array {
    return this.data.subarray(0, this.length);
  }
}
