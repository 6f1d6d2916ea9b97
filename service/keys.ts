/**
 * API keys: `vk_<id>_<secret>`, 256 random bits of which only the SHA-256 is stored. A slow hash would add nothing
 * against guessing 2^256 and would let anyone burn our CPU.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Pool } from 'pg';
import { Problem } from './errors.js';
import { scopes, type Caller, type Scope } from './operation.js';
import { addKey, readKey, revokeKey, type KeyRow } from './store/keys.js';

export interface NewKey {
  readonly tenantId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly unitsPerDay: number | null;
  readonly expiresAt: Date | null;
}

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Returns the text that is shown once. */
export async function createKey(pool: Pool, key: NewKey): Promise<{ id: string; text: string }> {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('hex');
  await addKey(pool, { ...key, id, scopes: [...key.scopes], secretDigest: digestOf(secret) });
  return { id, text: `vk_${id}_${secret}` };
}

/** A new secret with the old key's rights; the old one works for `graceMs` more. Null: no such key. */
export async function rotateKey(
  pool: Pool,
  id: string,
  graceMs: number,
): Promise<{ id: string; text: string } | null> {
  const old = await readKey(pool, id);
  if (!old || old.revokedAt) return null;
  const made = await createKey(pool, { ...old, scopes: old.scopes as Scope[] });
  await revokeKey(pool, id, graceMs);
  return made;
}

const development: Caller = { tenantId: 'development', keyId: null, scopes: [...scopes], unitsPerDay: null };
const nobody = Buffer.alloc(32);

/** Authenticates `Authorization: Bearer vk_…`. Rows are kept for a second, so a revocation holds everywhere after that. */
export class KeyRing {
  private readonly known = new Map<string, { row: KeyRow | null; until: number }>();
  constructor(
    private readonly pool: Pool,
    private readonly requireKeys: boolean,
  ) {}

  readonly authenticate = async (authorization: string | undefined): Promise<Caller> => {
    if (authorization === undefined && !this.requireKeys) return development;
    const match = /^Bearer vk_([0-9a-f]{16})_([0-9a-f]{64})$/.exec(authorization ?? '');
    if (!match) throw refused();
    const row = await this.lookUp(match[1]!);
    // One comparison whether the id exists or not.
    const same = timingSafeEqual(digestOf(match[2]!), row?.secretDigest ?? nobody);
    const now = new Date();
    if (!row || !same || (row.revokedAt && row.revokedAt <= now) || (row.expiresAt && row.expiresAt <= now))
      throw refused();
    return {
      tenantId: row.tenantId,
      keyId: row.id,
      scopes: row.scopes as Scope[],
      unitsPerDay: row.unitsPerDay,
    };
  };

  private async lookUp(id: string): Promise<KeyRow | null> {
    const kept = this.known.get(id);
    if (kept && kept.until > Date.now()) return kept.row;
    const row = await readKey(this.pool, id);
    if (this.known.size > 10_000) this.known.clear();
    this.known.set(id, { row, until: Date.now() + 1_000 });
    return row;
  }
}

function refused(): Problem {
  return new Problem('unauthorized', 'send Authorization: Bearer <API key>', [], {
    'WWW-Authenticate': 'Bearer',
  });
}
