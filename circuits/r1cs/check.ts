import { canonical, FIELD_MODULUS, readElement, signed } from '../field.js';
import type { LabelRange } from './builder.js';
import type { CompactWitness, R1cs, SparseMatrix } from './r1cs.js';

export type CheckResult =
  { readonly ok: true } | { readonly ok: false; readonly row: number; readonly label: string };

const SAFE = 2 ** 53;

/** Whether a full assignment satisfies every row, or the first row that fails. */
export function check(
  r1cs: R1cs,
  witness: CompactWitness,
  { labels = [], modulus = FIELD_MODULUS }: { labels?: readonly LabelRange[]; modulus?: bigint } = {},
): CheckResult {
  if (witness.small.length !== r1cs.wireCount) {
    throw new RangeError(`witness has ${witness.small.length} wires, the circuit ${r1cs.wireCount}`);
  }
  const checker = new RowChecker(r1cs, witness, modulus);
  if (checker.value(0) !== 1n) return { ok: false, row: -1, label: 'wire 0 is not 1' };
  for (let row = 0; row < r1cs.constraintCount; row++) {
    if (!checker.holds(row)) return { ok: false, row, label: labelOf(labels, row) };
  }
  return { ok: true };
}

/** The label of the range a row lies in. */
export function labelOf(labels: readonly LabelRange[], row: number): string {
  let low = 0;
  let high = labels.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (labels[middle].first <= row) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? '' : labels[low - 1].label;
}

/** Evaluates single rows: in doubles while every partial sum is exact there, in bigints otherwise. */
export class RowChecker {
  private readonly coefficients: Float64Array;
  private readonly large = new Map<number, bigint>();

  constructor(
    private readonly r1cs: R1cs,
    private readonly witness: CompactWitness,
    private readonly modulus: bigint = FIELD_MODULUS,
  ) {
    this.coefficients = Float64Array.from(r1cs.coefficients, (element) => {
      const value = signed(element, modulus);
      return value > -BigInt(SAFE) && value < BigInt(SAFE) ? Number(value) : Infinity;
    });
    const view = new DataView(witness.largeValues.buffer, witness.largeValues.byteOffset);
    witness.largeWires.forEach((wire, i) => {
      const element = readElement(view, 32 * i);
      if (element >= modulus) throw new RangeError(`value of wire ${wire} is not canonical`);
      this.large.set(wire, element);
    });
  }

  value(wire: number): bigint {
    return this.large.get(wire) ?? BigInt(this.witness.small[wire]);
  }

  /** Overrides one wire; any integer. */
  set(wire: number, value: bigint): void {
    this.large.set(wire, canonical(value, this.modulus));
  }

  /** Undoes `set` with the value `value` gave before. */
  restore(wire: number, value: bigint): void {
    if (value === BigInt(this.witness.small[wire])) this.large.delete(wire);
    else this.large.set(wire, value);
  }

  holds(row: number): boolean {
    const a = this.small(this.r1cs.a, row);
    const b = this.small(this.r1cs.b, row);
    const c = this.small(this.r1cs.c, row);
    if (Number.isFinite(a) && Number.isFinite(b) && Number.isFinite(c) && Math.abs(a * b) < SAFE) {
      // Both sides are integers below 2^53 in magnitude: equal in the field exactly if their difference is a
      // multiple of the modulus, which only a tiny test field can make non-zero.
      return a * b === c || canonical(BigInt(a * b) - BigInt(c), this.modulus) === 0n;
    }
    const product = this.exact(this.r1cs.a, row) * this.exact(this.r1cs.b, row);
    return canonical(product - this.exact(this.r1cs.c, row), this.modulus) === 0n;
  }

  private small({ rowStarts, wires, coefficientIds }: SparseMatrix, row: number): number {
    let sum = 0;
    let magnitude = 0;
    for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++) {
      if (this.large.size > 0 && this.large.has(wires[k])) return Infinity;
      const term = this.coefficients[coefficientIds[k]] * this.witness.small[wires[k]];
      sum += term;
      magnitude += Math.abs(term);
    }
    return magnitude < SAFE ? sum : Infinity;
  }

  private exact({ rowStarts, wires, coefficientIds }: SparseMatrix, row: number): bigint {
    let sum = 0n;
    for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++) {
      sum += this.r1cs.coefficients[coefficientIds[k]] * this.value(wires[k]);
    }
    return sum;
  }
}
