import type { Proof, VerifyingKey } from './keys.js';

/**
 * Who computes the pairings. Two libraries do it, and each is the other's oracle in the tests: mcl (WASM) where
 * speed counts, noble (plain JavaScript) where a bundle must be small or a content security policy forbids WASM.
 * package.json's `#pairing` picks one: noble under the `browser` condition, mcl otherwise.
 */
export interface Pairing {
  readonly name: 'mcl' | 'noble';
  /** Everything that depends on the key alone, done once. The key must have passed `checkKeyPoints`. */
  prepare(key: VerifyingKey): EquationCheck;
}

/** e(A, B) = e(α, β)·e(Σ sᵢ·ICᵢ, γ)·e(C, δ), with s₀ = 1. Arguments must have passed the gate. */
export type EquationCheck = (signals: readonly bigint[], proof: Proof) => boolean;
