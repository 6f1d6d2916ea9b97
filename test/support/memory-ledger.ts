/** A ledger that outlives its signer, as PostgreSQL does: a test "kills" the signer and starts another over it. */
import {
  finalStates,
  IntentConflict,
  sameIntent,
  type Entry,
  type Ledger,
} from '../../service/signer/ledger.js';

export interface MemoryLedger extends Ledger {
  readonly entries: Map<string, Entry>;
  /** What a backup holds. */
  snapshot(): Map<string, Entry>;
  restore(backup: Map<string, Entry>): void;
}

export function memoryLedger(): MemoryLedger {
  const entries = new Map<string, Entry>();
  const get = (id: string): Entry => {
    const entry = entries.get(id);
    if (entry === undefined) throw new Error(`intent ${id}: must be in the ledger`);
    return entry;
  };
  return {
    entries,
    snapshot: () => new Map(entries),
    restore(backup) {
      entries.clear();
      for (const [id, entry] of backup) entries.set(id, entry);
    },
    enter: async (intent) => {
      const known = entries.get(intent.id);
      if (known !== undefined && !sameIntent(known, intent)) throw new IntentConflict(intent.id);
      if (known !== undefined) return false;
      entries.set(intent.id, {
        ...intent,
        state: 'queued',
        nonce: null,
        attempts: [],
        transactionHash: null,
        blockNumber: null,
        blockHash: null,
        gasUsed: null,
        reason: null,
        failures: 0,
      });
      return true;
    },
    read: async (id) => entries.get(id) ?? null,
    open: async () =>
      [...entries.values()]
        .filter(({ state }) => !finalStates.includes(state))
        .sort((a, b) => (a.nonce ?? Infinity) - (b.nonce ?? Infinity) || 0),
    withNonce: async (nonce) => [...entries.values()].find((entry) => entry.nonce === nonce) ?? null,
    sign: async (id, nonce, attempt) => {
      const entry = get(id);
      if (entry.state !== 'queued') throw new Error(`intent ${id}: must be queued`);
      for (const other of entries.values())
        if (other.nonce === nonce) throw new Error(`nonce ${nonce} is taken`);
      entries.set(id, { ...entry, state: 'signed', nonce, attempts: [...entry.attempts, attempt] });
    },
    replace: async (id, attempt) => {
      const entry = get(id);
      entries.set(id, { ...entry, attempts: [...entry.attempts, attempt] });
    },
    change: async (id, change) => void entries.set(id, { ...get(id), ...change }),
    nextNonce: async () => Math.max(-1, ...[...entries.values()].map(({ nonce }) => nonce ?? -1)) + 1,
    recent: async () => {
      const signed = [...entries.values()].filter(({ attempts }) => attempts.length > 0);
      return { count: signed.length, valueWei: signed.reduce((sum, { valueWei }) => sum + valueWei, 0n) };
    },
  };
}
