/**
 * The fast engine: C++20 behind N-API (prover/native). A key is read and checked once per process; every worker
 * thread that loads the same file shares it. Twin of snarkjs-engine.ts: same files, same errors, same proofs.
 */
import { existsSync, statSync } from 'node:fs';
import { MalformedFile } from '../circuits/errors.js';
import type { CompactWitness } from '../circuits/r1cs/r1cs.js';
import { decodeProof, decodeVerifyingKey } from './codec.js';
import {
  type Engine,
  type LoadedKey,
  type LoadKeyOptions,
  type ProveOptions,
  type ProveStage,
  UnsatisfiedWitness,
} from './engine.js';
import { derivedMagic, derivedPathOf, fileDigest } from './files/derived.js';
import { checkVerifyingKey } from './key-check.js';
import type { Proof } from './keys.js';
import {
  loadAddon,
  type NativeAddon,
  type NativeFailure,
  type NativeJob,
  type NativeKey,
} from './native-addon.js';

export const nativeEngine: Engine = {
  name: 'native',
  loadKey: (path, options) => loadNativeKey(path, options),
};

export interface NativeKeyOptions extends LoadKeyOptions {
  /** An instruction set other than the best, from `doctor().backends`. */
  readonly backend?: string;
  readonly threads?: number;
}

/** Copies of the H points: beyond this, gathering from memory costs what the copies save (measured at 2^14 to 2^18). */
const defaultTableBytes = 24 * 2 ** 20;

/** A LoadedKey with what only this engine can tell. */
export interface LoadedNativeKey extends LoadedKey {
  readonly tableBytes: number;
  readonly slices: number;
  /** Of a proof: 6, or 4 with a derived file. */
  readonly transforms: number;
  /** Why a derived file that is there is not used; it costs speed, nothing else. */
  readonly derivedRefusal: string | null;
}

/** Whether the addon was built and loads; with the reason if not. */
export function nativeAvailability(): { available: boolean; reason: string } {
  try {
    const addon = loadAddon();
    if (!addon) return { available: false, reason: 'the native engine is not built (make native)' };
    const { backends, cpuFeatures, threads } = addon.doctor();
    const tables = `up to ${defaultTableBytes / 2 ** 20} MiB of tables a key`;
    const kernels = `${backends[0]} kernels of ${backends.join(', ')}`;
    return {
      available: true,
      reason: `native: ${kernels}; ${cpuFeatures.join(' ')}; ${threads} threads; ${tables}`,
    };
  } catch (error) {
    return { available: false, reason: `the native engine does not load: ${(error as Error).message}` };
  }
}

/**
 * Rejects with MalformedFile, UnsafeVerifyingKey, or the system's error when the file cannot be read. A derived file
 * that is not this key's is left aside.
 */
export async function loadNativeKey(
  zkeyPath: string,
  options: NativeKeyOptions = {},
): Promise<LoadedNativeKey> {
  const addon = requireAddon();
  const { memoryBudgetBytes: budget, threads, backend } = options;
  const load = (copiesBytes: number, derived?: DerivedFile): Promise<NativeKey> =>
    settle(
      addon.loadKey(zkeyPath, {
        memoryBudgetBytes: Math.max(0, Math.min(copiesBytes, Number.MAX_SAFE_INTEGER)),
        ...(threads === undefined ? {} : { threads }),
        ...(backend === undefined ? {} : { backend }),
        ...(derived === undefined ? {} : { derived }),
      }),
      zkeyPath,
    );
  const standard = async (derivedRefusal: string | null): Promise<LoadedNativeKey> =>
    opened(addon, await load(budget ?? defaultTableBytes), derivedRefusal);

  const { derivedPath: path = existing(derivedPathOf(zkeyPath)) } = options;
  if (path === null) return standard(null);
  // out of a budget that was given; the default is for copies alone
  const copiesBytes = budget === undefined ? defaultTableBytes : budget - sizeOf(path);
  if (copiesBytes < 0) return standard(`${path}: size must be within the memory budget`);
  try {
    return opened(addon, await load(copiesBytes, { path, zkeyDigest: await fileDigest(zkeyPath) }), null);
  } catch (error) {
    if (!(error instanceof RefusedDerivedFile)) throw error;
    return standard(`${path}: ${error.message}`);
  }
}

interface DerivedFile {
  readonly path: string;
  readonly zkeyDigest: Uint8Array;
}

const existing = (path: string): string | null => (existsSync(path) ? path : null);
/** 0 for what is not there: the reader says so. */
const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Never leaves this file: the key is loaded without it. */
class RefusedDerivedFile extends Error {}

function opened(addon: NativeAddon, key: NativeKey, derivedRefusal: string | null): LoadedNativeKey {
  const verifyingKey = decodeVerifyingKey(key.verifyingKey);
  checkVerifyingKey(verifyingKey, key.publicCount);
  let isOpen = true;
  return {
    verifyingKey,
    wireCount: key.wireCount,
    publicCount: key.publicCount,
    domainSize: key.domainSize,
    tableBytes: key.tableBytes,
    slices: key.slices,
    transforms: key.transforms,
    derivedRefusal,
    prove(witness, options) {
      if (!isOpen) return Promise.reject(new Error('proving key: already closed'));
      return prove(addon, key, witness, options);
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      addon.closeKey(key.handle);
    },
  };
}

async function prove(
  addon: NativeAddon,
  key: NativeKey,
  { small, largeWires, largeValues }: CompactWitness,
  { signal, onStage, threads }: ProveOptions = {},
): Promise<Proof> {
  signal?.throwIfAborted();
  const options = threads === undefined ? {} : { threads };
  const report = onStage && ((stage: string, ms: number) => onStage(stage as ProveStage, ms));
  const job = addon.prove(key.handle, small, largeWires, largeValues, options, report);
  return decodeProof(await settle(job, 'zkey', signal));
}

/**
 * Checks many proofs of one key at once, folded with random weights: one false proof among them makes it false.
 * @param verifyingKey as `verifyingKeyBytes`   @param proofs 256 bytes each   @param signals 32 bytes each
 */
export async function verifyManyNative(
  verifyingKey: Uint8Array,
  proofs: Uint8Array,
  signals: Uint8Array,
): Promise<boolean> {
  return settle(requireAddon().verify(verifyingKey, proofs, signals, {}), 'proofs');
}

function requireAddon(): NativeAddon {
  const addon = loadAddon();
  if (!addon) throw new Error('native engine: must be built (make native), got no addon');
  return addon;
}

async function settle<T>(job: NativeJob<T>, where: string, signal?: AbortSignal): Promise<T> {
  const abort = (): void => job.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await job.promise;
  } catch (error) {
    throw typed(error as NativeFailure, where, signal);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function typed(error: NativeFailure, where: string, signal?: AbortSignal): unknown {
  const { what = '', expected = '', got = '' } = error;
  if (error.where === derivedMagic) return new RefusedDerivedFile(error.message);
  switch (error.kind) {
    case 'malformed-file':
      return new MalformedFile({ where, what, expected, got });
    case 'malformed-witness':
    case 'unsatisfied':
      return new UnsatisfiedWitness(error.message);
    case 'cancelled':
      return signal?.aborted ? signal.reason : error;
    default:
      return error;
  }
}
