/**
 * Auditors check many proofs of one key. Natively, all are folded into one equation with random 128-bit weights
 * (n + 3 Miller loops and one final exponentiation, not 4n and n); only when that fails are they checked one by one,
 * to name the false ones.
 */
import { encodeProof, fieldBytes, verifyingKeyBytes } from './codec.js';
import { checkSignals } from './gate.js';
import type { Proof, VerifyingKey } from './keys.js';
import { nativeAvailability, verifyManyNative } from './native-engine.js';
import { verify } from './verify.js';

export interface Statement {
  readonly proof: Proof;
  /** Exactly key.ic.length − 1 integers in [0, r). */
  readonly publicSignals: readonly bigint[];
}

/**
 * Indices of the statements whose proof does not hold, ascending; empty when all hold.
 * @throws MalformedProof, MalformedVerifyingKey for anything that is not a proof, signals or a key
 */
export async function findFalse(key: VerifyingKey, statements: readonly Statement[]): Promise<number[]> {
  const signalCount = key.ic.length - 1;
  const proofs = statements.map(({ proof }) => encodeProof(proof));
  const signals = statements.flatMap(({ publicSignals }) =>
    [...checkSignals(publicSignals, signalCount)].map(fieldBytes),
  );
  if (nativeAvailability().available && statements.length > 1) {
    const all = await verifyManyNative(verifyingKeyBytes(key), Buffer.concat(proofs), Buffer.concat(signals));
    if (all) return [];
  }
  const found: number[] = [];
  for (const [i, { proof, publicSignals }] of statements.entries()) {
    if (!(await verify(key, publicSignals, proof))) found.push(i);
  }
  return found;
}
