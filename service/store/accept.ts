import type { Pool, PoolClient } from 'pg';
import { Grouped } from './grouped.js';

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

/** What a request asks for, before its model is run: as many inferences as it makes, `units` all together. */
export interface Asked extends Partial<Idempotency> {
  readonly tenantId: string;
  readonly count: number;
  readonly units: number;
  readonly dayLimit: number | null;
}

export interface Foreseen {
  /** `open`: nothing speaks against it yet. */
  readonly outcome: Exclude<AcceptOutcome['outcome'], 'accepted'> | 'open';
  readonly resourceId: string | null;
}

const sql = `select outcome, resource_id as "resourceId", now() as "createdAt" from accept_inferences($1, $2, $3, $4, $5)`;

const foreseeSql = `
  select case
      when k.key is not null and k.body_digest = decode(asked.digest, 'hex') then 'duplicate'
      when k.key is not null then 'mismatch'
      when coalesce(u.units, 0) + asked.units > asked.day_limit then 'quota'
      when t.open_count + asked.count > $7 then 'full'
      else 'open'
    end as outcome, k.resource_id as "resourceId"
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
      with ordinality as asked(tenant_id, key, digest, count, units, day_limit, n)
    left join tenants t on t.id = asked.tenant_id
    left join idempotency_keys k on k.tenant_id = asked.tenant_id and k.key = asked.key
      and k.created_at >= now() - interval '24 hours'
    left join unit_usage u on u.tenant_id = asked.tenant_id and u.day = current_date
  order by n`;

/** A promise of `accept` resolves only after its row is durable; one disk flush serves all that wait for it. */
export class AcceptQueue {
  private readonly accepting: Grouped<AcceptedInference, AcceptOutcome>;
  private readonly foreseeing: Grouped<Asked, Foreseen>;

  constructor(
    private readonly pool: Pool,
    private readonly queueLimit: number,
  ) {
    this.accepting = new Grouped((rows) => insert(pool, rows, queueLimit), byTenant);
    this.foreseeing = new Grouped((asked) => foresee(pool, asked, queueLimit));
  }

  /**
   * What `accept` would say now: a request that will be refused or replayed need not run its model. It decides nothing: of
   * two with one key that come at once, `accept` takes one.
   */
  foresee(asked: Asked): Promise<Foreseen> {
    return this.foreseeing.call(asked);
  }

  accept(row: AcceptedInference): Promise<AcceptOutcome> {
    return this.accepting.call(row);
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
}

/** Tenant rows are locked in one order by every API host, so two groups cannot deadlock. */
const byTenant = (a: AcceptedInference, b: AcceptedInference): number =>
  a.tenantId < b.tenantId ? -1 : a.tenantId > b.tenantId ? 1 : 0;

async function foresee(pool: Pool, asked: readonly Asked[], queueLimit: number): Promise<Foreseen[]> {
  const column = <Name extends keyof Asked>(name: Name): (Asked[Name] | null)[] =>
    asked.map((each) => each[name] ?? null);
  const { rows } = await pool.query<Foreseen>({
    name: 'foresee',
    text: foreseeSql,
    values: [
      ...[column('tenantId'), column('idempotencyKey'), column('bodyDigest')],
      ...[column('count'), column('units'), column('dayLimit'), queueLimit],
    ],
  });
  return rows;
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
