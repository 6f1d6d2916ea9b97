import { FIELD_MODULUS } from '../field.js';
import { CoefficientTable } from './coefficients.js';
import { GrowableUint32 } from './growable.js';
import { LinearCombination } from './linear-combination.js';
import { arrange, type Arrangement } from './arrange.js';
import { WitnessProgram, type FillField, type FillSmall, type Step } from './solver.js';

/** Terms with field-sized coefficients; only Poseidon needs them. Wires ascending. */
export interface FieldCombination {
  readonly wires: readonly number[];
  readonly coefficients: readonly bigint[];
}

/** Rows in the order they were stated, entries over provisional wires. */
export interface RecordedMatrix {
  readonly starts: GrowableUint32;
  readonly wires: GrowableUint32;
  readonly coefficientIds: GrowableUint32;
}

export interface LabelRange {
  /** First row (or bit row) the label stands for; it holds until the next range. */
  readonly first: number;
  readonly label: string;
}

/** Label ranges under construction, and the two parts of the label that the last of them has. */
class Marked {
  readonly ranges: LabelRange[] = [];
  prefix = '';
  label: string | undefined;
}

export interface ScopeCost {
  rows: number;
  wires: number;
  nonzeros: number;
}

function recordedMatrix(): RecordedMatrix {
  const starts = new GrowableUint32();
  starts.push(0);
  return { starts, wires: new GrowableUint32(), coefficientIds: new GrowableUint32() };
}

/**
 * What gadgets and operators see of a circuit. `exists` introduces a block of wires with one callback that
 * fills the whole block, and stands directly above the rows that pin it; the rows are stated through the
 * combinations a, b, c and `enforce`. Both are recorded: rows become an R1cs, callbacks a WitnessProgram.
 *
 * Wires are provisional until `finish`, which puts public wires first, then bits, then the rest, and bit rows
 * before all other rows (docs: PERFORMANCE: what the prover gains from each).
 */
export class Builder {
  readonly modulus: bigint;
  readonly a = new LinearCombination();
  readonly b = new LinearCombination();
  readonly c = new LinearCombination();

  private readonly coefficients: CoefficientTable;
  private readonly matrices = [recordedMatrix(), recordedMatrix(), recordedMatrix()] as const;
  private readonly bitWires = new GrowableUint32();
  private readonly steps: Step[] = [];
  private readonly publicBlocks: { first: number; count: number }[] = [];
  private readonly rowLabels = new Marked();
  private readonly bitLabels = new Marked();
  private wireTotal = 1;
  private rowTotal = 0;
  private prefix = '';
  private booked: ScopeCost = { rows: 0, wires: 1, nonzeros: 0 };
  private readonly scopeCosts = new Map<string, ScopeCost>();

  constructor({ modulus = FIELD_MODULUS }: { modulus?: bigint } = {}) {
    this.modulus = modulus;
    this.coefficients = new CoefficientTable(modulus);
  }

  /**
   * Labels what `build` states, and books its cost under that label; a nested scope books its own. Labels name rows
   * in failures and lies in tests.
   */
  scope<T>(label: string, build: () => T): T {
    const outer = this.prefix;
    this.bookSince(outer);
    this.prefix = label;
    try {
      return build();
    } finally {
      this.bookSince(label);
      this.prefix = outer;
    }
  }

  /** Rows, wires and nonzeros by scope, in the order the scopes were entered. */
  get costs(): ReadonlyMap<string, Readonly<ScopeCost>> {
    this.bookSince(this.prefix);
    return this.scopeCosts;
  }

  get wireCount(): number {
    return this.wireTotal;
  }

  get constraintCount(): number {
    return this.rowTotal + this.bitWires.length;
  }

  get nonzeroCount(): number {
    let total = 3 * this.bitWires.length;
    for (const matrix of this.matrices) total += matrix.wires.length;
    return total;
  }

  /** A block of private wires whose values are int32; returns the first. */
  exists(label: string, count: number, fill: FillSmall): number {
    return this.block({ label: this.label(label), first: this.wireTotal, count, kind: 'small', fill });
  }

  /** A block of private wires that may hold any field element. */
  existsField(label: string, count: number, fill: FillField): number {
    return this.block({ label: this.label(label), first: this.wireTotal, count, kind: 'field', fill });
  }

  /** Public wires, in the order of the calls. */
  public(label: string, count: number, fill: FillField): number {
    this.publicBlocks.push({ first: this.wireTotal, count });
    return this.existsField(label, count, fill);
  }

