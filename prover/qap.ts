/**
 * R1cs → QAP, evaluated at τ (Groth16 §3.2; the reduction of snarkjs and libsnark).
 *
 * Row i of the matrices belongs to the point ωⁱ of the domain of n = 2^k ≥ constraintCount + publicCount + 1
 * points. After the constraints come publicCount + 1 rows with A = wire s and B = C = 0: they change no
 * equation, and they make the columns of the public wires linearly independent, without which one proof
 * would fit several statements.
 */
import { bn254 } from '@noble/curves/bn254.js';
import type { R1cs, SparseMatrix } from '../circuits/r1cs/r1cs.js';

const Fr = bn254.fields.Fr;
const r = Fr.ORDER;
/** r − 1 = 2²⁸·odd, and 5 generates the multiplicative group. */
const twoAdicity = 28;
const rootOfUnity = Fr.pow(5n, (r - 1n) >> BigInt(twoAdicity));

export function domainSizeFor(r1cs: Pick<R1cs, 'constraintCount' | 'publicCount'>): number {
  const rowCount = r1cs.constraintCount + r1cs.publicCount + 1;
  let size = 2;
  while (size < rowCount) size *= 2;
  return size;
}

/** The generator of the subgroup of 2^k-th roots of unity that snarkjs uses. */
export function domainGenerator(size: number): bigint {
  let root = rootOfUnity;
  for (let i = twoAdicity; 2 ** i > size; i--) root = Fr.sqr(root);
  return root;
}

/** L_i(τ) = ωⁱ(τⁿ − 1) / (n(τ − ωⁱ)) for i = 0 … n − 1. Throws when τ lies in the domain. */
export function lagrangeAt(tau: bigint, size: number): bigint[] {
  const generator = domainGenerator(size);
  const vanishing = Fr.sub(Fr.pow(tau, BigInt(size)), 1n);
  if (vanishing === 0n) throw new RangeError('tau must lie outside the evaluation domain');
  const scale = Fr.div(vanishing, BigInt(size));
  const roots: bigint[] = new Array(size);
  for (let i = 0, root = 1n; i < size; i++, root = Fr.mul(root, generator)) roots[i] = root;
  const inverses = Fr.invertBatch(roots.map((root) => Fr.sub(tau, root)));
  return roots.map((root, i) => Fr.mul(Fr.mul(scale, root), inverses[i]));
}

export interface QapAtTau {
  /** uᵢ(τ), vᵢ(τ), wᵢ(τ) by wire. */
  readonly u: readonly bigint[];
  readonly v: readonly bigint[];
  readonly w: readonly bigint[];
}

export function evaluateQap(r1cs: R1cs, tau: bigint): QapAtTau {
  const lagrange = lagrangeAt(tau, domainSizeFor(r1cs));
  const u = columns(r1cs, r1cs.a, lagrange);
  for (let s = 0; s <= r1cs.publicCount; s++) u[s] = Fr.add(u[s], lagrange[r1cs.constraintCount + s]);
  return { u, v: columns(r1cs, r1cs.b, lagrange), w: columns(r1cs, r1cs.c, lagrange) };
}

/** The transposed product: column sums Σ_row matrix[row][wire]·lagrange[row]. */
function columns(r1cs: R1cs, matrix: SparseMatrix, lagrange: readonly bigint[]): bigint[] {
  const sums: bigint[] = new Array(r1cs.wireCount).fill(0n);
  for (let row = 0; row < r1cs.constraintCount; row++) {
    for (let k = matrix.rowStarts[row]; k < matrix.rowStarts[row + 1]; k++) {
      const wire = matrix.wires[k];
      sums[wire] = (sums[wire] + r1cs.coefficients[matrix.coefficientIds[k]] * lagrange[row]) % r;
    }
  }
  return sums;
}
