/** The operator's EIP-712 signature over a receipt: made with any wallet, checked here with secp256k1 alone. */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { fieldBytes } from '../../prover/codec.js';
import { keccakHex, receiptDigest, statementDigest } from './receipt.js';
import type { Receipt } from './schema.js';

/** In the form ethers' signTypedData takes. */
export interface ReceiptTypedData {
  readonly domain: { name: string; version: string; chainId: bigint; verifyingContract: string };
  readonly types: { Receipt: { name: string; type: string }[] };
  readonly message: { receiptDigest: string; statementDigest: string };
}

const fields = ['receiptDigest', 'statementDigest'] as const;

export function receiptTypedData(receipt: Receipt): ReceiptTypedData {
  const { chainId, contract, vkHash } = receipt.statement;
  return {
    domain: {
      name: 'verinfer receipt',
      version: '1',
      chainId: BigInt(chainId),
      verifyingContract: contract,
    },
    types: { Receipt: fields.map((name) => ({ name, type: 'bytes32' })) },
    message: {
      receiptDigest: receiptDigest(receipt),
      statementDigest: statementDigest(vkHash, receipt.publicSignals.map(BigInt)),
    },
  };
}

/** Address that signed, lower case; undefined where the signature is malformed, high-s, or of no key. */
export function recoverSigner(receipt: Receipt): string | undefined {
  return receipt.signature === null ? undefined : recoverFrom(receiptTypedData(receipt), receipt.signature);
}

export function recoverFrom(data: ReceiptTypedData, signature: string): string | undefined {
  const bytes = hexToBytes(signature.slice(2));
  const v = bytes[64];
  if (v !== 27 && v !== 28) return undefined;
  try {
    const compact = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), 'compact');
    // The other half of the s values is the same signature again: one text for one signature.
    if (compact.hasHighS()) return undefined;
    const point = compact.addRecoveryBit(v - 27).recoverPublicKey(typedDataHash(data));
    return `0x${keccakHex(point.toBytes(false).subarray(1)).slice(26)}`;
  } catch {
    return undefined;
  }
}

function typedDataHash({ domain, message }: ReceiptTypedData): Uint8Array {
  const domainType = 'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)';
  const receiptType = `Receipt(${fields.map((name) => `bytes32 ${name}`).join(',')})`;
  const separator = structHash(domainType, [
    keccak(utf8ToBytes(domain.name)),
    keccak(utf8ToBytes(domain.version)),
    fieldBytes(domain.chainId),
    fieldBytes(BigInt(domain.verifyingContract)),
  ]);
  const content = structHash(
    receiptType,
    fields.map((name) => hexToBytes(message[name].slice(2))),
  );
  return keccak(concatBytes(Uint8Array.of(0x19, 0x01), separator, content));
}

const keccak = (bytes: Uint8Array): Uint8Array => hexToBytes(keccakHex(bytes).slice(2));

function structHash(type: string, words: readonly Uint8Array[]): Uint8Array {
  return keccak(concatBytes(keccak(utf8ToBytes(type)), ...words));
}
