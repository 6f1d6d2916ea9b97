import type { CompactWitness } from '../circuits/r1cs/r1cs.js';
import type { Proof, VerifyingKey } from './keys.js';

/** The seam between the service and a prover: `native` (C++20) or `snarkjs` (WASM). Same files, same proofs. */
export interface Engine {
  readonly name: 'native' | 'snarkjs';
  /** Reads and checks a `.zkey` once. Rejects with MalformedFile when it is not a usable BN254 Groth16 key. */
  loadKey(zkeyPath: string, options?: LoadKeyOptions): Promise<LoadedKey>;
}

export interface LoadKeyOptions {
  /** Upper bound for tables derived from the key; default chosen by the engine. */
  readonly memoryBudgetBytes?: number;
  /** Points derived from the key (files/derived.ts). Default: the file beside the key, if there is one; null: none. */
  readonly derivedPath?: string | null;
}

export interface LoadedKey {
  readonly verifyingKey: VerifyingKey;
  readonly wireCount: number;
  readonly publicCount: number;
  readonly domainSize: number;
  /** Proves and verifies its own proof before it returns; a witness that does not satisfy the circuit rejects
   *  with UnsatisfiedWitness and no proof leaves the process. */
  prove(witness: CompactWitness, options?: ProveOptions): Promise<Proof>;
  close(): Promise<void>;
}

export type ProveStage = 'abc' | 'ntt' | 'msm-witness' | 'msm-h' | 'verify';

export interface ProveOptions {
  readonly signal?: AbortSignal;
  /** Called when a stage ends, with its wall time. */
  readonly onStage?: (stage: ProveStage, wallMs: number) => void;
  /** Threads for this proof; default all cores. Throughput mode runs one proof a core with threads = 1. */
  readonly threads?: number;
}

/** The witness does not satisfy the circuit of the key; no proof was made, or none that leaves the engine. */
export class UnsatisfiedWitness extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnsatisfiedWitness';
  }
}
