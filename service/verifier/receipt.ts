/**
 * A receipt as bytes: canonical JSON (RFC 8785), so one receipt has one text. What is signed is the receipt
 * without its opening and signature; what identifies it is the statement, never the proof's bytes.
 */
import canonicalizeModule from 'canonicalize';
import { fieldBytes } from '../../prover/codec.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { type Receipt, receiptSchema } from './schema.js';

// The package's types describe an ES module; what Node and bundlers hand over is the function itself.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined;

/** A LeNet receipt is 12 kB; a thousand 31-byte signals would be 80 kB. */
export const maxReceiptBytes = 1 << 20;

/** Serve, store and mail exactly this text. */
export function encodeReceipt(receipt: Receipt): string {
  return canonicalText(receipt);
}

/**
 * @throws MalformedReceipt for anything but the canonical text of a version 1 receipt: other order, spacing,
 *         escapes, number forms, duplicate or unknown keys, other version
 */
export function parseReceipt(text: string | Uint8Array): Receipt {
  const size = text.length;
  if (size > maxReceiptBytes)
    throw new MalformedReceipt('size', `at most ${maxReceiptBytes} bytes`, `${size}`);
  const decoded = typeof text === 'string' ? text : decodeUtf8(text);
  boundDepth(decoded);
  let value: unknown;
  try {
    value = JSON.parse(decoded);
  } catch {
    throw new MalformedReceipt('text', 'JSON', 'something else');
  }
  const receipt = checkReceipt(value);
  if (canonicalText(receipt) !== decoded) {
    throw new MalformedReceipt('text', 'canonical JSON (RFC 8785)', 'another form of the same value');
  }
  return receipt;
}

/** The schema, for a receipt that arrives as a value. */
export function checkReceipt(value: unknown): Receipt {
  const parsed = receiptSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue.path.map((part) => String(part).slice(0, 40)).join('.') || 'receipt';
  throw new MalformedReceipt(where.replace(/\p{C}/gu, '?'), 'as in the schema of receipt v1', issue.code);
}

/** keccak256(vkHash ‖ signals, 32 bytes each): the same for every re-randomisation of the proof. */
export function statementDigest(vkHash: string, publicSignals: readonly bigint[]): string {
  return keccakHex(concatBytes(hexToBytes(vkHash.slice(2)), ...publicSignals.map(fieldBytes)));
}

/** keccak256 of the canonical text without opening and signature. */
export function receiptDigest(receipt: Receipt): string {
  return keccakHex(utf8ToBytes(canonicalText({ ...receipt, opening: null, signature: null })));
}

/** keccak256 of a manifest's canonical text: manifestDigest. */
export function manifestDigest(manifest: Receipt['manifest']): string {
  return keccakHex(utf8ToBytes(canonicalText(manifest)));
}

export function keccakHex(bytes: Uint8Array): string {
  return `0x${bytesToHex(keccak_256(bytes))}`;
}

export function canonicalText(value: object): string {
  const text = canonicalize(value);
  if (text === undefined) throw new MalformedReceipt('value', 'JSON', typeof value);
  return text;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new MalformedReceipt('text', 'UTF-8', 'other bytes');
  }
}

/** Before JSON.parse, and before anything recursive: a receipt nests eight deep, manifests a little more. */
function boundDepth(text: string): void {
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isInText) {
      if (code === 0x5c) i++;
      else if (code === 0x22) isInText = false;
    } else if (code === 0x22) isInText = true;
    else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    if (depth > 32) throw new MalformedReceipt('depth', 'at most 32', 'more');
  }
}

/** Not a receipt: nothing was verified. */
export class MalformedReceipt extends Error {
  constructor(
    readonly where: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`receipt ${where}: must be ${expected}, got ${got}`);
    this.name = 'MalformedReceipt';
  }
}
