/** Messages between the prover host and its prover process, and between that and its threads. */
import type { FailureCode } from '../errors.js';
import type { FileTable } from '../model-description.js';
import type { Statement } from '../statement.js';

export interface ProvenTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export interface ProveJob {
  readonly inferenceId: string;
  readonly modelId: string;
  readonly folder: string;
  readonly files: FileTable;
  readonly statement: Statement;
  /** Preimage of the request id, for settlements on chain. */
  readonly request: { readonly requester: string; readonly nonce: string } | null;
  /** joinTensors of the model's inputs. */
  readonly tensors: Uint8Array;
  readonly salt: Uint8Array | null;
  /** What ONNX Runtime answered: the integer tensors that the proof must be of. */
  readonly answered: readonly ProvenTensor[];
  readonly engine: 'auto' | 'native' | 'snarkjs';
  readonly selfTest: 'pass' | 'fail';
  readonly runtimeVersion: string;
  /** Threads inside this proof; 0: as many as the engine likes. */
  readonly threads: number;
}

export interface LoadJob {
  readonly modelId: string;
  readonly folder: string;
  readonly files: FileTable;
  readonly engine: 'auto' | 'native' | 'snarkjs';
}

export interface Proven {
  readonly kind: 'proven';
  /** Canonical JSON. */
  readonly receipt: string;
  readonly engine: string;
  readonly timings: Readonly<Record<string, number>>;
}

export interface Refused {
  readonly kind: 'refused';
  readonly code: FailureCode;
  readonly detail: string;
}

export interface Loaded {
  readonly kind: 'loaded';
  readonly engine: string;
  readonly reason: string;
}

export type ThreadTask =
  { readonly type: 'prove'; readonly job: ProveJob } | { readonly type: 'load'; readonly job: LoadJob };

export type ToProcess = { readonly type: 'task'; readonly taskId: number; readonly task: ThreadTask };

export type FromProcess =
  | { readonly type: 'ready' }
  | { readonly type: 'started'; readonly taskId: number }
  | { readonly type: 'stage'; readonly taskId: number; readonly stage: string; readonly wallMs: number }
  | { readonly type: 'result'; readonly taskId: number; readonly result: Proven | Refused | Loaded }
  /** The thread was lost (out of memory inside V8) or threw what it does not know. */
  | { readonly type: 'lost'; readonly taskId: number; readonly detail: string };
