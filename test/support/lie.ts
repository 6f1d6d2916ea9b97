/**
 * Lying provers. `mutateWires` changes one wire of a valid witness and leaves the rest; `tellLies` changes one wire
 * while the witness is computed and lets everything after it follow honestly from the lie.
 */
import { canonical, FIELD_MODULUS } from '../../circuits/field.js';
import { check, RowChecker } from '../../circuits/r1cs/check.js';
import type { CompactWitness, R1cs } from '../../circuits/r1cs/r1cs.js';
import type { Assignment, Step, WitnessInputs, WitnessProgram } from '../../circuits/r1cs/solver.js';
import type { Random } from './random.js';

export interface Accepted {
  readonly wire: number;
  readonly label: string;
  readonly lie: string;
  readonly value: bigint;
}

/** Rows in which each wire occurs. */
export function rowsOfWires(r1cs: R1cs): number[][] {
  const rows: number[][] = Array.from({ length: r1cs.wireCount }, () => []);
  for (const { rowStarts, wires } of [r1cs.a, r1cs.b, r1cs.c]) {
    for (let row = 0; row < r1cs.constraintCount; row++) {
      for (let k = rowStarts[row]; k < rowStarts[row + 1]; k++) {
        const list = rows[wires[k]];
        if (list[list.length - 1] !== row) list.push(row);
      }
    }
  }
  return rows;
}

/** Label of each final wire. */
export function wireLabels(program: WitnessProgram, wireCount: number): string[] {
  const labels = new Array<string>(wireCount).fill('one');
  const final = program.finalWires();
  for (const { label, first, count } of program.steps) {
    for (let i = 0; i < count; i++) labels[final[first + i]] = label;
  }
  return labels;
}

/** Other values for a wire that holds `value`: ±1, 0, its negative, powers of two away, random, another wire's. */
export function otherValues(
  value: bigint,
  other: bigint,
  random: Random,
  modulus = FIELD_MODULUS,
): Map<string, bigint> {
  const lies: [string, bigint][] = [
    ['+1', value + 1n],
    ['-1', value - 1n],
    ['zero', 0n],
    ['one', 1n],
    ['negated', -value],
    ['+2^7', value + 128n],
    ['-2^8', value - 256n],
    ['+2^16', value + 65536n],
    ['random', random.scalar(modulus)],
    ['other wire', other],
  ];
  const distinct = new Map<string, bigint>();
  for (const [name, lie] of lies) {
    const element = canonical(lie, modulus);
    if (element !== canonical(value, modulus)) distinct.set(name, element);
  }
  return distinct;
}

/** Every wire but 0, changed alone to each of its other values; returns what no row rejected, and how many were tried. */
export function mutateWires(
  r1cs: R1cs,
  program: WitnessProgram,
  witness: CompactWitness,
  random: Random,
  { modulus = FIELD_MODULUS }: { modulus?: bigint } = {},
): { accepted: Accepted[]; tried: number } {
  const checker = new RowChecker(r1cs, witness, modulus);
  const rows = rowsOfWires(r1cs);
  const labels = wireLabels(program, r1cs.wireCount);
  const accepted: Accepted[] = [];
  let tried = 0;
  for (let wire = 1; wire < r1cs.wireCount; wire++) {
    const value = checker.value(wire);
    const other = checker.value(1 + random.below(r1cs.wireCount - 1));
    for (const [lie, element] of otherValues(value, other, random, modulus)) {
      tried++;
      checker.set(wire, element);
      if (rows[wire].every((row) => checker.holds(row)))
        accepted.push({ wire, label: labels[wire], lie, value: element });
    }
    checker.restore(wire, value);
  }
  return { accepted, tried };
}

export interface Lie {
  readonly step: number;
  readonly offset: number;
  readonly name: string;
  /** The wire's value instead of the honest one. */
  readonly value: bigint;
}

/** Each wire of each block lied about while the rest is recomputed; keep decides which (step, offset) are tried. */
export function tellLies(
  r1cs: R1cs,
  program: WitnessProgram,
  inputs: WitnessInputs,
  random: Random,
  keep: (step: Step, offset: number) => boolean = () => true,
  modulus: bigint = FIELD_MODULUS,
): { changed: Accepted[]; tried: number } {
  const honest = program.assign(inputs);
  const publicWires = program.provisionalWires(Array.from({ length: r1cs.publicCount }, (_, i) => i + 1));
  const changed: Accepted[] = [];
  let tried = 0;
  program.steps.forEach((step, index) => {
    for (let offset = 0; offset < step.count; offset++) {
      if (!keep(step, offset)) continue;
      const wire = step.first + offset;
      const other = honest.get(1 + random.below(r1cs.wireCount - 1));
      for (const [lie, element] of otherValues(honest.get(wire), other, random, modulus)) {
        tried++;
        const assignment = program.assign(inputs, (at, values, i) => {
          if (i === index) values.set(at.first + offset, element);
        });
        if (!check(r1cs, program.compact(assignment), { modulus }).ok) continue;
        if (statementChanged(honest, assignment, publicWires))
          changed.push({ wire, label: step.label, lie, value: element });
      }
    }
  });
  return { changed, tried };
}

function statementChanged(honest: Assignment, lying: Assignment, publicWires: readonly number[]): boolean {
  return publicWires.some((wire) => honest.get(wire) !== lying.get(wire));
}
