import { createHash } from 'node:crypto';
import type { Idempotency } from '../store/accept.js';

/** What a key stands for: this kind of request, this body, this model. Null without a key. */
export function idempotencyOf(
  kind: 'inference' | 'batch',
  modelId: string,
  idempotencyKey: string | undefined,
  bodyDigest: string,
): Idempotency | null {
  if (idempotencyKey === undefined) return null;
  const digest = createHash('sha256').update(`${kind}:${modelId}:${bodyDigest}`).digest('hex');
  return { idempotencyKey, bodyDigest: digest };
}
