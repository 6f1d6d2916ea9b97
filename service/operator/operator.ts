/**
 * An operator of the market: sees requests on chain, takes openings, prices, locks where that pays, proves, fulfils
 * alone or in a batch, and withdraws. It may be killed at any point: requests come from the chain again, openings and
 * everything signed from the database, and whatever it does twice the contract does once.
 */
import { keccak256, toUtf8Bytes, type JsonRpcProvider } from 'ethers';
import type { Deployment } from '../chain/deployment.js';
import {
  claimableOf,
  encodeFulfil,
  encodeFulfilBatch,
  encodeMove,
  encodeWithdraw,
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
import type { MarketProver } from './market-prover.js';
import type { Opening, OpeningStore } from './openings.js';
import { quote, type Tariff } from './pricing.js';

export interface OperatorOptions {
  readonly provider: JsonRpcProvider;
  readonly deployment: Deployment;
  readonly signer: Signer;
  readonly ledger: Ledger;
  readonly openings: OpeningStore;
  readonly prover: MarketProver;
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
  private nextBlock: number;

  constructor(private readonly options: OperatorOptions) {
    this.nextBlock = options.deployment.blockNumber;
  }

  /** A request that this operator has seen on chain and that is still open. */
  request(requestId: string): SeenRequest | undefined {
    return this.seen.get(requestId);
  }

  /** One round: look, decide, prove what is due, hand it to the signer, collect. */
  async tick(): Promise<void> {
    const { signer, log, maxBatch = 8, provider } = this.options;
    await this.look();
    const block = (await provider.getBlock('latest'))!;
    const gasPriceWei = 2n * (block.baseFeePerGas ?? 0n) + 1_000_000_000n;
    const ready: { requestId: string; fulfilment: Fulfilment; notAfterS: number }[] = [];
    const carried = await this.carried();
    for (const request of [...this.seen.values()]) {
      if (ready.length >= maxBatch) break;
      if (carried.has(request.requestId)) continue;
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
    const { provider, deployment, openings, prover, tariff, signer, payee, log } = this.options;
    const state = await readRequest(provider, deployment, requestId);
    if (state.status === 'fulfilled' || state.status === 'refunded') {
      this.seen.delete(requestId);
      await openings.erase(requestId);
      return null;
    }
    const isMine = state.status === 'locked' && state.holder.toLowerCase() === signer.address.toLowerCase();
    const lastS = isMine ? state.since + marketTimes.grace : Number(terms.deadline);
    if (state.status === 'none' || nowS > lastS || isLockedByOther(state, isMine, nowS)) return null;
    if ((await this.freeIntent(requestId)) === null) return null;
    const opening = await openings.read(requestId);
    const rows = await prover.rowCount(terms.modelId);
    if (opening === null || rows === null) return null;
    const { offer, costWei } = quote(terms, rows, gasPriceWei, tariff);
    if (offer === 'refuse' && !isMine) return null;
    if (offer === 'lock' && state.status === 'open' && (await this.isLocking(requestId, terms))) return null;
    const started = performance.now();
    const fulfilment = await this.prove({ requestId, terms }, opening, payee);
    const proveMs = Math.round(performance.now() - started);
    log.info({ request: requestId, offer, costWei: String(costWei), proveMs }, 'proved');
    return { fulfilment, notAfterS: lastS };
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

  private async prove(
    { requestId, terms }: Pick<SeenRequest, 'requestId' | 'terms'>,
    opening: Opening,
    payee: string,
  ): Promise<Fulfilment> {
    const { deployment, prover, signer } = this.options;
    const operator = signer.address;
    const { signals, proof } = await prover.prove(opening, {
      chainId: BigInt(deployment.chainId),
      contract: deployment.market,
      requestId,
      modelId: terms.modelId,
      operator,
      payee,
      deadline: terms.deadline,
    });
    return { terms, operator, payee, proof, signals };
  }

  private async fulfil(
    ready: readonly { requestId: string; fulfilment: Fulfilment; notAfterS: number }[],
  ): Promise<void> {
    const { signer, deployment } = this.options;
    const [first] = ready;
    const ids = await Promise.all(ready.map(({ requestId }) => this.freeIntent(requestId)));
    const id = ready.length === 1 ? ids[0] : `fulfil-batch:${keccak256(toUtf8Bytes(ids.join()))}`;
    if (id === null || id === undefined || (await this.options.ledger.read(id)) !== null) return;
    await signer.submit({
      id: id,
      chainId: deployment.chainId,
      to: deployment.market,
      data:
        ready.length === 1
          ? encodeFulfil(first!.fulfilment)
          : encodeFulfilBatch(ready.map((one) => one.fulfilment)),
      valueWei: 0n,
      notAfterS: Math.max(...ready.map(({ notAfterS }) => notAfterS)),
    });
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
