/** What the service and the command line use of the prover. */
import type { Engine } from './engine.js';
import { nativeAvailability, nativeEngine } from './native-engine.js';
import { snarkjsEngine } from './snarkjs-engine.js';

export type { Engine, LoadedKey, LoadKeyOptions, ProveOptions, ProveStage } from './engine.js';
export { UnsatisfiedWitness } from './engine.js';
export type { G1Point, G2Point, Proof, VerifyingKey } from './keys.js';
export { checkVerifyingKey, UnsafeVerifyingKey } from './key-check.js';
export { verify } from './verify.js';
export { exportVerifyingKey } from './export.js';
export { setupDevelopment, UnsoundCircuit, type SetupOptions } from './setup.js';
export { derivedPathOf } from './files/derived.js';
export { publicSignalsOf } from './witness-signals.js';

export interface EngineChoice {
  readonly engine: Engine;
  /** One line for the log: which engine runs, and why not the other. */
  readonly reason: string;
}

/** The fastest engine that works on this machine. Never rejects: snarkjs is always there. */
export async function selectEngine(): Promise<EngineChoice> {
  const { available, reason } = nativeAvailability();
  if (available) return { engine: nativeEngine, reason };
  return { engine: snarkjsEngine, reason: `snarkjs (WASM): ${reason}` };
}
