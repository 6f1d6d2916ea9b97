/** The compiled addon (`make native`), typed. Raw bytes and plain errors: native-engine.ts gives them meaning. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface NativeDoctor {
  /** Of the processor, as far as the engine cares: bmi2, adx, avx2, avx512ifma. */
  readonly cpuFeatures: readonly string[];
  /** Instruction sets that can run here, best first; the first is in use. */
  readonly backends: readonly string[];
  readonly threads: number;
}

export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

declare const keyHandle: unique symbol;
export type NativeKeyHandle = { readonly [keyHandle]: true };

export interface NativeKey {
  readonly handle: NativeKeyHandle;
  readonly wireCount: number;
  readonly publicCount: number;
  readonly domainSize: number;
  /** Memory of the point tables and matrices. */
  readonly tableBytes: number;
  /** Copies of the H table; more copies, fewer bucket sets. */
  readonly slices: number;
  /** Of a proof: 6, or 4 with a derived file. */
  readonly transforms: number;
  /** As verifyingKeyBytes of codec.ts. */
  readonly verifyingKey: Uint8Array;
}

export interface NativeAddon {
  doctor(): NativeDoctor;
  loadKey(
    path: string,
    options: {
      threads?: number;
      memoryBudgetBytes: number;
      backend?: string;
      /** A file of files/derived.ts, and what it must be bound to. */
      derived?: { path: string; zkeyDigest: Uint8Array };
    },
  ): NativeJob<NativeKey>;
  closeKey(handle: NativeKeyHandle): void;
  /** 256 proof bytes. `blinding`, r and s as 64 little-endian bytes, is for tests: two proofs with the same pair
   *  give the witness away. */
  prove(
    handle: NativeKeyHandle,
    small: Int32Array,
    largeWires: Uint32Array,
    largeValues: Uint8Array,
    options: { threads?: number; blinding?: Uint8Array },
    onStage: ((stage: string, wallMs: number) => void) | undefined,
  ): NativeJob<Uint8Array>;
  verify(
    verifyingKey: Uint8Array,
    proofs: Uint8Array,
    signals: Uint8Array,
    options: { threads?: number; backend?: string },
  ): NativeJob<boolean>;
  /** One kernel on raw operands; see prover/native/kernel-table.hpp. */
  kernel(backend: string | undefined, name: string, ...operands: Uint8Array[]): Uint8Array;
  /** One setup kernel (prover/native/kernels.cpp) on buffers that stay where they are; fills `output`. */
  runKernel(
    name: string,
    inputs: readonly Uint8Array[],
    output: Uint8Array,
    options: { threads?: number; backend?: string },
  ): NativeJob<void>;
}

/** What an addon's errors carry besides their message. */
export interface NativeFailure extends Error {
  readonly kind: 'malformed-file' | 'malformed-witness' | 'unsatisfied' | 'memory' | 'system' | 'cancelled';
  readonly where?: string;
  readonly what?: string;
  readonly expected?: string;
  readonly got?: string;
}

const addonPath = fileURLToPath(new URL('./native/verinfer.node', import.meta.url));
let loaded: NativeAddon | undefined;

/** Undefined when it was not built; throws when it was and does not load (another libc, a damaged file). */
export function loadAddon(): NativeAddon | undefined {
  if (loaded === undefined && existsSync(addonPath)) {
    loaded = createRequire(import.meta.url)(addonPath) as NativeAddon;
  }
  return loaded;
}
