/** What the service knows of a model, as plain data: written once at install, stored in PostgreSQL, shown by the API. */
import type { TensorSpec } from './inference/tensors.js';

export interface LayerReport {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
  readonly wires: number;
}

/** The preimage of modelId, as in circuits/model-id.ts; bytes32 as 0x hex, lower case. */
export interface IdentityRecord {
  readonly modelHash: string;
  readonly circuitHash: string;
  readonly vkHash: string;
  readonly setupClass: 'dev-single-party' | 'ceremony';
  readonly contributorCount: number;
  readonly transcriptDigest: string;
  readonly compilerVersion: string;
  readonly manifestDigest: string;
}

export interface AgreementRecord {
  readonly samples: number;
  readonly mismatchedElements: number;
  readonly elements: number;
  readonly maxDifference: number;
}

export interface ModelDescription {
  readonly modelId: string;
  readonly name: string;
  readonly identity: IdentityRecord;
  /** manifest.json, whole: input and output modes, shapes, dtypes, scales, packing, post-processing. */
  readonly manifest: Record<string, unknown>;
  /** What a client sends. */
  readonly inputs: readonly TensorSpec[];
  /** The integer tensors that are proven. */
  readonly outputs: readonly TensorSpec[];
  readonly inputMode: 'committed' | 'public';
  readonly outputMode: 'packed' | 'commitment' | 'label';
  readonly rowCount: number;
  readonly wireCount: number;
  readonly publicCount: number;
  readonly layers: readonly LayerReport[];
  readonly executedHash: string;
  /** The executed graph against the file as uploaded; null when it could not be measured. */
  readonly agreement: AgreementRecord | null;
  readonly notes: readonly string[];
}

/** SHA-256 and size of each file of the model's folder. */
export type FileTable = Readonly<Record<string, { readonly sha256: string; readonly sizeBytes: number }>>;

export const modelFiles = [
  'model.onnx',
  'executed.onnx',
  'circuit.r1cs',
  'key.zkey',
  'vk.json',
  'manifest.json',
  'identity.json',
  'description.json',
] as const;
export type ModelFile = (typeof modelFiles)[number];
