/**
 * Groth16 (eprint 2016/260) keys and proofs over BN254, as values. The symbols are the paper's:
 *
 *   α β γ δ τ   toxic waste         alpha beta gamma delta tau
 *   uᵢ vᵢ wᵢ     QAP polynomials     columns of A, B, C interpolated on the domain
 *
 * Coordinates are canonical integers in [0, q). An Fq2 element c0 + c1·u is the pair [c0, c1]; the EVM and
 * `encodeProof` in codec.ts write c1 first.
 */
export type G1Point = readonly [x: bigint, y: bigint];
export type Fq2Element = readonly [c0: bigint, c1: bigint];
export type G2Point = readonly [x: Fq2Element, y: Fq2Element];

export interface Proof {
  readonly a: G1Point;
  readonly b: G2Point;
  readonly c: G1Point;
}

export interface VerifyingKey {
  /** α·G1 */
  readonly alpha: G1Point;
  /** β·G2 */
  readonly beta: G2Point;
  /** γ·G2 */
  readonly gamma: G2Point;
  /** δ·G2 */
  readonly delta: G2Point;
  /** γ⁻¹(β·uᵢ(τ) + α·vᵢ(τ) + wᵢ(τ))·G1 for i = 0 … publicCount */
  readonly ic: readonly G1Point[];
}
