import type { Pool, PoolClient } from 'pg';

export interface Idempotency {
  readonly idempotencyKey: string;
  /** SHA-256 of the request, hex; another digest under the same key is refused. */
  readonly bodyDigest: string;
}

export interface AcceptedInference extends Partial<Idempotency> {
  readonly id: string;
  readonly tenantId: string;
  readonly modelId: string;
  readonly batchId: string | null;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly units: number;
  readonly retentionMs: number;
  readonly request: object;
  readonly outputs: object;
  readonly timings: object;
  readonly tensors: Uint8Array;
  readonly salt: Uint8Array | null;
  readonly dayLimit: number | null;
}

export interface AcceptOutcome {
  readonly outcome: 'accepted' | 'duplicate' | 'mismatch' | 'quota' | 'full';
  /** Of an accepted inference, or of what an earlier request under the same key made. */
  readonly resourceId: string | null;
  /** By the database's clock. */
  readonly createdAt: Date;
}

interface Waiting {
  readonly row: AcceptedInference;
  readonly done: (outcome: AcceptOutcome) => void;
  readonly fail: (error: unknown) => void;
}

const sql = `select outcome, resource_id as "resourceId", now() as "createdAt" from accept_inferences($1, $2, $3, $4, $5)`;

/**
 * Group commit: requests that arrive while a transaction is being flushed share the next one, so answers per second
 * are not bounded by disk flushes per second. A promise resolves only after its row is durable.
 */
export class AcceptQueue {
  private waiting: Waiting[] = [];
  private running = false;
  constructor(
    private readonly pool: Pool,
    private readonly queueLimit: number,
    private readonly largestGroup = 64,
  ) {}

  get depth(): number {
    return this.waiting.length;
  }

  accept(row: AcceptedInference): Promise<AcceptOutcome> {
    return new Promise((done, fail) => {
      this.waiting.push({ row, done, fail });
      if (!this.running) void this.drain();
    });
  }

  /** All of them in a transaction of their own, or none: the first outcome that is not `accepted` is that of all. */
  async acceptTogether(rows: readonly AcceptedInference[]): Promise<AcceptOutcome> {
    const client = await this.pool.connect();
    let broken = true;
    try {
      await client.query('begin');
      const outcomes = await insert(client, rows, this.queueLimit);
      const refused = outcomes.find(({ outcome }) => outcome !== 'accepted');
      await client.query(refused ? 'rollback' : 'commit');
      broken = false;
      return refused ?? outcomes[0]!;
    } finally {
      // A connection in an unknown state is closed, and its transaction with it.
      client.release(broken);
    }
  }

  private async drain(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, this.largestGroup);
      // Tenant rows are locked in one order by every API host, so two groups cannot deadlock.
      group.sort((a, b) => (a.row.tenantId < b.row.tenantId ? -1 : a.row.tenantId > b.row.tenantId ? 1 : 0));
      try {
        const outcomes = await insert(
          this.pool,
          group.map(({ row }) => row),
          this.queueLimit,
        );
        group.forEach((entry, i) => entry.done(outcomes[i]!));
      } catch (error) {
        if (group.length === 1) group[0]!.fail(error);
        else await this.insertSingly(group);
      }
    }
    this.running = false;
  }

  /** One bad row must not refuse its neighbours. */
  private async insertSingly(group: readonly Waiting[]): Promise<void> {
    for (const { row, done, fail } of group) {
      try {
        done((await insert(this.pool, [row], this.queueLimit))[0]!);
      } catch (error) {
        fail(error);
      }
    }
  }
}

async function insert(
  database: Pool | PoolClient,
  rows: readonly AcceptedInference[],
  queueLimit: number,
): Promise<AcceptOutcome[]> {
  const json = rows.map(({ tensors: _t, salt: _s, dayLimit: _d, ...row }) => JSON.stringify(row));
  const tensors = rows.map((row) => Buffer.from(row.tensors));
  const salts = rows.map((row) => (row.salt ? Buffer.from(row.salt) : null));
  const limits = rows.map((row) => row.dayLimit);
  const result = await database.query<AcceptOutcome>({
    name: 'accept',
    text: sql,
    values: [json, tensors, salts, limits, queueLimit],
  });
  return result.rows;
}
