/**
 * A bundle is a receipt and the model it speaks of in one file that can be mailed. It carries evidence, never trust
 * anchors: what the auditor expects still comes from the auditor. Closed schema, no names, no paths.
 */
import canonicalizeModule from 'canonicalize';
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { encodeReceipt } from '../verifier/receipt.js';
import { type Receipt, receiptSchema } from '../verifier/schema.js';

const canonicalize = canonicalizeModule as unknown as (value: unknown) => string;

const bundleSchema = z.strictObject({
  version: z.literal('verinfer-bundle/1'),
  /** The receipt's canonical text, as a string: its bytes are what is signed. */
  receipt: z.string().check(z.maxLength(1 << 20)),
  /** base64 of model.onnx; SHA-256 must be the receipt's modelHash. */
  model: z.base64(),
});

export interface Bundle {
  readonly receiptText: string;
  readonly onnx: Uint8Array;
}

/** @throws UnreadableSubject for a model that is not the receipt's */
export function encodeBundle(receipt: Receipt, onnx: Uint8Array): string {
  const { model } = receiptSchema.parse(receipt);
  const hash = `0x${createHash('sha256').update(onnx).digest('hex')}`;
  if (hash !== model.modelHash) throw new UnreadableSubject('model', `of SHA-256 ${model.modelHash}`, hash);
  const bundle = {
    version: 'verinfer-bundle/1',
    receipt: encodeReceipt(receipt),
    model: Buffer.from(onnx).toString('base64'),
  };
  return canonicalize(bundle);
}

/** @throws UnreadableSubject for anything else than a bundle; the receipt inside is judged later, with the rest */
export function parseBundle(text: string): Bundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableSubject('bundle', 'JSON', 'something else');
  }
  const parsed = bundleSchema.safeParse(value);
  if (!parsed.success) throw new UnreadableSubject('bundle', 'version, receipt and model', 'other fields');
  const { receipt, model } = parsed.data;
  return { receiptText: receipt, onnx: Buffer.from(model, 'base64') };
}

/** There is nothing to audit: exit code 2. */
export class UnreadableSubject extends Error {
  constructor(where: string, expected: string, got: string) {
    super(`${where}: must be ${expected}, got ${got}`);
    this.name = 'UnreadableSubject';
  }
}
