import type { Pool } from 'pg';
import type { FailureCode } from '../errors.js';

export type InferenceState = 'answered' | 'proving' | 'proven' | 'submitted' | 'settled' | 'failed';
export const terminalStates: readonly InferenceState[] = ['settled', 'failed'];

export interface InferenceRow {
  readonly id: string;
  readonly tenantId: string;
  readonly modelId: string;
  readonly batchId: string | null;
  readonly state: InferenceState;
  readonly settlement: 'none' | 'onchain' | 'batched';
  readonly units: number;
  readonly request: Record<string, unknown>;
  readonly outputs: Record<string, unknown>;
  readonly timings: Record<string, number>;
  readonly settled: Record<string, unknown> | null;
  readonly error: { readonly code: FailureCode; readonly detail: string } | null;
  readonly createdAt: Date;
  readonly provingAt: Date | null;
  readonly provenAt: Date | null;
  readonly submittedAt: Date | null;
  readonly settledAt: Date | null;
  readonly failedAt: Date | null;
}

export const inferenceColumns = `id, tenant_id as "tenantId", model_id as "modelId", batch_id as "batchId", state, settlement, units, request,
  outputs, timings, settled, error, created_at as "createdAt", proving_at as "provingAt", proven_at as "provenAt",
  submitted_at as "submittedAt", settled_at as "settledAt", failed_at as "failedAt"`;

export async function readInference(pool: Pool, tenantId: string, id: string): Promise<InferenceRow | null> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${inferenceColumns} from inferences where id = $1 and tenant_id = $2`,
    [id, tenantId],
  );
  return rows[0] ?? null;
}

/** For hosts, which serve every tenant. */
export async function readAnyInference(pool: Pool, id: string): Promise<InferenceRow | null> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${inferenceColumns} from inferences where id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

export async function readBatch(pool: Pool, tenantId: string, batchId: string): Promise<InferenceRow[]> {
  const { rows } = await pool.query<InferenceRow>(
    `select ${inferenceColumns} from inferences where batch_id = $1 and tenant_id = $2 order by ticket`,
    [batchId, tenantId],
  );
  return rows;
}

export interface InferenceFilter {
  readonly modelId?: string | undefined;
  readonly state?: InferenceState | undefined;
  readonly limit: number;
  /** Resume after this row. */
  readonly after?: { readonly createdAt: string; readonly id: string } | undefined;
}

export async function listInferences(
  pool: Pool,
  tenantId: string,
  filter: InferenceFilter,
): Promise<(InferenceRow & { cursorTime: string })[]> {
  // The cursor carries microseconds, which a Date would lose.
  const { rows } = await pool.query(
    `select ${inferenceColumns}, created_at::text as "cursorTime" from inferences
     where tenant_id = $1 and ($2::text is null or model_id = $2) and ($3::text is null or state = $3)
       and ($4::timestamptz is null or (created_at, id) < ($4::timestamptz, $5::text))
     order by created_at desc, id desc limit $6`,
    [
      tenantId,
      filter.modelId ?? null,
      filter.state ?? null,
      filter.after?.createdAt ?? null,
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
  return rows as (InferenceRow & { cursorTime: string })[];
}

/** The salt, while it is still kept: a client that lost the first response gets it from the replay. */
export async function readSalt(pool: Pool, id: string): Promise<Buffer | null> {
  const { rows } = await pool.query<{ salt: Buffer | null }>(
    'select salt from private_inputs where inference_id = $1',
    [id],
  );
  return rows[0]?.salt ?? null;
}
