import { canonical, FIELD_MODULUS, signed, writeElement } from '../field.js';
import type { CompactWitness } from './r1cs.js';

/** What a witness is computed from. */
export interface WitnessInputs {
  /** Integer input tensors by name. */
  readonly tensors: ReadonlyMap<string, ArrayLike<number>>;
  readonly ctx: bigint;
  /** 248 bits. */
  readonly salt: bigint;
}

/** Values of provisional wires while they are being filled. */
export class Assignment {
  readonly small: Int32Array;
  /** Wires whose value is not an int32, canonical. */
  readonly large = new Map<number, bigint>();

  constructor(
    wireCount: number,
    readonly inputs: WitnessInputs,
    readonly modulus: bigint,
  ) {
    this.small = new Int32Array(wireCount);
    this.small[0] = 1;
  }

  /** The value of a wire; a small one comes back signed. */
  get(wire: number): bigint {
    return this.large.get(wire) ?? BigInt(this.small[wire]);
  }

  set(wire: number, value: bigint): void {
    const centered = signed(canonical(value, this.modulus), this.modulus);
    if (centered >= -0x80000000n && centered <= 0x7fffffffn) {
      this.small[wire] = Number(centered);
      this.large.delete(wire);
    } else {
      this.small[wire] = 0;
      this.large.set(wire, canonical(value, this.modulus));
    }
  }
}

/** Fills wires first … first + count − 1 with int32 values. */
export type FillSmall = (values: Int32Array, first: number, assignment: Assignment) => void;
/** Returns the values of the block's wires, any integers modulo the field. */
export type FillField = (assignment: Assignment) => ArrayLike<bigint>;

export type Step = { readonly label: string; readonly first: number; readonly count: number } & (
  { readonly kind: 'small'; readonly fill: FillSmall } | { readonly kind: 'field'; readonly fill: FillField }
);

/** Called after a block was filled honestly: a lying prover changes it here, and the rest follows from the lie. */
export type Tamper = (step: Step, assignment: Assignment, index: number) => void;

/**
 * The witness of a circuit: the callbacks of `exists` in the order they were stated, each over a whole block.
 * Every wire of a network but Poseidon's is a small integer, so a block is a loop over an Int32Array.
 */
export class WitnessProgram {
  constructor(
    readonly steps: readonly Step[],
    private readonly newWires: Uint32Array,
    private readonly modulus: bigint = FIELD_MODULUS,
  ) {}

  /** Runs the callbacks; the assignment is over provisional wires. */
  assign(inputs: WitnessInputs, tamper?: Tamper): Assignment {
    const assignment = new Assignment(this.newWires.length, inputs, this.modulus);
    this.steps.forEach((step, index) => {
      if (step.kind === 'small') {
        step.fill(assignment.small, step.first, assignment);
      } else {
        const values = step.fill(assignment);
        for (let i = 0; i < step.count; i++) assignment.set(step.first + i, values[i]);
      }
      tamper?.(step, assignment, index);
    });
    return assignment;
  }

  /** The assignment over final wires. */
  compact(assignment: Assignment): CompactWitness {
    const { newWires } = this;
    const small = new Int32Array(newWires.length);
    for (let wire = 0; wire < small.length; wire++) small[newWires[wire]] = assignment.small[wire];
    const large = [...assignment.large].map(([wire, value]) => [newWires[wire], value] as const);
    large.sort((p, q) => p[0] - q[0]);
    const largeWires = new Uint32Array(large.length);
    const largeValues = new Uint8Array(32 * large.length);
    const view = new DataView(largeValues.buffer);
    large.forEach(([wire, value], i) => {
      largeWires[i] = wire;
      writeElement(view, 32 * i, value);
    });
    return { small, largeWires, largeValues };
  }

  /** Final wire of each provisional wire. */
  finalWires(): Uint32Array {
    return this.newWires;
  }

  /** The provisional wires behind final ones. */
  provisionalWires(final: readonly number[]): number[] {
    const wanted = new Map(final.map((wire, i) => [wire, i]));
    const found = new Array<number>(final.length);
    this.newWires.forEach((wire, provisional) => {
      const at = wanted.get(wire);
      if (at !== undefined) found[at] = provisional;
    });
    return found;
  }
}
