/**
 * The life of jobs under a seeded scheduler: clients, prover hosts, the settler and the housekeeping take turns in an
 * order that the seed decides, on the real store functions. A host may die, or sleep past its lease and come back with a
 * late result; a job row may vanish; the chain may take a transaction and lose the answer. Time is the database's, and
 * passes by moving leases and locks into the past.
 */
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import type { Pool } from 'pg';
import { AcceptQueue } from '../../service/store/accept.js';
import { reapHosts, registerHost, renewLease } from '../../service/store/hosts.js';
import { readAnyInference } from '../../service/store/inferences.js';
import { repairQueues } from '../../service/store/jobs.js';
import { claimInference, completeProof, failInference } from '../../service/store/proofs.js';
import { receiptsToSeal, sealReceipts } from '../../service/store/seals.js';
import { markSettlement } from '../../service/store/settlements.js';
import { random, seedFrom, type Random } from './random.js';
import type { TestService } from './service.js';

const leaseMs = 1_000;

interface Host {
  readonly id: string;
  readonly claims: { readonly inference: string; readonly fence: number; readonly job: string }[];
}

export interface Violations {
  readonly found: string[];
  readonly accepted: number;
}

export class JobSimulation {
  private readonly accepted = new Map<string, string>();
  private readonly ended = new Set<string>();
  private readonly latestFence = new Map<string, number>();
  /** Settlements by inference, as the chain counts them: it refuses a second one. */
  private readonly chain = new Set<string>();
  private readonly hosts: Host[] = [];
  private readonly found: string[] = [];
  private readonly queue: AcceptQueue;
  private readonly tenant = `sim-${randomUUID()}`;
  private next = 0;

  constructor(
    private readonly pool: Pool,
    private readonly modelId: string,
    private readonly draw: Random,
  ) {
    this.queue = new AcceptQueue(pool, 1_000);
  }

  async run(steps: number): Promise<Violations> {
    await this.pool.query('insert into tenants (id) values ($1)', [this.tenant]);
    for (let n = 0; n < 2; n++) await this.startHost();
    const turns = [
      ...Array.from({ length: 4 }, () => () => this.accept()),
      ...Array.from({ length: 5 }, () => () => this.take()),
      ...Array.from({ length: 3 }, () => () => this.finish(true)),
      ...Array.from({ length: 3 }, () => () => this.seal()),
      ...Array.from({ length: 4 }, () => () => this.errand(true)),
      () => this.crash(),
      ...Array.from({ length: 4 }, () => () => this.sleepPastLease()),
      () => this.beat(),
      () => this.reap(),
      () => this.loseJob(),
      () => this.cancel(),
      () => this.repair(),
    ];
    for (let n = 0; n < steps; n++) await this.draw.pick(turns)();
    await this.drain();
    await this.check();
    return { found: this.found, accepted: this.accepted.size };
  }

  private async startHost(): Promise<void> {
    const id = `sim-host-${randomUUID()}`;
    await registerHost(this.pool, id, 'prover', 'simulated');
    await renewLease(this.pool, id, 'ready', {}, [id]);
    this.hosts.push({ id, claims: [] });
  }

  /** Sometimes under a key that was used before. */
  private async accept(): Promise<void> {
    const key = `k${this.draw.below(5) === 0 ? this.draw.below(this.next + 1) : this.next++}`;
    const id = `inf_${randomUUID().replaceAll('-', '')}`;
    const { outcome, resourceId } = await this.queue.accept({
      ...{
        id,
        tenantId: this.tenant,
        modelId: this.modelId,
        batchId: null,
        idempotencyKey: key,
        bodyDigest: 'aa',
      },
      ...{ settlement: this.draw.pick(['none', 'onchain'] as const), units: 1, retentionMs: 3_600_000 },
      ...{ request: {}, outputs: {}, timings: {}, tensors: Buffer.of(1), salt: null, dayLimit: null },
    });
    const known = this.accepted.get(key);
    if (known !== undefined && resourceId !== known)
      this.found.push(`${key}: ${outcome} made a second inference`);
    if (outcome === 'accepted') this.accepted.set(key, id);
  }

