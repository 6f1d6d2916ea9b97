/** A process's place in `hosts`: renewed on a timer, with the duty to reap hosts that are gone and repair the queue. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import type { Logger } from './log.js';
import { expiredInputs, reapHosts, registerHost, renewLease, type HostKind } from './store/hosts.js';
import { forgetHostKeys, forgetIdempotencyKeys } from './store/keys.js';
import { failAbandonedInstalls } from './store/installs.js';
import { repairQueues } from './store/jobs.js';
import { failInference } from './store/proofs.js';
import type { Tally } from './tally.js';

export interface LeaseStatus {
  readonly state: 'starting' | 'ready' | 'draining';
  readonly detail: Readonly<Record<string, unknown>>;
  readonly workerIds: readonly string[];
}

export class Lease {
  readonly id: string;
  private timer: NodeJS.Timeout | undefined;
  private beats = 0;
  private beating = false;

  constructor(
    private readonly pool: Pool,
    private readonly kind: HostKind,
    private readonly leaseMs: number,
    private readonly log: Logger,
    private readonly tally: Tally,
    private readonly status: () => LeaseStatus,
  ) {
    // The supervisor names the id of the process it starts, to reap it at once when that process dies.
    this.id = process.env['VERINFER_HOST_ID'] ?? `${kind}-${randomBytes(8).toString('hex')}`;
  }

  async start(): Promise<void> {
    await reapHosts(this.pool, this.leaseMs, this.id);
    await registerHost(this.pool, this.id, this.kind, hostname());
    this.timer = setInterval(() => void this.beat(), this.leaseMs / 4);
  }

  async beat(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    try {
      const { state, detail, workerIds } = this.status();
      if (!(await renewLease(this.pool, this.id, state, detail, workerIds))) {
        this.log.warn({ host: this.id }, 'lease was lost: jobs of this host may be running elsewhere');
        await registerHost(this.pool, this.id, this.kind, hostname());
      }
      await this.tally.flush(this.pool);
      const dead = await reapHosts(this.pool, this.leaseMs);
      if (dead.length > 0) this.log.warn({ dead }, 'took over the jobs of hosts that are gone');
      if (this.beats++ % 4 === 0) await this.repair();
    } catch (error) {
      this.log.warn({ reason: (error as Error).message }, 'lease not renewed');
    } finally {
      this.beating = false;
    }
  }

  private async repair(): Promise<void> {
    const { requeued } = await repairQueues(this.pool, this.leaseMs);
    if (requeued > 0) this.log.warn({ requeued }, 'open inferences without a job were queued again');
    await failAbandonedInstalls(this.pool);
    await forgetIdempotencyKeys(this.pool);
    await forgetHostKeys(this.pool);
    for (const id of await expiredInputs(this.pool))
      await failInference(
        this.pool,
        id,
        null,
        'input-expired',
        'its private input was kept as long as retentionMs allows',
      );
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.tally.flush(this.pool).catch(() => undefined);
    await reapHosts(this.pool, 2 ** 31, this.id).catch(() => undefined);
  }
}
