/** The prover host: takes `prove` jobs from the queue, has them proven in a process of their own, records how each ended. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { artifactPeers } from './artifact-peers.js';
import type { Config } from './config.js';
import { Lease } from './lease.js';
import type { Logger } from './log.js';
import { Admission } from './proving/admission.js';
import { ProverChild, type TaskEnd } from './proving/child.js';
import { Gate } from './proving/gate.js';
import type { ProvenTensor, Proven, ProveJob } from './proving/protocol.js';
import { StageNotices } from './proving/stage-notices.js';
import { WarmModels, type ModelOnDisk } from './proving/warm-models.js';
import { Queue } from './queue.js';
import { unsyncedPool } from './store/pool.js';
import { zeroAddress, type StoredRequest } from './statement.js';
import { claimInference, completeProof, failInference, recordCrash, type Claim } from './store/proofs.js';
import { engines, series, stages, Tally, type ProofOutcome } from './tally.js';

export interface ProverHost {
  readonly id: string;
  readonly child: ProverChild;
  stop(): Promise<void>;
}

export interface ProverHostOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly log: Logger;
  /** Replaced in tests by threads that misbehave. */
  readonly threadModule?: string;
  /** How long a shutdown waits for proofs at work before their jobs go back to the queue. */
  readonly drainMs?: number;
}

const crashLimit = 3;
const threadModuleDefault = fileURLToPath(new URL('./proving/thread.js', import.meta.url));

class ShuttingDown extends Error {
  override name = 'ShuttingDown';
}