  private async lockJob(schema: string, worker: string): Promise<{ id: string; inference: string } | null> {
    const { rows } = await this.pool.query<{ id: string; inference: string }>(
      `update ${schema}._private_jobs set locked_by = $1, locked_at = now() where id = (
         select id from ${schema}._private_jobs where is_available and key is not null order by run_at, id limit 1)
       returning id::text, payload->>'id' as inference`,
      [worker],
    );
    return rows[0] ?? null;
  }

  private async take(): Promise<void> {
    const host = this.draw.pick(this.hosts);
    const job = await this.lockJob('graphile_worker', host.id);
    if (!job) return;
    const claim = await claimInference(this.pool, job.inference, host.id);
    if (!claim) {
      await this.removeJob('graphile_worker', job.id);
      return;
    }
    this.latestFence.set(job.inference, claim.fence);
    host.claims.push({ inference: job.inference, fence: claim.fence, job: job.id });
  }

  private async removeJob(schema: string, id: string): Promise<void> {
    await this.pool.query(`delete from ${schema}._private_jobs where id = $1`, [id]);
  }

  /** With faults: the host may die right after its result is stored. */
  private async finish(faults: boolean): Promise<void> {
    const host = this.draw.pick(this.hosts.filter(({ claims }) => claims.length > 0).concat(this.hosts[0]!));
    const claim = host.claims.shift();
    if (!claim) return;
    const row = await readAnyInference(this.pool, claim.inference);
    const kept = await completeProof(this.pool, claim.inference, claim.fence, {
      receipt: Buffer.from(`by fence ${claim.fence}`),
      receiptDigest: Buffer.alloc(32),
      timings: {},
      operator: row!.settlement === 'onchain' ? this.tenant : null,
    });
    if (kept && this.latestFence.get(claim.inference) !== claim.fence)
      this.found.push(`${claim.inference}: took a result whose claim was not the latest`);
    if (!faults || this.draw.below(4) > 0) await this.removeJob('graphile_worker', claim.job);
  }

  /** As the settler does it: all that wait, or a part of them. */
  private async seal(): Promise<void> {
    const rows = await receiptsToSeal(this.pool, [this.tenant], 1 + this.draw.below(4));
    const sealed = rows.map(({ id }) => ({ id, digest: Buffer.alloc(32), body: Buffer.from('sealed') }));
    await sealReceipts(this.pool, sealed, { count: 16, ageMs: 0 });
  }

  /** One settlement, as the settler does it; with faults the answer of the chain may be lost. */
  private async errand(faults: boolean): Promise<void> {
    const job = await this.lockJob('errands', 'sim-settler');
    if (!job) return;
    if (!(await this.settle(job.inference, faults))) {
      await this.pool.query(`select errands.force_unlock_workers('{sim-settler}')`);
      return;
    }
    await this.removeJob('errands', job.id);
  }

  private async settle(id: string, faults: boolean): Promise<boolean> {
    const row = await readAnyInference(this.pool, id);
    if (row?.state !== 'proven' && row?.state !== 'submitted') return true;
    await markSettlement(this.pool, id, 'submitted', {});
    const fault = faults ? this.draw.below(4) : 0;
    if (fault === 1) return false;
    this.chain.add(id);
    if (fault === 2) return false;
    await markSettlement(this.pool, id, 'settled', { transactionHash: id });
    return true;
  }

  private async crash(): Promise<void> {
    const [dead] = this.hosts.splice(this.draw.below(this.hosts.length), 1);
    await this.expire(dead!);
    await this.startHost();
  }

  private async expire(host: Host): Promise<void> {
    await this.pool.query(`update hosts set beat_at = now() - interval '1 hour' where id = $1`, [host.id]);
  }

  /** Others see that it is gone before it wakes up: its jobs are free, and its results come late. */
  private async sleepPastLease(): Promise<void> {
    await this.expire(this.draw.pick(this.hosts));
    if (this.draw.below(3) > 0) await this.reap();
    await this.take();
  }

