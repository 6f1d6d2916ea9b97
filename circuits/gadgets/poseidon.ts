/**
 * The Poseidon sponge of circuits/poseidon.ts in constraints. Between S-boxes everything is linear, so a state
 * element is a combination of earlier S-box outputs and only x⁵ costs rows.
 *
 * In the partial rounds a naive combination would be recomputed from a growing state each round. With the matrix
 * split as [[m, w], [v, A]] (first row and column apart), state R = s[1…16] before partial round 0, S-box outputs zⱼ:
 *
 *   s0 before round i = w·A^(i−1)·R + Σ_{j<i−1} (w·A^(i−2−j)·v)·zⱼ + m·z_{i−1} + constant
 *   s[1…16] after round n − 1 = Aⁿ·R + Σ_j A^(n−1−j)·v·zⱼ + constant
 *
 * so 68 row vectors w·Aⁱ and column vectors Aⁱ·v, computed once a process, describe every permutation.
 */
import { canonical, FIELD_MODULUS } from '../field.js';
import { permute, RATE, spongeParameters, WIDTH, type PoseidonParameters } from '../poseidon.js';
import type { Builder, FieldCombination } from '../r1cs/builder.js';
import type { Assignment } from '../r1cs/solver.js';

export { spongeDigest as reference } from '../poseidon.js';

/** Sparse linear combination under construction; wire 0 is the constant. */
export type Terms = Map<number, bigint>;

export function termsOf(wire: number, coefficient = 1n): Terms {
  return new Map([[wire, coefficient]]);
}

export function constantTerms(value: bigint): Terms {
  return new Map([[0, value]]);
}

function addScaled(into: Terms, from: Terms, scale: bigint): void {
  for (const [wire, coefficient] of from) {
    into.set(wire, (into.get(wire) ?? 0n) + coefficient * scale);
  }
}

export function combinationOf(terms: Terms): FieldCombination {
  const entries = [...terms]
    .map(([wire, value]) => [wire, canonical(value)] as const)
    .filter(([, value]) => value !== 0n);
  entries.sort((p, q) => p[0] - q[0]);
  return { wires: entries.map(([wire]) => wire), coefficients: entries.map(([, value]) => value) };
}

export function evaluateTerms({ wires, coefficients }: FieldCombination, assignment: Assignment): bigint {
  let sum = 0n;
  for (let k = 0; k < wires.length; k++) sum += coefficients[k] * assignment.get(wires[k]);
  return canonical(sum, assignment.modulus);
}

/**
 * Proves   the returned combination is the sponge digest of the message.
 * Assumes  the field is BN254's. Nothing about the message: every element of it counts modulo r.
 * Cost     612 constraints for each 16 message elements (3 an S-box: x², x⁴, x⁵; 204 S-boxes a permutation).
 */
export function constrain(circuit: Builder, label: string, message: readonly Terms[]): Terms {
  let state: Terms[] = Array.from({ length: WIDTH }, () => new Map<number, bigint>());
  for (let block = 0; block < message.length; block += RATE) {
    for (let i = 0; i < RATE && block + i < message.length; i++)
      addScaled(state[1 + i], message[block + i], 1n);
    state = permutation(circuit, `${label}/poseidon`, state);
  }
  return state[0];
}

function permutation(circuit: Builder, label: string, input: Terms[]): Terms[] {
  const p = spongeParameters();
  const half = p.fullRounds / 2;
  let state = input;
  let boxes: number[] = [];
  for (let round = 0; round < half; round++) {
    boxes = fifthPowers(circuit, label, withConstants(state, p, round));
    state = round < half - 1 ? mix(p, boxes) : state;
  }
  state = partialRounds(circuit, label, p, boxes);
  for (let round = half + p.partialRounds; round < p.fullRounds + p.partialRounds; round++) {
    boxes = fifthPowers(circuit, label, withConstants(state, p, round));
    state = mix(p, boxes);
  }
  return state;
}

function withConstants(
  state: readonly Terms[],
  { roundConstants, width }: PoseidonParameters,
  round: number,
): Terms[] {
  return state.map((terms, i) => {
    const copy = new Map(terms);
    addScaled(copy, constantTerms(roundConstants[round * width + i]), 1n);
    return copy;
  });
}

function mix({ matrix, width }: PoseidonParameters, boxes: readonly number[]): Terms[] {
  return Array.from(
    { length: width },
    (_, i) => new Map(boxes.map((wire, j) => [wire, matrix[i * width + j]])),
  );
}

/** One S-box each: x² = x·x, x⁴ = x²·x², x⁵ = x⁴·x. Returns the wires of x⁵. */
function fifthPowers(circuit: Builder, label: string, inputs: readonly Terms[]): number[] {
  const combinations = inputs.map(combinationOf);
  const first = circuit.existsField(label, 3 * inputs.length, (assignment) =>
    combinations.flatMap((combination) => {
      const x = evaluateTerms(combination, assignment);
      const x2 = (x * x) % FIELD_MODULUS;
      const x4 = (x2 * x2) % FIELD_MODULUS;
      return [x2, x4, (x4 * x) % FIELD_MODULUS];
    }),
  );
  return combinations.map((x, i) => {
    const [x2, x4, x5] = [0, 1, 2].map((power) => combinationOf(termsOf(first + 3 * i + power)));
    circuit.enforceField(label, x, x, x2);
    circuit.enforceField(label, x2, x2, x4);
    circuit.enforceField(label, x4, x, x5);
    return first + 3 * i + 2;
  });
}

