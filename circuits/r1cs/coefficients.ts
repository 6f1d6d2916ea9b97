import { canonical } from '../field.js';

const DIRECT = 1 << 15;

/** Interns coefficients: a network has millions of entries and a few hundred distinct values. */
export class CoefficientTable {
  readonly values: bigint[] = [];
  /** Ids of small signed integers by value + DIRECT; −1 where not yet met. */
  private readonly direct = new Int32Array(2 * DIRECT + 1).fill(-1);
  private readonly byNumber = new Map<number, number>();
  private readonly byElement = new Map<bigint, number>();

  constructor(private readonly modulus: bigint) {}

  /** Id of a safe integer, or −1 if it is 0 in the field. */
  idOf(value: number): number {
    if (value >= -DIRECT && value <= DIRECT) {
      const id = this.direct[value + DIRECT];
      if (id >= 0) return id;
      return (this.direct[value + DIRECT] = this.intern(value));
    }
    let id = this.byNumber.get(value);
    if (id === undefined) this.byNumber.set(value, (id = this.intern(value)));
    return id;
  }

  private intern(value: number): number {
    if (!Number.isSafeInteger(value)) {
      throw new RangeError(`coefficient must be a safe integer, got ${value}`);
    }
    return this.idOfElement(BigInt(value));
  }

  /** Id of any integer taken modulo the field, or −1 if it is 0 there. */
  idOfElement(value: bigint): number {
    const element = canonical(value, this.modulus);
    if (element === 0n) return -1;
    let id = this.byElement.get(element);
    if (id === undefined) {
      id = this.values.length;
      this.values.push(element);
      this.byElement.set(element, id);
    }
    return id;
  }
}
