/**
 * The settler: takes `settle` jobs, sends the proof to the contract, records the settlement and puts it in the receipt.
 * A job that is run twice settles once: the chain is asked first, and the contract itself refuses a second time.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import type { Pool } from 'pg';
import { ChainRefused, isVerdictOnProof } from './chain/errors.js';
import type { Deployment } from './chain/deployment.js';
import { findSettlement, settle, type SettlementCall } from './chain/settlement.js';
import type { Config } from './config.js';
import { Lease } from './lease.js';
import type { Logger } from './log.js';
import { Queue } from './queue.js';
import { encodeReceipt, signReceipt, withSettlement } from './receipt.js';
import type { ChainFacts, StoredRequest } from './statement.js';
import { failInference, markSettlement, readAnyInference, type InferenceRow } from './store/inferences.js';
import { readFact } from './store/models.js';
import { readAnyReceipt, replaceReceipt } from './store/receipts.js';
import { parseReceipt } from './verifier/receipt.js';

export interface Settler {
  readonly id: string;
  stop(): Promise<void>;
}

export interface SettlerOptions {
  readonly config: Config;
  readonly pool: Pool;
  readonly log: Logger;
}

export async function startSettler({ config, pool, log }: SettlerOptions): Promise<Settler> {
  if (!config.rpcUrl || !config.chainKeyFile)
    throw new Error('settler: VERINFER_RPC_URL and VERINFER_CHAIN_KEY_FILE must be set');
  const facts = await readFact<ChainFacts & Deployment>(pool, 'chain');
  if (!facts) throw new Error('settler: the contracts must be deployed, got no deployment in the database');
  const provider = new JsonRpcProvider(config.rpcUrl, facts.chainId, {
    staticNetwork: true,
    pollingInterval: 100,
    cacheTimeout: -1,
  });
  const wallet = new Wallet(await readKeyFile(config.chainKeyFile), provider);
  let signer = new NonceManager(wallet);
  const lease: Lease = new Lease(pool, 'settler', config.leaseMs, log, () => ({
    state: 'ready',
    detail: { chainId: facts.chainId, operator: wallet.address },
    workerIds: queue.workerIds,
  }));
  const queue: Queue = new Queue({
    pool,
    log,
    hostId: lease.id,
    slots: 1,
    tasks: { settle: (payload) => settleOne((payload as { id: string }).id) },
  });

  const settleOne = async (id: string): Promise<void> => {
    const row = await readAnyInference(pool, id);
    const stored = await readAnyReceipt(pool, id);
    if (!row || !stored || (row.state !== 'proven' && row.state !== 'submitted')) return;
    const started = performance.now();
    const call = callOf(row, stored.body);
    const { statement } = row.request as unknown as StoredRequest;
    await markSettlement(pool, id, 'submitted', {});
    let settled = await findSettlement(provider, facts, statement.requestId);
    let gasUsed: bigint | null = null;
    if (!settled) {
      try {
        const done = await settle(signer, facts, call);
        gasUsed = done.gasUsed;
        settled = done;
      } catch (error) {
        // A nonce may have been taken without being used.
        signer = new NonceManager(wallet);
        if (!(error instanceof ChainRefused)) throw error;
        settled = await findSettlement(provider, facts, statement.requestId);
        if (!settled) {
          log.error(
            { inference: id, reason: error.message, verdict: isVerdictOnProof(error) },
            'the chain refused a settlement',
          );
          await failInference(pool, id, null, 'settlement-failed', error.message);
          return;
        }
      }
    }
    const { transactionHash, blockNumber, blockHash } = settled;
    const receipt = withSettlement(parseReceipt(stored.body), {
      state: 'settled',
      transactionHash,
      blockNumber,
      blockHash,
      final: true,
    });
    const signed = await signReceipt(receipt, wallet);
    const body = Buffer.from(encodeReceipt(signed));
    await replaceReceipt(pool, id, createHash('sha256').update(body).digest(), body);
    const wallMs = Math.round(performance.now() - started);
    await markSettlement(
      pool,
      id,
      'settled',
      {
        chainId: facts.chainId,
        contract: facts.settlement,
        transactionHash,
        blockNumber,
        blockHash,
        gasUsed: gasUsed === null ? null : Number(gasUsed),
      },
      { settle: wallMs },
    );
    log.info(
      { inference: id, transactionHash, blockNumber, gasUsed: gasUsed === null ? null : Number(gasUsed) },
      'settled',
    );
  };

  await lease.start();
  queue.start();
  await lease.beat();
  return {
    id: lease.id,
    async stop() {
      await queue.stop();
      await lease.stop();
      provider.destroy();
    },
  };
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

/** Refuses a key file that others can read. */
async function readKeyFile(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0)
    throw new Error(`chain key file: mode must be 0600, got 0${(mode & 0o777).toString(8)}`);
  return (await readFile(path, 'utf8')).trim();
}
