/**
 * An operator of the market: sees requests on chain, takes openings, prices, locks where that pays, has them proven by
 * the queue, fulfils alone or in a batch, and withdraws. It may be killed at any point: requests come from the chain
 * again, openings, proofs and everything signed from the database, and whatever it does twice the contract does once.
 */
import { keccak256, toUtf8Bytes, type JsonRpcProvider } from 'ethers';
import type { Deployment } from '../chain/deployment.js';
import {
  claimableOf,
  encodeFulfil,
  encodeFulfilBatch,
  encodeMove,
  encodeWithdraw,
  inputDigestOf,
  marketTimes,
  readRequest,
  requestsIn,
  requestsOfCall,
  type Fulfilment,
  type RequestState,
  type SeenRequest,
} from '../chain/market.js';
import type { Logger } from '../log.js';
import type { Ledger } from '../signer/ledger.js';
import { isClosed, type Signer } from '../signer/signer.js';
import type { MarketModels } from './market-models.js';
import type { OpeningStore } from './openings.js';
import { quote, type Tariff } from './pricing.js';
import type { ProofJobs } from './proof-jobs.js';

export interface OperatorOptions {
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  readonly signer: Signer;
  readonly ledger: Ledger;
  readonly openings: OpeningStore;
  readonly models: MarketModels;
  readonly jobs: ProofJobs;
  readonly tariff: Tariff;
  /** Whom the fee is booked to. */
  readonly payee: string;
  /** Withdraws when this much is booked. */
  readonly withdrawAboveWei: bigint;
  readonly maxBatch?: number;
  /** Blocks that are read again in every round, in case the chain changed its mind. */
  readonly finalityDepth: number;
  readonly log: Logger;
}

/** Blocks asked for at once: public endpoints refuse more. */
const spanBlocks = 2_000;

export class Operator {
  private readonly seen = new Map<string, SeenRequest>();
  /** Block at which a request was first found closed or out of time; a reorg may open it again. */
  private readonly overSince = new Map<string, number>();
  private readonly givenUp = new Set<string>();
  private nextBlock: number;

  constructor(private readonly options: OperatorOptions) {
    this.nextBlock = options.deployment.blockNumber;
  }

  /** A request that this operator has seen on chain and that is still open. */
  request(requestId: string): SeenRequest | undefined {
    return this.seen.get(requestId);
  }

  /** One round: look, decide, have proven what is due, hand what is proven to the signer, collect. */
  async tick(): Promise<void> {
    const { signer, log, maxBatch = 8, provider } = this.options;
    await this.look();
    const block = (await provider.getBlock('latest'))!;
    const gasPriceWei = 2n * (block.baseFeePerGas ?? 0n) + 1_000_000_000n;
    const ready: { requestId: string; fulfilment: Fulfilment; notAfterS: number }[] = [];
    const carried = await this.carried();
    for (const request of [...this.seen.values()]) {
      if (ready.length >= maxBatch) break;
      if (carried.has(request.requestId) || this.givenUp.has(request.requestId)) continue;
      try {
        const work = await this.advance(request, block.timestamp, gasPriceWei);
        if (work !== null) ready.push({ requestId: request.requestId, ...work });
      } catch (error) {
        log.warn(
          { request: request.requestId, reason: (error as Error).message },
          'request left for the next round',
        );
      }
    }
    if (ready.length > 0) await this.fulfil(ready);
    await this.collect();
    await signer.tick();
  }

  private async look(): Promise<void> {
    const { provider, deployment, finalityDepth } = this.options;
    const head = await provider.getBlockNumber();
    while (this.nextBlock <= head) {
      const to = Math.min(head, this.nextBlock + spanBlocks - 1);
      for (const request of await requestsIn(provider, deployment, this.nextBlock, to)) {
        this.seen.set(request.requestId, request);
      }
      this.nextBlock = to + 1;
    }
    this.nextBlock = Math.max(deployment.blockNumber, head - finalityDepth);
  }

  /** A fulfilment to send, or null when there is nothing to do for this request now. */
  private async advance(
    { requestId, terms }: SeenRequest,
    nowS: number,
    gasPriceWei: bigint,
  ): Promise<{ fulfilment: Fulfilment; notAfterS: number } | null> {
    const { provider, deployment, openings, models, jobs, tariff, signer, payee, log } = this.options;
    const state = await readRequest(provider, deployment, requestId);
    const isMine = state.status === 'locked' && state.holder.toLowerCase() === signer.address.toLowerCase();
    const lastS = isMine ? state.since + marketTimes.grace : Number(terms.deadline);
    if (state.status === 'fulfilled' || state.status === 'refunded' || nowS > lastS) {
      if (!this.overSince.has(requestId)) await jobs.drop(requestId);
      await this.forgetOnceFinal(requestId);
      return null;
    }
    this.overSince.delete(requestId);
    if (state.status === 'none' || isLockedByOther(state, isMine, nowS)) return null;
    if ((await this.freeIntent(requestId)) === null) return null;
    const proof = await jobs.find(requestId);
    if (proof.kind === 'waiting') return null;
    if (proof.kind === 'failed') {
      log.error({ request: requestId, reason: proof.reason }, 'request given up: it cannot be proven');
      this.givenUp.add(requestId);
      return null;
    }
    // A proof that is there has been paid for: what is left to earn is the fee against the gas.
    const rows = proof.kind === 'proven' ? 0 : await models.rowCount(terms.modelId);
    if (rows === null) return null;
    const { offer, costWei } = quote(terms, rows, gasPriceWei, tariff);
    if (offer === 'refuse' && !isMine) return null;
    if (proof.kind === 'none') {
      const opening = await openings.read(requestId);
      if (opening === null) return null;
      if (offer === 'lock' && state.status === 'open' && (await this.isLocking(requestId, terms)))
        return null;
      await jobs.queue(requestId, terms, opening);
      log.info({ request: requestId, offer, costWei: String(costWei) }, 'queued for proving');
      return null;
    }
    const { signals, proof: bytes, proveMs } = proof;
    if (inputDigestOf(signals.slice(0, terms.inputSignalCount)) !== terms.inputDigest)
      throw new Error(`request ${requestId}: the proof must be of the input that was asked for`);
    log.info({ request: requestId, proveMs }, 'proven');
    const fulfilment = { terms, operator: signer.address, payee, proof: bytes, signals };
    return { fulfilment, notAfterS: lastS };
  }

