/**
 * Makes receipts. Every field that follows from another is computed here, from the caller's facts, and then the
 * whole is put to the same checks a reader will make: an inconsistent receipt is never handed out.
 */
import type { Proof, VerifyingKey } from '../prover/keys.js';
import { encodeProof, verifyingKeyBytes } from '../prover/codec.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { trustStatements } from './trust.js';
import { checkReceipt } from './verifier/receipt.js';
import type { Opening, Receipt, Settlement, Tensor } from './verifier/schema.js';
import { type ReceiptTypedData, receiptTypedData, recoverFrom } from './verifier/signature.js';
import { verifyReceipt } from './verifier/verify-receipt.js';

export { encodeReceipt } from './verifier/receipt.js';
export { receiptTypedData } from './verifier/signature.js';

export interface ReceiptContent {
  readonly statement: {
    readonly domainTag: Receipt['statement']['domainTag'];
    readonly chainId: bigint | number | string;
    readonly contract: string;
    readonly requestId: string;
    readonly modelId: string;
    readonly operator: string;
    readonly payee: string;
    readonly deadline: bigint | number | string;
  };
  /** What a settlement's requestId is made of. */
  readonly request?: { readonly requester: string; readonly nonce: bigint | string } | null;
  readonly model: {
    readonly modelHash: string;
    readonly circuitHash: string;
    readonly vkHash: string;
    readonly setupClass: Receipt['model']['setup']['class'];
    readonly contributorCount: number;
    readonly transcriptDigest: string;
    readonly compilerVersion: string;
    readonly manifestDigest: string;
  };
  /** manifest.json, whole. */
  readonly manifest: object;
  /** A key, or what verifyingKeyBytes made of it: encoding one takes 5 ms, and many receipts have the same. */
  readonly verifyingKey: VerifyingKey | Uint8Array;
  readonly proof: Proof | Uint8Array;
  readonly publicSignals: readonly bigint[];
  readonly outputs: readonly TensorLike[];
  readonly opening?: { readonly inputs: readonly TensorLike[]; readonly salt: bigint | string | null } | null;
  readonly agreement: Receipt['agreement'];
  readonly executed: Receipt['executed'];
  readonly runtime: Receipt['runtime'];
  readonly settlement: Settlement;
  /** Defaults to now. */
  readonly issuedAt?: Date;
}

export interface TensorLike {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Anything that signs EIP-712: an ethers Signer, or the signer process. */
export interface ReceiptSigner {
  signTypedData(
    domain: ReceiptTypedData['domain'],
    types: ReceiptTypedData['types'],
    message: ReceiptTypedData['message'],
  ): Promise<string>;
}

/**
 * An unsigned receipt.
 * @throws InconsistentReceipt naming the first check that a reader would see fail
 */
export async function buildReceipt(content: ReceiptContent): Promise<Receipt> {
  const { statement, model, request, opening, publicSignals } = content;
  const { setupClass, contributorCount, transcriptDigest, ...hashes } = model;
  const receipt = checkReceipt({
    version: 'verinfer-receipt/1',
    issuedAt: (content.issuedAt ?? new Date()).toISOString(),
    statement: {
      domainTag: statement.domainTag,
      version: 1,
      chainId: `${BigInt(statement.chainId)}`,
      contract: statement.contract.toLowerCase(),
      requestId: statement.requestId.toLowerCase(),
      modelId: statement.modelId.toLowerCase(),
      vkHash: model.vkHash.toLowerCase(),
      operator: statement.operator.toLowerCase(),
      payee: statement.payee.toLowerCase(),
      deadline: `${BigInt(statement.deadline)}`,
    },
    request: request
      ? { requester: request.requester.toLowerCase(), nonce: `${BigInt(request.nonce)}` }
      : null,
    model: {
      ...Object.fromEntries(Object.entries(hashes).map(([name, hash]) => [name, hash.toLowerCase()])),
      proofSystem: 'groth16-bn254-v1',
      setup: { class: setupClass, contributorCount, transcriptDigest: transcriptDigest.toLowerCase() },
    },
    manifest: JSON.parse(JSON.stringify(content.manifest)),
    verifyingKey: hex(keyBytes(content.verifyingKey)),
    proof: hex(content.proof instanceof Uint8Array ? content.proof : encodeProof(content.proof)),
    publicSignals: publicSignals.map(String),
    outputs: content.outputs.map(plainTensor),
    agreement: content.agreement,
    executed: content.executed,
    runtime: content.runtime,
    settlement: content.settlement,
    trust: trustStatements({ setupClass, contributorCount }),
    opening: opening ? plainOpening(opening) : null,
    signature: null,
  });
  await requireConsistent(receipt);
  return receipt;
}

/** @throws InconsistentReceipt when the signer is not the operator named in the statement */
export async function signReceipt(receipt: Receipt, signer: ReceiptSigner): Promise<Receipt> {
  const data = receiptTypedData(receipt);
  const signature = (await signer.signTypedData(data.domain, data.types, data.message)).toLowerCase();
  const signed = checkReceipt({ ...receipt, signature });
  // Checked before it is handed out: a fault while signing could tell the key.
  const recovered = recoverFrom(data, signature);
  if (recovered !== receipt.statement.operator) {
    throw new InconsistentReceipt('signature', 'its operator signed it', recovered ?? 'no signature');
  }
  return signed;
}

/** The client's own copy. The signature stays valid: it does not cover the opening, the input commitment does. */
export function withOpening(receipt: Receipt, opening: NonNullable<ReceiptContent['opening']>): Receipt {
  return checkReceipt({ ...receipt, opening: plainOpening(opening) });
}

/** What may be shown to others than the client. */
export function withoutOpening(receipt: Receipt): Receipt {
  return { ...receipt, opening: null };
}

/** A later state of the same statement; unsigned, sign it again. */
export function withSettlement(receipt: Receipt, settlement: Settlement): Receipt {
  return checkReceipt({ ...receipt, settlement, signature: null });
}

async function requireConsistent(receipt: Receipt): Promise<void> {
  const { chainId, contract, domainTag, modelId, requestId } = receipt.statement;
  const chain = domainTag === 'verinfer/settlement/v1' ? { chainId, contract } : {};
  const { checks } = await verifyReceipt(receipt, {
    ...{ modelId, requestId, ...chain },
    allowUnsigned: receipt.signature === null,
  });
  const failed = checks.find(({ status }) => status === 'fail');
  if (failed) throw new InconsistentReceipt(failed.id, failed.claim, failed.detail);
}

function plainTensor({ name, dtype, shape, values }: TensorLike): Tensor {
  return { name, dtype: dtype as Tensor['dtype'], shape: [...shape], values: Array.from(values) };
}

function plainOpening({ inputs, salt }: NonNullable<ReceiptContent['opening']>): Opening {
  const text = salt === null ? null : `0x${BigInt(salt).toString(16).padStart(62, '0')}`;
  return { inputs: inputs.map(plainTensor), salt: text };
}

const keyBytes = (key: VerifyingKey | Uint8Array): Uint8Array =>
  key instanceof Uint8Array ? key : verifyingKeyBytes(key);
const hex = (bytes: Uint8Array): string => `0x${bytesToHex(bytes)}`;

/** A receipt that its own reader would refuse; nothing is handed out. */
export class InconsistentReceipt extends Error {
  constructor(
    readonly check: string,
    readonly claim: string,
    readonly got: string,
  ) {
    super(`receipt: must be such that ${claim} (${check}), got: ${got}`);
    this.name = 'InconsistentReceipt';
  }
}
