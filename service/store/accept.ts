import type { Pool } from 'pg';

export interface AcceptedInference {
  readonly id: string;
  readonly tenantId: string;
  readonly modelId: string;
  readonly batchId?: string;
  readonly idempotencyKey?: string;
  /** SHA-256 of the request, hex; another digest under the same key is refused. */
  readonly bodyDigest?: string;
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
  readonly resourceId: string;
}

interface Waiting {
  readonly row: AcceptedInference;
  readonly done: (outcome: AcceptOutcome) => void;
  readonly fail: (error: unknown) => void;
}

const sql = `select outcome, resource_id as "resourceId" from accept_inferences($1, $2, $3, $4, $5)`;

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

  private async drain(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, this.largestGroup);
      // Tenant rows are locked in one order by every API host, so two groups cannot deadlock.
      group.sort((a, b) => (a.row.tenantId < b.row.tenantId ? -1 : a.row.tenantId > b.row.tenantId ? 1 : 0));
      try {
        const outcomes = await this.insert(group.map(({ row }) => row));
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
        done((await this.insert([row]))[0]!);
      } catch (error) {
        fail(error);
      }
    }
  }

  private async insert(rows: readonly AcceptedInference[]): Promise<AcceptOutcome[]> {
    const json = rows.map(({ tensors: _t, salt: _s, dayLimit: _d, ...row }) => JSON.stringify(row));
    const tensors = rows.map((row) => Buffer.from(row.tensors));
    const salts = rows.map((row) => (row.salt ? Buffer.from(row.salt) : null));
    const limits = rows.map((row) => row.dayLimit);
    const result = await this.pool.query<AcceptOutcome>({
      name: 'accept',
      text: sql,
      values: [json, tensors, salts, limits, this.queueLimit],
    });
    return result.rows;
  }
}
