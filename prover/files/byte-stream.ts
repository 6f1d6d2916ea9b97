/** Bytes read and written front to back, with bounds checked at every step. */
import type { G1Point, G2Point } from '../keys.js';
import { refuse, view } from './container.js';
import { encodeG1, encodeG2, g1Bytes, g2Bytes, readG1, readG2 } from './points.js';

export class ByteReader {
  #offset = 0;

  constructor(
    readonly source: Uint8Array,
    readonly where: string,
  ) {}

  get offset(): number {
    return this.#offset;
  }

  bytes(length: number, what: string): Uint8Array {
    const left = this.source.length - this.#offset;
    if (length > left) refuse(this.where, what, `${length} bytes`, `${left} left in the section`);
    this.#offset += length;
    return this.source.slice(this.#offset - length, this.#offset);
  }

  byte(what: string): number {
    return this.bytes(1, what)[0];
  }

  uint32(what: string): number {
    return view(this.bytes(4, what)).getUint32(0, true);
  }

  g1(what: string): G1Point {
    return readG1(this.bytes(g1Bytes, what), 0, this.where, what);
  }

  g2(what: string): G2Point {
    return readG2(this.bytes(g2Bytes, what), 0, this.where, what);
  }

  /** Nothing may follow. */
  end(what: string): void {
    const left = this.source.length - this.#offset;
    if (left !== 0) refuse(this.where, what, 'the whole section', `${left} bytes more`);
  }
}

export class ByteWriter {
  readonly #parts: Uint8Array[] = [];

  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  byte(value: number): this {
    return this.bytes(Uint8Array.of(value));
  }

  uint32(value: number): this {
    const bytes = new Uint8Array(4);
    view(bytes).setUint32(0, value, true);
    return this.bytes(bytes);
  }

  g1(point: G1Point): this {
    return this.bytes(encodeG1(point));
  }

  g2(point: G2Point): this {
    return this.bytes(encodeG2(point));
  }

  finish(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}
