/**
 * Groth16 verification (eprint 2016/260, section 3.2): gate, then one pairing equation.
 *
 * `false` means: these are a well-formed key, signals and proof, and the equation does not hold. Anything that is
 * not a proof, not a key or not signals throws instead, and never reaches a pairing library.
 */
import { loadPairing } from '#pairing';
import { decodeProof } from './codec.js';
import { checkKeyPoints, checkProof, checkSignals } from './gate.js';
import type { Proof, VerifyingKey } from './keys.js';
import type { EquationCheck } from './pairing.js';

/**
 * @param key            trusted by the caller: take it from a pin or a registry, never from a receipt alone
 * @param publicSignals  exactly key.ic.length − 1 integers in [0, r)
 * @param proof          a value, or its 256 bytes
 * @throws MalformedProof, MalformedVerifyingKey
 */
export async function verify(
  key: VerifyingKey,
  publicSignals: readonly bigint[],
  proof: Proof | Uint8Array,
): Promise<boolean> {
  const checked = proof instanceof Uint8Array ? decodeProof(proof) : checkProof(proof);
  const { equation, signalCount } = await prepared(key);
  return equation([...checkSignals(publicSignals, signalCount)], checked);
}

interface PreparedKey {
  readonly equation: EquationCheck;
  readonly signalCount: number;
}

/** By object identity: keys are values, and a service verifies thousands of proofs against the same few. */
const preparedKeys = new WeakMap<VerifyingKey, PreparedKey>();

async function prepared(key: VerifyingKey): Promise<PreparedKey> {
  const known = preparedKeys.get(key);
  if (known) return known;
  const checked = checkKeyPoints(key);
  const pairing = await loadPairing();
  const fresh = { equation: pairing.prepare(checked), signalCount: checked.ic.length - 1 };
  preparedKeys.set(key, fresh);
  return fresh;
}
