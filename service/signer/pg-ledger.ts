/** The ledger of one key on one chain, in PostgreSQL. */
import type { Pool, PoolClient } from 'pg';
import {
  IntentConflict,
  sameIntent,
  type Attempt,
  type Entry,
  type EntryChange,
  type Intent,
  type IntentState,
  type Ledger,
} from './ledger.js';

interface Row {
  id: string;
  chain_id: number;
  recipient: string;
  data: string;
  value_wei: string;
  not_after_s: number | null;
  state: IntentState;
  nonce: number | null;
  attempts: { hash: string; raw: string; gasLimit: string; maxFee: string; priorityFee: string }[];
  transaction_hash: string | null;
  block_number: number | null;
  block_hash: string | null;
  gas_used: string | null;
  reason: string | null;
  failures: number;
}

const columns: Record<keyof EntryChange, string> = {
  state: 'state',
  nonce: 'nonce',
  transactionHash: 'transaction_hash',
  blockNumber: 'block_number',
  blockHash: 'block_hash',
  gasUsed: 'gas_used',
  reason: 'reason',
  failures: 'failures',
};

export function pgLedger(pool: Pool, chainId: number, sender: string): Ledger {
  const key = [chainId, sender.toLowerCase()] as const;
  const read = async (id: string): Promise<Entry | null> => {
    const { rows } = await pool.query<Row>(
      'select * from chain_intents where chain_id = $1 and sender = $2 and id = $3',
      [...key, id],
    );
    return rows[0] === undefined ? null : entryOf(rows[0]);
  };
  const exactlyOne = (rowCount: number | null, id: string): void => {
    if (rowCount !== 1) throw new Error(`intent ${id}: must be in the ledger and open to this change`);
  };
  return {
    read,
    async enter(intent) {
      const { rowCount } = await pool.query(
        `insert into chain_intents (id, chain_id, sender, recipient, data, value_wei, not_after_s)
         values ($3, $1, $2, $4, $5, $6, $7) on conflict (chain_id, sender, id) do nothing`,
        [...key, intent.id, intent.to, intent.data, String(intent.valueWei), intent.notAfterS],
      );
      if (rowCount === 1) return true;
      if (!sameIntent(intent, (await read(intent.id))!)) throw new IntentConflict(intent.id);
      return false;
    },
    async open() {
      const { rows } = await pool.query<Row>(
        `select * from chain_intents where chain_id = $1 and sender = $2
         and state in ('queued', 'signed', 'broadcast', 'mined') order by nonce nulls last, sequence`,
        [...key],
      );
      return rows.map(entryOf);
    },
    async withNonce(nonce) {
      const { rows } = await pool.query<Row>(
        'select * from chain_intents where chain_id = $1 and sender = $2 and nonce = $3',
        [...key, nonce],
      );
      return rows[0] === undefined ? null : entryOf(rows[0]);
    },
    async sign(id, nonce, attempt) {
      const { rowCount } = await pool.query(
        `update chain_intents set state = 'signed', nonce = $4, attempts = attempts || $5::jsonb, signed_at = now()
         where chain_id = $1 and sender = $2 and id = $3 and state = 'queued'`,
        [...key, id, nonce, JSON.stringify([rowOf(attempt)])],
      );
      exactlyOne(rowCount, id);
    },
    async replace(id, attempt) {
      const { rowCount } = await pool.query(
        `update chain_intents set attempts = attempts || $4::jsonb
         where chain_id = $1 and sender = $2 and id = $3 and nonce is not null`,
        [...key, id, JSON.stringify([rowOf(attempt)])],
      );
      exactlyOne(rowCount, id);
    },
    async change(id, change) {
      const names = Object.keys(change) as (keyof EntryChange)[];
      const values = names.map((name) => {
        const value = change[name];
        return typeof value === 'bigint' ? String(value) : value;
      });
      const assignments = names.map((name, i) => `${columns[name]} = $${i + 4}`).join(', ');
      const { rowCount } = await pool.query(
        `update chain_intents set ${assignments} where chain_id = $1 and sender = $2 and id = $3`,
        [...key, id, ...values],
      );
      exactlyOne(rowCount, id);
    },
    async nextNonce() {
      const { rows } = await pool.query<{ next: number }>(
        'select coalesce(max(nonce) + 1, 0) as next from chain_intents where chain_id = $1 and sender = $2',
        [...key],
      );
      return Number(rows[0]!.next);
    },
    async recent() {
      const { rows } = await pool.query<{ count: number; sum: string }>(
        `select count(*)::int as count, coalesce(sum(value_wei), 0) as sum from chain_intents
         where chain_id = $1 and sender = $2 and signed_at > now() - interval '1 hour'`,
        [...key],
      );
      return { count: rows[0]!.count, valueWei: BigInt(rows[0]!.sum) };
    },
  };
}

/**
 * The one signer of a key: holds an advisory lock on a connection of its own for as long as it lives. null when another
 * process has it. `lost` is true once the connection is gone: stop signing.
 */
export async function lockKey(
  pool: Pool,
  chainId: number,
  sender: string,
): Promise<{ readonly lost: boolean; release(): void } | null> {
  const client: PoolClient = await pool.connect();
  let isTaken = false;
  try {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [`verinfer/signer/${chainId}/${sender.toLowerCase()}`],
    );
    isTaken = rows[0]!.taken;
  } finally {
    // Back to the pool as it came, without a listener of ours.
    if (!isTaken) client.release();
  }
  if (!isTaken) return null;
  const lock = { lost: false, release: (): void => client.release(true) };
  client.on('error', () => (lock.lost = true));
  return lock;
}

export interface KeyHold {
  /** False while another process has the key: do not sign. */
  isOurs(): Promise<boolean>;
  release(): void;
}

/** As lockKey, for a process that outlives its connections: the lock is taken again, unless another was faster. */
export async function holdKey(pool: Pool, chainId: number, sender: string): Promise<KeyHold | null> {
  let lock = await lockKey(pool, chainId, sender);
  if (lock === null) return null;
  return {
    async isOurs() {
      if (lock?.lost) {
        lock.release();
        lock = null;
      }
      lock ??= await lockKey(pool, chainId, sender);
      return lock !== null;
    },
    release: () => lock?.release(),
  };
}

const rowOf = ({
  hash,
  raw,
  gasLimit,
  maxFeePerGasWei,
  maxPriorityFeePerGasWei,
}: Attempt): Row['attempts'][0] => ({
  hash,
  raw,
  gasLimit: String(gasLimit),
  maxFee: String(maxFeePerGasWei),
  priorityFee: String(maxPriorityFeePerGasWei),
});

function entryOf(row: Row): Entry {
  const intent: Intent = {
    id: row.id,
    chainId: Number(row.chain_id),
    to: row.recipient,
    data: row.data,
    valueWei: BigInt(row.value_wei),
    notAfterS: row.not_after_s === null ? null : Number(row.not_after_s),
  };
  return {
    ...intent,
    state: row.state,
    nonce: row.nonce === null ? null : Number(row.nonce),
    attempts: row.attempts.map(({ hash, raw, gasLimit, maxFee, priorityFee }) => ({
      hash,
      raw,
      gasLimit: BigInt(gasLimit),
      maxFeePerGasWei: BigInt(maxFee),
      maxPriorityFeePerGasWei: BigInt(priorityFee),
    })),
    transactionHash: row.transaction_hash,
    blockNumber: row.block_number === null ? null : Number(row.block_number),
    blockHash: row.block_hash,
    gasUsed: row.gas_used === null ? null : BigInt(row.gas_used),
    reason: row.reason,
    failures: row.failures,
  };
}