  private async beat(): Promise<void> {
    const { id } = this.draw.pick(this.hosts);
    if (!(await renewLease(this.pool, id, 'ready', {}, [id]))) {
      await registerHost(this.pool, id, 'prover', 'simulated');
      await renewLease(this.pool, id, 'ready', {}, [id]);
    }
  }

  private async reap(): Promise<void> {
    await reapHosts(this.pool, leaseMs * 600);
  }

  private async loseJob(): Promise<void> {
    await this.pool.query(
      `delete from graphile_worker._private_jobs where id = (select id from graphile_worker._private_jobs order by id offset $1 limit 1)`,
      [this.draw.below(3)],
    );
  }

  private async repair(): Promise<void> {
    await repairQueues(this.pool, leaseMs);
  }

  private async cancel(): Promise<void> {
    const id = [...this.accepted.values()][this.draw.below(Math.max(1, this.accepted.size))];
    const row = id === undefined ? null : await readAnyInference(this.pool, id);
    if (row?.state !== 'answered' && row?.state !== 'proving') return;
    if (await failInference(this.pool, row.id, null, 'cancelled', 'simulated')) this.ended.add(row.id);
  }

  /** No more faults: every host that is gone is reaped, and what is open runs to its end. */
  private async drain(): Promise<void> {
    for (let round = 0; round < 200; round++) {
      for (const host of this.hosts.splice(0)) await this.expire(host);
      await this.reap();
      await this.repair();
      await this.startHost();
      for (let n = 0; n < 6; n++) {
        await this.take();
        await this.finish(false);
        await this.seal();
        await this.errand(false);
      }
      const { rows } = await this.pool.query<{ open: number }>(
        `select count(*)::int as open from inferences where tenant_id = $1
           and not (state in ('failed', 'settled') or (state = 'proven' and settlement = 'none'))`,
        [this.tenant],
      );
      if (rows[0]!.open === 0) break;
    }
    for (const host of this.hosts) await this.expire(host);
    await this.reap();
  }

  private async check(): Promise<void> {
    const { rows } = await this.pool.query<{
      id: string;
      state: string;
      settlement: string;
      receipts: number;
      inputs: number;
    }>(
      `select id, state, settlement, (select count(*)::int from receipts r where r.id = i.id) as receipts,
         (select count(*)::int from private_inputs p where p.inference_id = i.id) as inputs
       from inferences i where tenant_id = $1`,
      [this.tenant],
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    if (rows.length !== this.accepted.size)
      this.found.push(`${rows.length} rows of ${this.accepted.size} accepted`);
    for (const id of this.accepted.values()) {
      const row = byId.get(id);
      const wanted = this.ended.has(id) ? 'failed' : row?.settlement === 'onchain' ? 'settled' : 'proven';
      if (row?.state !== wanted) this.found.push(`${id}: must be ${wanted}, got ${row?.state ?? 'no row'}`);
      if (row && wanted !== 'failed' && row.receipts !== 1)
        this.found.push(`${id}: ${row.receipts} receipts`);
      if (row && row.inputs !== 0) this.found.push(`${id}: its private input was kept`);
      if ((row?.state === 'settled') !== this.chain.has(id))
        this.found.push(`${id}: the chain says otherwise`);
    }
    const tenant = await this.pool.query<{ n: number }>('select open_count as n from tenants where id = $1', [
      this.tenant,
    ]);
    if (tenant.rows[0]!.n !== 0) this.found.push(`open_count: must be 0, got ${tenant.rows[0]!.n}`);
  }
}

/** As many schedules as seeds; each must keep what is promised, and ended inferences must be there to keep it of. */
export async function simulate(t: ExecutionContext, service: TestService, seeds: number): Promise<void> {
  const first = seedFrom(t.log.bind(t));
  let accepted = 0;
  for (let n = 0; n < seeds; n++) {
    const result = await new JobSimulation(service.pool, service.modelId, random(first + n)).run(50);
    t.deepEqual(result.found, [], `VERINFER_SEED=${first + n}`);
    accepted += result.accepted;
  }
  t.true(accepted > 3 * seeds, `${accepted} inferences`);
}