interface PartialRounds {
  /** Coefficients of the 17 S-box outputs before, by round: s0 before that round (index 0 … 68). */
  readonly fromBoxes: readonly (readonly bigint[])[];
  /** w·Aⁱ·v. */
  readonly fromEarlier: readonly bigint[];
  /** s0's constant before each round. */
  readonly constants: readonly bigint[];
  /** s[1…16] after all rounds: over the 17 boxes, over each zⱼ, constant. */
  readonly restFromBoxes: readonly (readonly bigint[])[];
  readonly restFromEarlier: readonly (readonly bigint[])[];
  readonly restConstants: readonly bigint[];
}

let partial: PartialRounds | undefined;

function partialRounds(
  circuit: Builder,
  label: string,
  p: PoseidonParameters,
  boxes: readonly number[],
): Terms[] {
  const t = (partial ??= derivePartialRounds(p));
  const corner = p.matrix[0];
  const firstRound = p.fullRounds / 2;
  const z: number[] = [];
  const head = (round: number): Terms => {
    const terms: Terms = new Map(boxes.map((wire, j) => [wire, t.fromBoxes[round][j]]));
    for (let j = 0; j < round - 1; j++) addScaled(terms, termsOf(z[j]), t.fromEarlier[round - 2 - j]);
    if (round > 0) addScaled(terms, termsOf(z[round - 1]), corner);
    addScaled(terms, constantTerms(t.constants[round]), 1n);
    return terms;
  };
  for (let round = 0; round < p.partialRounds; round++) {
    const input = head(round);
    addScaled(input, constantTerms(p.roundConstants[(firstRound + round) * WIDTH]), 1n);
    z.push(fifthPowers(circuit, label, [input])[0]);
  }
  const state = [head(p.partialRounds)];
  for (let i = 0; i < RATE; i++) {
    const terms: Terms = new Map(boxes.map((wire, j) => [wire, t.restFromBoxes[i][j]]));
    z.forEach((wire, j) => addScaled(terms, termsOf(wire), t.restFromEarlier[p.partialRounds - 1 - j][i]));
    addScaled(terms, constantTerms(t.restConstants[i]), 1n);
    state.push(terms);
  }
  return state;
}

function derivePartialRounds(p: PoseidonParameters): PartialRounds {
  const at = (i: number, j: number) => p.matrix[i * WIDTH + j];
  const indices = Array.from({ length: RATE }, (_, i) => i);
  const inner = indices.map((i) => indices.map((j) => at(i + 1, j + 1)));
  const w = indices.map((j) => at(0, j + 1));
  const v = indices.map((i) => at(i + 1, 0));
  // R = M's lower 16 rows times the 17 boxes.
  const lower = indices.map((i) => Array.from({ length: WIDTH }, (_, j) => at(i + 1, j)));
  const dot = (x: readonly bigint[], y: readonly bigint[]) =>
    canonical(x.reduce((sum, value, i) => sum + value * y[i], 0n));
  const columns = (matrix: readonly (readonly bigint[])[]) =>
    matrix[0].map((_, j) => matrix.map((row) => row[j]));
  const times = (x: readonly (readonly bigint[])[], y: readonly (readonly bigint[])[]) => {
    const yColumns = columns(y);
    return x.map((row) => yColumns.map((column) => dot(row, column)));
  };
  const innerColumns = columns(inner);
  const lowerColumns = columns(lower);

  const fromBoxes = [Array.from({ length: WIDTH }, (_, j) => at(0, j))];
  const fromEarlier: bigint[] = [];
  const constants = [0n];
  const restFromEarlier = [v];
  let row = w;
  let shift = indices.map(() => 0n);
  for (let round = 1; round <= p.partialRounds; round++) {
    const added = indices.map((i) => p.roundConstants[(p.fullRounds / 2 + round - 1) * WIDTH + i + 1]);
    fromBoxes.push(lowerColumns.map((column) => dot(row, column)));
    fromEarlier.push(dot(row, v));
    const moved = shift.map((value, i) => value + added[i]);
    constants.push(dot(w, moved));
    shift = inner.map((innerRow) => dot(innerRow, moved));
    row = innerColumns.map((column) => dot(row, column));
    restFromEarlier.push(inner.map((innerRow) => dot(innerRow, restFromEarlier[round - 1])));
  }
  // A^68 by squaring: 68 = 64 + 4.
  let power = inner;
  let restFromBoxes = lower;
  for (let bits = p.partialRounds; bits > 0; bits >>= 1) {
    if (bits & 1) restFromBoxes = times(power, restFromBoxes);
    if (bits > 1) power = times(power, power);
  }
  return { fromBoxes, fromEarlier, constants, restFromBoxes, restFromEarlier, restConstants: shift };
}

/** The permutation itself, for tests of the derived partial rounds. */
export { permute };
