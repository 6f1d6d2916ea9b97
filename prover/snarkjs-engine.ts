/**
 * The engine that is always there: snarkjs (WASM). The key is read once and kept as bytes, so that what was
 * checked is what proves. snarkjs keeps its worker threads in a global; they end with the last open key.
 */
import { readFile } from 'node:fs/promises';
import { groth16, curves, type Logger, type ProofJson } from 'snarkjs';
import type { CompactWitness } from '../circuits/r1cs/r1cs.js';
import {
  type Engine,
  type LoadedKey,
  type ProveOptions,
  type ProveStage,
  UnsatisfiedWitness,
} from './engine.js';
import { proofFromJson } from './codec.js';
import { memorySource } from './files/container.js';
import { encodeWitness } from '../circuits/r1cs/file.js';
import { verify } from './verify.js';
import { publicSignalsOf } from './witness-signals.js';
import { checkCoefficients, readZkey } from './files/zkey.js';
import { checkVerifyingKey } from './key-check.js';
import type { Proof, VerifyingKey } from './keys.js';

let openKeyCount = 0;

export const snarkjsEngine: Engine = { name: 'snarkjs', loadKey };

async function loadKey(zkeyPath: string): Promise<LoadedKey> {
  const file = await readFile(zkeyPath);
  // Not a Buffer: snarkjs relies on slice() making a copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const zkey = readZkey(memorySource(bytes, zkeyPath));
  const { header, verifyingKey } = zkey;
  checkVerifyingKey(verifyingKey, header.publicCount);
  checkCoefficients(zkey);
  openKeyCount += 1;
  let isOpen = true;
  return {
    verifyingKey,
    wireCount: header.wireCount,
    publicCount: header.publicCount,
    domainSize: header.domainSize,
    prove(witness, options) {
      if (!isOpen) return Promise.reject(new Error('proving key: already closed'));
      return prove(bytes, verifyingKey, header.wireCount, witness, options);
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      openKeyCount -= 1;
      if (openKeyCount === 0) await endThreads();
    },
  };
}

/**
 * snarkjs's curve with its worker threads, started and ended one after the other: it keeps them in a global, so two
 * starts at once would leave one set running for good, and a proof begun while they end would wait for ever.
 */
let threads: Promise<unknown> = Promise.resolve();
let isRunning = false;

function startThreads(): Promise<unknown> {
  if (!isRunning) {
    isRunning = true;
    threads = threads.then(() => curves.getCurveFromName('bn128'));
  }
  return threads;
}

/** Without this a process that proved once never exits. A key opened meanwhile keeps the threads. */
function endThreads(): Promise<unknown> {
  threads = threads.then(async () => {
    if (!isRunning || openKeyCount > 0) return;
    isRunning = false;
    await (await curves.getCurveFromName('bn128')).terminate();
  });
  return threads;
}

async function prove(
  zkey: Uint8Array,
  verifyingKey: VerifyingKey,
  wireCount: number,
  witness: CompactWitness,
  { signal, onStage, threads: threadCount }: ProveOptions = {},
): Promise<Proof> {
  signal?.throwIfAborted();
  if (witness.small.length !== wireCount) {
    throw new UnsatisfiedWitness(`witness: length must be ${wireCount}, got ${witness.small.length}`);
  }
  const publicSignals = publicSignalsOf(witness, verifyingKey.ic.length - 1);
  await startThreads();
  const encoded = encodeWitness(witness);
  const stages = stageLogger(onStage);
  let json: ProofJson;
  try {
    ({ proof: json } = await groth16.prove(zkey, encoded, stages.logger, {
      singleThread: threadCount === 1,
    }));
  } finally {
    encoded.fill(0);
  }
  stages.end('msm-h');
  // snarkjs cannot be interrupted: an abort is noticed here, and the finished proof is dropped.
  signal?.throwIfAborted();
  const proof = proofFromJson(json);
  if (!(await verify(verifyingKey, publicSignals, proof))) {
    throw new UnsatisfiedWitness('witness: must satisfy every constraint, got a proof that does not verify');
  }
  stages.end('verify');
  return proof;
}

/** snarkjs announces each step on its logger; that is the only place where its stages show. */
function stageLogger(onStage: ProveOptions['onStage']): { logger: Logger; end(stage: ProveStage): void } {
  let started = performance.now();
  const end = (stage: ProveStage): void => {
    const now = performance.now();
    onStage?.(stage, now - started);
    started = now;
  };
  const silent = (): void => undefined;
  let hasTransforms = false;
  const debug = (message: string): void => {
    if (!hasTransforms && message.startsWith('IFFT_A')) {
      hasTransforms = true;
      end('abc');
    } else if (message === 'Reading A Points') end('ntt');
    else if (message === 'Reading H Points') end('msm-witness');
  };
  return { logger: { debug, info: silent, warn: silent, error: silent }, end };
}
