/**
 * Settlements as they come, go (reorg) and become final. The chain is asked again and again; nothing is remembered
 * between calls but what was reported and is not final yet, so a restart from `fromBlock` tells the same story.
 */
import type { JsonRpcApiProvider } from 'ethers';
import { Interface } from 'ethers';
import { setTimeout as sleep } from 'node:timers/promises';
import { artifact } from './artifacts.js';
import type { Deployment } from './deployment.js';
import { settlementOf, type Settled } from './settlement.js';

export interface WatchOptions {
  readonly fromBlock: number;
  /** A settlement is final when this many blocks lie on top of its own. */
  readonly finalityDepth: number;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  onSettled(settled: Settled): void | Promise<void>;
  /** Its block is no longer in the chain. A settlement in another block is reported anew. */
  onReorged(settled: Settled): void | Promise<void>;
  onFinal(settled: Settled): void | Promise<void>;
  /** An RPC failure; watching goes on. Default: ignored. */
  onError?(error: unknown): void;
}

/** Blocks asked for at once: public endpoints refuse more. */
const spanBlocks = 2_000;

/** Resolves when `signal` aborts. Errors of the callbacks are passed on; those of the RPC go to onError. */
export async function watchSettlements(
  provider: JsonRpcApiProvider,
  deployment: Deployment,
  options: WatchOptions,
): Promise<void> {
  const topic = new Interface(artifact('Settlement').abi).getEvent('InferenceSettled')!.topicHash;
  /** Reported and not final, by block hash and log index. */
  const open = new Map<string, Settled>();
  let from = options.fromBlock;

  while (!options.signal.aborted) {
    let read: { seen: Map<string, Settled>; head: number; to: number } | undefined;
    try {
      read = await readSpan(provider, deployment.settlement, topic, from);
    } catch (error) {
      options.onError?.(error);
    }
    if (read !== undefined) {
      const { seen, head, to } = read;
      for (const [key, settled] of open) {
        const unread = settled.blockNumber > to && settled.blockNumber <= head;
        if (unread || seen.has(key)) continue;
        open.delete(key);
        await options.onReorged(settled);
      }
      for (const [key, settled] of seen) {
        if (open.has(key)) continue;
        open.set(key, settled);
        await options.onSettled(settled);
      }
      for (const [key, settled] of open) {
        if (head - settled.blockNumber < options.finalityDepth) continue;
        open.delete(key);
        await options.onFinal(settled);
      }
      // Everything up to here is final and will not be read again.
      from = Math.max(from, Math.min(to, head - options.finalityDepth) + 1);
      if (to < head) continue;
    }
    await sleep(options.pollMs ?? 500, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

async function readSpan(
  provider: JsonRpcApiProvider,
  address: string,
  topic: string,
  from: number,
): Promise<{ seen: Map<string, Settled>; head: number; to: number }> {
  const head = Number(await provider.send('eth_blockNumber', []));
  const to = Math.min(head, from + spanBlocks - 1);
  const seen = new Map<string, Settled>();
  if (to < from) return { seen, head, to };
  for (const log of await provider.getLogs({ address, topics: [topic], fromBlock: from, toBlock: to })) {
    const settled = settlementOf(log);
    if (settled !== undefined) seen.set(`${settled.blockHash}/${settled.logIndex}`, settled);
  }
  return { seen, head, to };
}
