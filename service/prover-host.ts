/** The prover host: takes `prove` jobs from the queue, has them proven in a process of their own, records how each ended. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import type { Config } from './config.js';
import { Lease } from './lease.js';
import type { Logger } from './log.js';
import { ensureFolder } from './model-folder.js';
import { ProverChild, type TaskEnd } from './proving/child.js';
import { Gate } from './proving/gate.js';
import type { ProvenTensor, Proven, ProveJob } from './proving/protocol.js';
import { Queue } from './queue.js';
import { zeroAddress, type StoredRequest } from './statement.js';
import { notify } from './store/notices.js';
import { claimInference, completeProof, failInference, recordCrash, type Claim } from './store/proofs.js';
import { allModels, readModel, type ModelRow } from './store/models.js';

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
  readonly onProof?: (outcome: string, timings: Readonly<Record<string, number>>) => void;
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
      readableFolders: [config.modelsFolder],
    },
    log,
  );
  const gate = new Gate();
  const folders = new Map<string, Promise<string>>();
  /** The operator's models that every thread has loaded, and those that it will not load. */
  const warm = new Set<string>();
  const refused = new Set<string>();
  let state: 'starting' | 'ready' | 'draining' = 'starting';
  let detail: Record<string, unknown> = { engine: 'none', threads: config.proverCount };
  const lease: Lease = new Lease(pool, 'prover', config.leaseMs, log, () => ({
    state,
    detail: {
      ...detail,
      inFlight: child.inFlight,
      warm: [...warm],
      refused: [...refused],
      residentBytes: child.residentBytes,
      peakBytes: child.peakBytes,
    },
    workerIds: queue.workerIds,
  }));
  const queue: Queue = new Queue({
    pool,
    log,
    queue: 'proofs',
    slots: config.proverCount + 1,
    tasks: { prove: (payload) => prove((payload as { id: string }).id) },
  });

  const folderFor = (model: ModelRow): Promise<string> => {
    let folder = folders.get(model.id);
    if (!folder) {
      const origin = config.artifactOrigin
        ? { url: config.artifactOrigin, key: config.artifactKey }
        : undefined;
      folder = ensureFolder(config.modelsFolder, model.id, model.files, origin);
      folders.set(model.id, folder);
      folder.catch(() => folders.delete(model.id));
    }
    return folder;
  };

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
    const model = await readModel(pool, claim.row.modelId);
    if (!model) throw new Error(`inference ${id}: model must exist, got none`);
    const job = jobOf(claim, model, await folderFor(model), config);
    let isSuspect = claim.isSuspect;
    for (;;) {
      if (child.closed) throw new ShuttingDown('the host is shutting down');
      const end = await gate.run(isSuspect, () =>
        child.run(
          { type: 'prove', job },
          (stage, wallMs) => void notify(pool, id, 'stage', { stage, wallMs }).catch(() => undefined),
        ),
      );
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
        options.onProof?.('crashed', {});
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
    }
    options.onProof?.(end.kind, end.kind === 'proven' ? end.timings : {});
    log.info(
      { inference: id, outcome: end.kind, ...(end.kind === 'proven' ? { timings: end.timings } : {}) },
      'proof ended',
    );
  };

  /** Tenants' own models are loaded by their first proof. */
  const warmUp = async (): Promise<void> => {
    const offered = (await allModels(pool)).filter(({ tenantId }) => tenantId === null);
    for (const model of offered) {
      if (warm.has(model.id) || refused.has(model.id)) continue;
      const reason = await load(model).catch((error: unknown) => (error as Error).message);
      (reason === null ? warm : refused).add(model.id);
      if (reason !== null) log.error({ model: model.id, reason }, 'model not usable on this host');
    }
  };

  /** null, or why not. */
  const load = async (model: ModelRow): Promise<string | null> => {
    const job = {
      modelId: model.id,
      folder: await folderFor(model),
      files: model.files,
      engine: config.engine,
    };
    const loads = Array.from({ length: config.proverCount }, () => child.run({ type: 'load', job }));
    for (const end of await Promise.all(loads)) {
      if (end.kind === 'refused' || end.kind === 'died') return end.detail;
      if (end.kind === 'loaded') detail = { ...detail, engine: end.engine, reason: end.reason };
    }
    return null;
  };

  await lease.start();
  await warmUp();
  state = 'ready';
  // Models come and go while the host runs; a failed look is repeated.
  const watching = setInterval(() => void warmUp().catch(() => undefined), 3_000);
  queue.start();
  await lease.beat();
  log.info({ host: lease.id, ...detail }, 'prover host ready');

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

function jobOf(claim: Claim, model: ModelRow, folder: string, config: Config): ProveJob {
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
  const { statement } = claim.row.request as unknown as StoredRequest;
  return {
    receipt,
    receiptDigest: createHash('sha256').update(receipt).digest(),
    timings: end.timings,
    seal: statement.operator !== zeroAddress,
  };
}
