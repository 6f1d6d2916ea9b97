/**
 * The settler: takes `settle` jobs, sends the proof to the contract, records the settlement and puts it in the receipt.
 * A job that is run twice settles once: the chain is asked first, and the contract itself refuses a second time.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonRpcProvider } from 'ethers';
import type { Pool } from 'pg';
import { SETUP_CLASS } from '../circuits/model-id.js';
import { verifyingKeyBytes, verifyingKeyFromJson } from '../prover/codec.js';
import { registerModel } from './chain/registry.js';
import { ChainRefused } from './chain/errors.js';
import type { Deployment } from './chain/deployment.js';
import {
  findOwnSettlement,
  requestIdOf,
  settle,
  settleBatch,
  submitterOf,
  type Settled,
  type SettlementCall,
} from './chain/settlement.js';
import { artifactPeers } from './artifact-peers.js';
import type { Config } from './config.js';
import { Lease } from './lease.js';
import type { Logger } from './log.js';
import { ensureFolder } from './model-folder.js';
import { Notifications } from './notifications.js';
import { Sealer } from './sealer.js';
import { watchRetiredKeys } from './signer/retired-keys.js';
import { openSettlingKeys } from './settling-keys.js';
import type { SettlingSigner } from './signer/settling-signer.js';
import { Queue } from './queue.js';
import { withSettlement } from './receipt.js';
import type { ChainFacts, StoredRequest } from './statement.js';
import { readAnyInference, type InferenceRow } from './store/inferences.js';
import { failInference } from './store/proofs.js';
import { markSettlement, unsettledOf, waitingForBatch } from './store/settlements.js';
import { markInstall } from './store/installs.js';
import { readFact, readModel } from './store/models.js';
import { readAnyReceipt, replaceReceipt } from './store/receipts.js';
import { series, Tally } from './tally.js';
import { parseReceipt } from './verifier/receipt.js';

export interface Settler {
  readonly id: string;
  stop(): Promise<void>;
}

export interface SettlerOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly log: Logger;
}

export async function startSettler({ config, pool, databaseUrl, log }: SettlerOptions): Promise<Settler> {
  if (!config.rpcUrl || !config.chainKeyFile)
    throw new Error('settler: VERINFER_RPC_URL and VERINFER_CHAIN_KEY_FILE must be set');
  const facts = await readFact<ChainFacts & Deployment>(pool, 'chain');
  if (!facts)
    throw new Error(
      'settler: the contracts must be deployed, got no deployment in the database; `verinfer deploy` puts them there',
    );
  const provider = new JsonRpcProvider(config.rpcUrl.split(',')[0], facts.chainId, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
  });
  const keys = await openSettlingKeys({ config, pool, provider, deployment: facts, log });
  const operator = keys.wallets[0].address;
  const tally = new Tally();
  const lease: Lease = new Lease(pool, 'settler', config.leaseMs, log, tally, () => ({
    state: 'ready',
    detail: { residentBytes: process.memoryUsage.rss(), chainId: facts.chainId, operator },
    workerIds: settlements.workerIds,
  }));
  const sealer = new Sealer({
    pool,
    log,
    wallets: keys.wallets,
    batch: { count: config.batchCount, ageMs: config.batchAgeMs },
  });
  const notifications = new Notifications(databaseUrl, log, { receipts_to_seal: () => sealer.notice() });
  // A settlement holds its slot until it is final.
  const settlements: Queue = new Queue({
    pool,
    log,
    queue: 'errands',
    slots: 16,
    pollMs: 2_000,
    tasks: {
      settle: (payload) => settleOne((payload as { id: string }).id),
      'settle-whole': (payload) => settleWhole((payload as { batchId: string }).batchId),
      'settle-batch': () => settleWaiting(),
      register: (payload) => register(payload as { installId: string; modelId: string }),
    },
  });

  const register = async ({ installId, modelId }: { installId: string; modelId: string }): Promise<void> => {
    const model = await readModel(pool, modelId);
    if (!model) return;
    const folder = await ensureFolder(
      config.modelsFolder,
      modelId,
      model.files,
      artifactPeers(pool, config, lease.id),
    );
    const key = verifyingKeyFromJson(JSON.parse(await readFile(join(folder, 'vk.json'), 'utf8')));
    const { identity } = model.description;
    await registerModel(
      keys.today,
      facts,
      { ...identity, setupClass: SETUP_CLASS[identity.setupClass] },
      verifyingKeyBytes(key),
    );
    await markInstall(pool, installId, 'ready', modelId);
  };

  const settleOne = async (id: string): Promise<void> => {
    const row = await readAnyInference(pool, id);
    if (row && (row.state === 'proven' || row.state === 'submitted')) await settleRows([row]);
  };

  const settleWhole = async (batchId: string): Promise<void> => {
    const rows = await unsettledOf(pool, batchId);
    if (rows.length > 0) await settleRows(rows);
  };

  const settleWaiting = async (): Promise<void> => {
    const operators = keys.wallets.map(({ address }) => address.toLowerCase());
    const rows = await waitingForBatch(pool, config.batchCount, operators);
    if (rows.length > 0) await settleRows(rows);
    if (rows.length === config.batchCount) await settleWaiting();
  };

  const settleRows = async (rows: readonly InferenceRow[]): Promise<void> => {
    const started = performance.now();
    const open: OpenSettlement[] = [];
    for (const row of rows) {
      const stored = await readAnyReceipt(pool, row.id);
      if (!stored) throw new Error(`inference ${row.id}: must have a receipt to settle, got none`);
      await markSettlement(pool, row.id, 'submitted', {});
      const call = callOf(row, stored.body);
      try {
        const known = await findOwnSettlement(provider, facts, call);
        if (known) await recordSettled(row, stored.body, known, null, started);
        else open.push({ row, call, body: stored.body });
      } catch (error) {
        await failRefused(row, error);
      }
    }
    for (const signer of keys.signers) {
      const members = open.filter(({ call }) => keys.signerOf(call.nonce) === signer);
      if (members.length > 0) await settleTogether(signer, members, started);
    }
    // Tried again until the key is back, or the deadline has passed.
    const stranded = open.find(({ call }) => keys.signerOf(call.nonce) === null);
    if (stranded)
      throw new Error(
        `inference ${stranded.row.id}: key ${submitterOf(stranded.call.nonce)} must be there to send it`,
      );
  };

  const settleTogether = async (
    signer: SettlingSigner,
    open: readonly OpenSettlement[],
    started: number,
  ): Promise<void> => {
    try {
      const { settled, gasUsed } = await send(
        signer,
        open.map(({ call }) => call),
      );
      const skipped: InferenceRow[] = [];
      for (const { row, call, body } of open) {
        const mine =
          settled.find(({ requestId }) => requestId === requestIdOf(call)) ??
          (await findOwnSettlement(provider, facts, call));
        if (mine) await recordSettled(row, body, mine, Number(gasUsed) / open.length, started);
        else if (open.length > 1) skipped.push(row);
        else throw new Error(`inference ${row.id}: must be the one that was settled, got another`);
      }
      // The contract skips what is out of time or whose nonce its requester used up; alone it says which.
      for (const row of skipped) await settleRows([row]);
    } catch (error) {
      if (!(error instanceof ChainRefused)) throw error;
      if (open.length > 1) {
        // One bad member sinks a batch: each is tried alone, and only the bad one fails.
        for (const { row } of open) await settleRows([row]);
        return;
      }
      // Also what a transaction of our earlier key settled meanwhile is refused.
      const { row, call, body } = open[0]!;
      const known = await findOwnSettlement(provider, facts, call);
      if (known) await recordSettled(row, body, known, null, started);
      else await failRefused(row, error);
    }
  };

  const failRefused = async (row: InferenceRow, error: unknown): Promise<void> => {
    if (!(error instanceof ChainRefused)) throw error;
    log.error({ inference: row.id, reason: error.message }, 'the chain refused a settlement');
    await failInference(pool, row.id, null, 'settlement-failed', error.message);
  };

  const send = async (
    signer: SettlingSigner,
    calls: readonly SettlementCall[],
  ): Promise<{ settled: readonly Settled[]; gasUsed: bigint }> => {
    if (calls.length > 1) return settleBatch(signer, facts, calls);
    const done = await settle(signer, facts, calls[0]!);
    return { settled: [done], gasUsed: done.gasUsed };
  };

  const recordSettled = async (
    row: InferenceRow,
    body: Buffer,
    settled: Settled,
    gasUsed: number | null,
    started: number,
  ): Promise<void> => {
    const { transactionHash, blockNumber, blockHash } = settled;
    const receipt = withSettlement(parseReceipt(body), {
      state: 'settled',
      transactionHash,
      blockNumber,
      blockHash,
      final: true,
    });
    const final = await sealer.sealed(receipt);
    await replaceReceipt(pool, row.id, final.digest, final.body);
    const place = {
      chainId: facts.chainId,
      contract: facts.settlement,
      transactionHash,
      blockNumber,
      blockHash,
      gasUsed,
    };
    const settleMs = Math.round(performance.now() - started);
    if (!(await markSettlement(pool, row.id, 'settled', place, { settle: settleMs }))) return;
    tally.add(series.settlements);
    tally.add(series.gas, gasUsed ?? 0);
    tally.stage('settle', settleMs / 1000);
    log.info({ inference: row.id, transactionHash, blockNumber, gasUsed }, 'settled');
  };

  await lease.start();
  await notifications.start();
  sealer.start();
  const endWatch = watchRetiredKeys(pool, log, keys.wallets.slice(1));
  settlements.start();
  await lease.beat();
  return {
    id: lease.id,
    async stop() {
      endWatch();
      await Promise.all([sealer.stop(), settlements.stop(), keys.stop()]);
      await notifications.close();
      await lease.stop();
      provider.destroy();
    },
  };
}

interface OpenSettlement {
  readonly row: InferenceRow;
  readonly call: SettlementCall;
  readonly body: Buffer;
}

function callOf(row: InferenceRow, receiptBody: Uint8Array): SettlementCall {
  const { statement, terms } = row.request as unknown as StoredRequest;
  if (!terms) throw new Error(`inference ${row.id}: must have settlement terms, got none`);
  const receipt = parseReceipt(receiptBody);
  return {
    modelId: statement.modelId,
    requester: terms.requester,
    nonce: BigInt(terms.nonce),
    operator: statement.operator,
    payee: statement.payee,
    deadline: BigInt(statement.deadline),
    signals: receipt.publicSignals.slice(1).map(BigInt),
    proof: Buffer.from(receipt.proof.slice(2), 'hex'),
  };
}