  /** A private input is kept as long as a reorg could make it needed again. Without one there is nothing to wait for. */
  private async forgetOnceFinal(requestId: string): Promise<void> {
    const { provider, openings, finalityDepth } = this.options;
    if ((await openings.read(requestId)) !== null) {
      const head = await provider.getBlockNumber();
      const since = this.overSince.get(requestId) ?? head;
      this.overSince.set(requestId, since);
      if (head < since + finalityDepth) return;
      await openings.erase(requestId);
    }
    this.seen.delete(requestId);
    this.overSince.delete(requestId);
  }

  /** Requests whose fulfilment is on its way, alone or in a batch, also from before a crash: the ledger knows. */
  private async carried(): Promise<ReadonlySet<string>> {
    const { ledger, deployment } = this.options;
    const open = await ledger.open();
    return new Set(open.flatMap(({ data }) => requestsOfCall(deployment, data)));
  }

  /** The id of the next fulfilment of this request; null while one is on its way, or when too many failed. */
  private async freeIntent(requestId: string): Promise<string | null> {
    const { ledger } = this.options;
    for (let n = 0; n < maxTries; n++) {
      const id = `fulfil:${requestId}:${n}`;
      const entry = await ledger.read(id);
      if (entry === null) return id;
      if (!isClosed(entry)) return null;
    }
    return null;
  }

  /** True while a lock is on its way. One that was refused or lapsed leaves the request to a race. */
  private async isLocking(requestId: string, terms: SeenRequest['terms']): Promise<boolean> {
    const { ledger, signer, deployment } = this.options;
    const id = `lock:${requestId}`;
    const known = await ledger.read(id);
    if (known !== null) return !isClosed(known) && known.state !== 'mined';
    await signer.submit({
      id: id,
      chainId: deployment.chainId,
      to: deployment.market,
      data: encodeMove('lock', terms),
      valueWei: terms.lockCollateralWei,
      notAfterS: Number(terms.deadline) - marketTimes.lockDelay,
    });
    return true;
  }

  private async fulfil(
    ready: readonly { requestId: string; fulfilment: Fulfilment; notAfterS: number }[],
  ): Promise<void> {
    const { signer, deployment, ledger } = this.options;
    const ids = await Promise.all(ready.map(({ requestId }) => this.freeIntent(requestId)));
    const call = { chainId: deployment.chainId, to: deployment.market, valueWei: 0n };
    const batchId = `fulfil-batch:${keccak256(toUtf8Bytes(ids.join()))}`;
    if (ready.length > 1 && (await ledger.read(batchId)) === null) {
      const data = encodeFulfilBatch(ready.map(({ fulfilment }) => fulfilment));
      const notAfterS = Math.max(...ready.map((one) => one.notAfterS));
      await signer.submit({ ...call, id: batchId, data, notAfterS });
      return;
    }
    // A batch that came to nothing: each goes alone, and one that fails fails alone.
    for (const [i, { fulfilment, notAfterS }] of ready.entries()) {
      if (ids[i] !== null)
        await signer.submit({ ...call, id: ids[i]!, data: encodeFulfil(fulfilment), notAfterS });
    }
  }

  private async collect(): Promise<void> {
    const { provider, deployment, payee, signer, ledger, withdrawAboveWei } = this.options;
    if (payee.toLowerCase() !== signer.address.toLowerCase()) return; // the payee's own key withdraws
    const booked = await claimableOf(provider, deployment, payee);
    if (booked === 0n || booked < withdrawAboveWei) return;
    const open = await ledger.open();
    if (open.some(({ id }) => id.includes('withdraw:'))) return;
    await signer.submit({
      id: `withdraw:${await provider.getBlockNumber()}:${booked}`,
      chainId: deployment.chainId,
      to: deployment.market,
      data: encodeWithdraw(payee),
      valueWei: 0n,
      notAfterS: null,
    });
  }
}

/** Fulfilments of one request that may fail before this operator gives it up. */
const maxTries = 5;

const isLockedByOther = ({ status, lockedAt, since }: RequestState, isMine: boolean, nowS: number): boolean =>
  status === 'locked' &&
  !isMine &&
  nowS >= lockedAt + marketTimes.lockDelay &&
  nowS <= since + marketTimes.grace;