  /**
   * Proves   each of the wires is 0 or 1.
   * Cost     1 constraint a wire: b·b = b.
   */
  boolean(label: string, first: number, count: number): void {
    this.mark(this.bitLabels, this.bitWires.length, label);
    this.bitWires.reserve(count);
    for (let i = 0; i < count; i++) this.bitWires.push(first + i);
  }

  /** States ⟨a⟩·⟨b⟩ = ⟨c⟩ and clears the three combinations. */
  enforce(label: string): void {
    this.mark(this.rowLabels, this.rowTotal, label);
    this.write(this.matrices[0], this.a);
    this.write(this.matrices[1], this.b);
    this.write(this.matrices[2], this.c);
    this.rowTotal++;
  }

  /** States ⟨a⟩ = ⟨c⟩. */
  enforceLinear(label: string): void {
    this.b.clear().constant(1);
    this.enforce(label);
  }

  /** States that the combination a is 0 or 1 (as ⟨a⟩·⟨a⟩ = ⟨a⟩) without giving it a wire. */
  enforceBoolean(label: string): void {
    this.a.normalize();
    this.mark(this.rowLabels, this.rowTotal, label);
    for (const matrix of this.matrices) this.copy(matrix, this.a);
    this.a.clear();
    this.rowTotal++;
  }

  /** States a row of field-sized coefficients. */
  enforceField(label: string, a: FieldCombination, b: FieldCombination, c: FieldCombination): void {
    this.mark(this.rowLabels, this.rowTotal, label);
    [a, b, c].forEach((combination, i) => {
      const { starts, wires, coefficientIds } = this.matrices[i];
      combination.wires.forEach((wire, k) => {
        const id = this.coefficients.idOfElement(combination.coefficients[k]);
        if (id < 0) return;
        wires.push(wire);
        coefficientIds.push(id);
      });
      starts.push(wires.length);
    });
    this.rowTotal++;
  }

  finish(): Arrangement & { program: WitnessProgram } {
    const arrangement = arrange({
      wireCount: this.wireTotal,
      publicBlocks: this.publicBlocks,
      bitWires: this.bitWires.view(),
      matrices: this.matrices,
      coefficients: this.coefficients.values,
      one: this.coefficients.idOf(1),
      rowLabels: this.rowLabels.ranges,
      bitLabels: this.bitLabels.ranges,
    });
    const program = new WitnessProgram(this.steps, arrangement.newWires, this.modulus);
    return { ...arrangement, program };
  }

  /** Books what was stated since the last call. */
  private bookSince(label: string): void {
    const cost = this.scopeCosts.get(label) ?? { rows: 0, wires: 0, nonzeros: 0 };
    cost.rows += this.constraintCount - this.booked.rows;
    cost.wires += this.wireTotal - this.booked.wires;
    cost.nonzeros += this.nonzeroCount - this.booked.nonzeros;
    this.scopeCosts.set(label, cost);
    this.booked = { rows: this.constraintCount, wires: this.wireTotal, nonzeros: this.nonzeroCount };
  }

  private block(step: Step): number {
    if (step.count === 0) return this.wireTotal;
    this.steps.push(step);
    this.wireTotal += step.count;
    return step.first;
  }

  private label(label: string): string {
    return this.prefix === '' ? label : `${this.prefix}/${label}`;
  }

  private mark(marked: Marked, first: number, label: string): void {
    // Most rows continue the range before them, and a joined string for each of them would be the most garbage of all.
    if (marked.label === label && marked.prefix === this.prefix) return;
    const full = this.label(label);
    const { ranges } = marked;
    if (ranges.length === 0 || ranges[ranges.length - 1].label !== full) ranges.push({ first, label: full });
    marked.label = label;
    marked.prefix = this.prefix;
  }

  private write(matrix: RecordedMatrix, combination: LinearCombination): void {
    combination.normalize();
    this.copy(matrix, combination);
    combination.clear();
  }

  private copy(matrix: RecordedMatrix, { wires, coefficients, length, offset }: LinearCombination): void {
    matrix.wires.reserve(length + 1);
    matrix.coefficientIds.reserve(length + 1);
    const offsetId = this.coefficients.idOf(offset);
    if (offsetId >= 0) {
      matrix.wires.push(0);
      matrix.coefficientIds.push(offsetId);
    }
    for (let k = 0; k < length; k++) {
      const id = this.coefficients.idOf(coefficients[k]);
      if (id < 0) continue;
      matrix.wires.push(wires[k]);
      matrix.coefficientIds.push(id);
    }
    matrix.starts.push(matrix.wires.length);
  }
}
