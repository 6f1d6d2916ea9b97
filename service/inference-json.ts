/** An inference as the API, events and webhooks show it. */
import type { StoredRequest } from './statement.js';
import type { InferenceRow } from './store/inferences.js';

/** Whether nothing more will happen to it. */
export function isOver(row: Pick<InferenceRow, 'state' | 'settlement'>): boolean {
  return (
    row.state === 'settled' || row.state === 'failed' || (row.state === 'proven' && row.settlement === 'none')
  );
}

export function inferenceJson(row: InferenceRow, salt?: string): object {
  const request = row.request as unknown as StoredRequest;
  return {
    id: row.id,
    modelId: row.modelId,
    batchId: row.batchId,
    state: row.state,
    settlement: row.settlement,
    outputs: (row.outputs as { tensors: unknown[] }).tensors,
    statement: request.statement,
    ...(salt ? { salt } : {}),
    units: row.units,
    timings: row.timings,
    settled: row.settled,
    error: row.error,
    createdAt: row.createdAt.toISOString(),
    provenAt: row.provenAt?.toISOString() ?? null,
    settledAt: row.settledAt?.toISOString() ?? null,
  };
}