export async function startProverHost(options: ProverHostOptions): Promise<ProverHost> {
  const { config, pool, log } = options;
  const child = new ProverChild(
    options.threadModule ?? threadModuleDefault,
    {
      threadCount: config.proverCount,
      memoryBytes: config.proverMemoryBytes,
      deadlineMs: config.proofTimeoutMs,
      recycleAfter: config.proverRecycle,
      niceness: config.proverNice,
      readableFolders: [config.modelsFolder],
    },
    log,
    (residentBytes) => admission.measured(residentBytes),
  );
  const admission = new Admission(config.proverMemoryBytes);
  const gate = new Gate();
  const tally = new Tally();
  let state: 'starting' | 'ready' | 'draining' = 'starting';
  const lease: Lease = new Lease(pool, 'prover', config.leaseMs, log, tally, () => ({
    state,
    detail: {
      ...models.detail,
      threads: config.proverCount,
      inFlight: child.inFlight,
      residentBytes: child.residentBytes + process.memoryUsage.rss(),
      peakBytes: child.peakBytes,
    },
    workerIds: queue.workerIds,
  }));
  const models = new WarmModels(pool, config, child, artifactPeers(pool, config, lease.id), log);
  const slots = config.proverCount + 1;
  // Taking a job and crossing it off again may be forgotten with the server: the inference's own row, with its fence, says
  // what is still to be proven. One connection a slot, and one to listen.
  const queuePool = unsyncedPool(pool, log, slots + 1);
  const queue: Queue = new Queue({
    pool: queuePool,
    log,
    queue: 'proofs',
    slots,
    tasks: { prove: (payload) => prove((payload as { id: string }).id) },
  });

  const prove = async (id: string): Promise<void> => {
    const claim = await claimInference(pool, id, lease.id);
    if (!claim) return;
    if (!claim.tensors) {
      await failInference(
        pool,
        id,
        claim.fence,
        'input-expired',
        'its private input was kept as long as retentionMs allows',
      );
      return;
    }
    const job = jobOf(claim, await models.find(claim.row.modelId), config);
    const notices = new StageNotices(pool, id);
    let isSuspect = claim.isSuspect;
    for (;;) {
      if (child.closed) throw new ShuttingDown('the host is shutting down');
      const end = await gate.run(isSuspect, () =>
        admission.run(job.modelId, () =>
          child.run({ type: 'prove', job }, (stage, wallMs) => notices.add(stage, wallMs)),
        ),
      );
      notices.end();
      if (end.kind !== 'died') {
        await record(claim, end);
        return;
      }
      if (child.closed) throw new ShuttingDown('the host is shutting down');
      if (!end.blamed) continue;
      const crashes = await persist(() => recordCrash(pool, [id], end.alone));
      isSuspect = true;
      if (crashes >= crashLimit) {
        await persist(() =>
          failInference(
            pool,
            id,
            claim.fence,
            'prover-crashed',
            `the prover process died ${crashes} times on this job alone: ${end.detail}`,
          ),
        );
        count('crashed');
        return;
      }
    }
  };

  const record = async (claim: Claim, end: Exclude<TaskEnd, { kind: 'died' }>): Promise<void> => {
    const { id } = claim.row;
    if (end.kind === 'loaded')
      throw new Error('prover thread: must answer a prove task with a proof, got "loaded"');
    if (end.kind === 'timeout')
      await persist(() =>
        failInference(
          pool,
          id,
          claim.fence,
          'proof-timeout',
          `not proven within ${config.proofTimeoutMs} ms`,
        ),
      );
    else if (end.kind === 'refused')
      await persist(() => failInference(pool, id, claim.fence, end.code, end.detail));
    else {
      const kept = await persist(() => completeProof(pool, id, claim.fence, resultOf(claim, end)));
      if (!kept)
        log.warn({ inference: id, fence: claim.fence }, 'stale result dropped: another claim came after');
      count(kept ? 'proven' : 'stale', end.engine, kept ? end.timings : {});
      log.info({ inference: id, outcome: kept ? 'proven' : 'stale', timings: end.timings }, 'proof ended');
      return;
    }
    count(end.kind);
    log.info({ inference: id, outcome: end.kind }, 'proof ended');
  };

  const count = (
    outcome: ProofOutcome,
    engine = models.engineName,
    timings: Readonly<Record<string, number>> = {},
  ): void => {
    tally.add(series.proofs(outcome, engines.find((name) => name === engine) ?? 'none'));
    for (const stage of stages) if (timings[stage] !== undefined) tally.stage(stage, timings[stage] / 1000);
  };

  await lease.start();
  await models.warmUp();
  state = 'ready';
  // Models come and go while the host runs; a failed look is repeated.
  const watching = setInterval(() => void models.warmUp().catch(() => undefined), 3_000);
  queue.start();
  await lease.beat();
  log.info({ host: lease.id, ...models.detail }, 'prover host ready');

  return {
    id: lease.id,
    child,
    async stop() {
      state = 'draining';
      clearInterval(watching);
      const stopping = queue.stop();
      // What is not finished by then goes back: its jobs are unlocked with the lease and another host takes them.
      await Promise.race([stopping, sleep(options.drainMs ?? 20_000, undefined, { ref: false })]);
      child.close();
      await stopping;
      if (!queuePool.ending) await queuePool.end();
      await lease.stop();
    },
  };
}

/** The database may be away just when a proof is finished: keep the result and try again. */
async function persist<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt >= 120) throw error;
      await sleep(250);
    }
  }
}

function jobOf(claim: Claim, { row: model, folder }: ModelOnDisk, config: Config): ProveJob {
  const { statement, terms, oracle } = claim.row.request as unknown as StoredRequest;
  const { tensors } = claim.row.outputs as { tensors: (ProvenTensor & { proven: boolean })[] };
  return {
    inferenceId: claim.row.id,
    modelId: model.id,
    folder,
    files: model.files,
    statement,
    request: statement.domainTag === 'verinfer/offline/v1' ? null : terms,
    tensors: claim.tensors!,
    salt: claim.salt,
    answered: tensors.filter(({ proven }) => proven),
    engine: config.engine,
    selfTest: oracle.selfTest,
    runtimeVersion: oracle.runtime,
    threads: 1,
  };
}

function resultOf(claim: Claim, end: Proven): Parameters<typeof completeProof>[3] {
  const receipt = Buffer.from(end.receipt);
  const { statement, isForMarket } = claim.row.request as unknown as StoredRequest;
  return {
    receipt,
    receiptDigest: createHash('sha256').update(receipt).digest(),
    timings: end.timings,
    operator:
      statement.operator === zeroAddress || isForMarket === true ? null : statement.operator.toLowerCase(),
  };
}
