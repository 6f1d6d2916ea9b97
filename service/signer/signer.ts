/**
 * One key, one chain, one order of nonces. `tick` looks at the chain, brings the ledger in line with it, then sends what
 * is due; it may be killed at any point and run again. Three rules carry everything:
 *   signed bytes are stored before anyone else sees them, so what may be out there is always known;
 *   a nonce is bound to one intent until the chain has given it away for good, so no intent has two live payloads;
 *   nothing is decided on what a single endpoint of several says, nor on this machine's clock.
 */
import { Transaction, type Wallet, keccak256 } from 'ethers';
import { bumpedFees, startingFees, type Fees } from './fees.js';
import { finalStates, type Attempt, type Entry, type Intent, type Ledger } from './ledger.js';
import { checkPolicy, PolicyDenied, type Policy } from './policy.js';
import type { ChainView, Head, Inclusion } from './quorum.js';
import { RpcError } from './rpc.js';

export type Failpoint =
  | 'before-sign'
  | 'before-persist'
  | 'before-broadcast'
  | 'before-mark-broadcast'
  | 'before-mark-mined'
  | 'before-mark-final'
  | 'before-replace'
  | 'before-rebroadcast';

export interface Alarm {
  readonly what: 'balance' | 'fee-cap' | 'stolen-nonce' | 'nonce-gap' | 'broadcast' | 'reorg';
  readonly intentId: string;
  readonly detail: string;
}

export interface SignerOptions {
  readonly wallet: Wallet;
  readonly chain: ChainView;
  readonly ledger: Ledger;
  readonly policy: Policy;
  /** Blocks on top of a transaction's own before it counts as final. */
  readonly finalityDepth: number;
  /** Ticks without inclusion before the fee is raised. */
  readonly bumpAfterTicks?: number;
  readonly maxInFlight?: number;
  readonly maxFailures?: number;
  readonly onAlarm?: (alarm: Alarm) => void;
  /** Tests end the process here. */
  readonly failpoint?: (point: Failpoint) => void;
}

const missesToBelieve = 3;

export class Signer {
  /** Ticks without inclusion, by intent. */
  private readonly waited = new Map<string, number>();
  /** Ticks in which the nonce was gone and none of our transactions was found. */
  private readonly missed = new Map<string, number>();
  /** Ticks in which held nonces waited for one that nobody holds. */
  private gapTicks = 0;
  constructor(private readonly options: SignerOptions) {}

  get address(): string {
    return this.options.wallet.address;
  }

  /**
   * Stores the intent if the policy allows it. The same id again does nothing; with another content it throws
   * IntentConflict. Throws PolicyDenied.
   */
  async submit(intent: Intent): Promise<void> {
    const { ledger, policy } = this.options;
    if ((await ledger.read(intent.id)) === null) checkPolicy(policy, intent, await ledger.recent());
    await ledger.enter(intent);
  }

  /** One round. Throws NoQuorum or an RPC error when nothing can be decided now: try again later. */
  async tick(): Promise<void> {
    const head = await this.options.chain.head();
    await this.reconcile(head);
    await this.send(head);
  }

  private async reconcile(head: Head): Promise<void> {
    const { chain, ledger, finalityDepth } = this.options;
    const open = await ledger.open();
    if (!open.some(({ nonce }) => nonce !== null)) return;
    const mined = await chain.nonceOf(this.address);
    const settled = await chain.nonceOf(this.address, Math.max(0, head.number - finalityDepth));
    for (const entry of open) {
      if (entry.nonce === null) continue;
      const found = await this.inclusionOf(entry);
      if (found !== null) await this.included(entry, found, head);
      else if (entry.nonce < settled) await this.stolen(entry);
      else if (entry.nonce >= mined) await this.pending(entry, head);
      // Else: the nonce is taken by something that is not final. It may come back.
    }
  }

  /** Which of the attempts is in the canonical chain. */
  private async inclusionOf({ attempts }: Entry): Promise<Inclusion | null> {
    for (const { hash } of [...attempts].reverse()) {
      const inclusion = await this.options.chain.inclusionOf(hash);
      if (inclusion !== null) return inclusion;
    }
    return null;
  }

  private async included(entry: Entry, inclusion: Inclusion, head: Head): Promise<void> {
    const { ledger, finalityDepth } = this.options;
    const { hash, blockNumber, blockHash, succeeded, gasUsed } = inclusion;
    this.waited.delete(entry.id);
    this.missed.delete(entry.id);
    if (entry.state !== 'mined' || entry.blockHash !== blockHash) {
      this.at('before-mark-mined');
      await ledger.change(entry.id, {
        state: 'mined',
        transactionHash: hash,
        blockNumber,
        blockHash,
        gasUsed,
      });
    }
    if (head.number - blockNumber < finalityDepth) return;
    this.at('before-mark-final');
    await ledger.change(
      entry.id,
      succeeded ? { state: 'final' } : { state: 'reverted', reason: 'reverted when it was included' },
    );
  }

  /** Another transaction of this key took the nonce, for good: none of our bytes for it can ever be included. */
  private async stolen(entry: Entry): Promise<void> {
    // A node may know the nonce before it finds the receipt.
    const misses = (this.missed.get(entry.id) ?? 0) + 1;
    this.missed.set(entry.id, misses);
    if (misses < missesToBelieve) return;
    this.missed.delete(entry.id);
    this.alarm(
      'stolen-nonce',
      entry.id,
      `nonce ${entry.nonce} was used by a transaction that this signer did not sign`,
    );
    this.waited.delete(entry.id);
    await this.options.ledger.change(entry.id, { state: 'queued', nonce: null });
  }

  /** Not in the chain: hand it out again, and raise the fee when it has waited. */
  private async pending(entry: Entry, head: Head): Promise<void> {
    const { ledger, bumpAfterTicks = 10 } = this.options;
    if (entry.state === 'mined') {
      this.alarm('reorg', entry.id, `block ${entry.blockHash} is no longer in the chain`);
      await ledger.change(entry.id, {
        state: 'broadcast',
        transactionHash: null,
        blockNumber: null,
        blockHash: null,
        gasUsed: null,
      });
    }
    const ticks = (this.waited.get(entry.id) ?? 0) + 1;
    this.waited.set(entry.id, ticks);
    let latest = entry.attempts.at(-1)!;
    if (ticks % bumpAfterTicks === 0) latest = (await this.raise(entry, latest, head)) ?? latest;
    this.at('before-rebroadcast');
    await this.broadcast(entry, latest);
  }

  private async raise(entry: Entry, last: Attempt, head: Head): Promise<Attempt | null> {
    const { policy, ledger } = this.options;
    const fees = bumpedFees(last, await this.freshFees(head), policy.maxFeePerGasWei);
    if (fees === null) {
      this.alarm('fee-cap', entry.id, `held at ${last.maxFeePerGasWei} wei a gas`);
      return null;
    }
    const attempt = this.sign(entry, entry.nonce!, last.gasLimit, fees);
    this.at('before-replace');
    await ledger.replace(entry.id, attempt);
    return attempt;
  }

  private async send(head: Head): Promise<void> {
    const { chain, ledger, policy, maxInFlight = 16 } = this.options;
    const open = await ledger.open();
    const queued = open.filter(({ state }) => state === 'queued');
    if (queued.length === 0) return this.closeGap(open, head);
    let inFlight = open.filter(({ state }) => state === 'signed' || state === 'broadcast').length;
    const fees = await this.freshFees(head);
    let balance = await chain.balanceOf(this.address);
    for (const entry of open) if (entry.nonce !== null && entry.state !== 'mined') balance -= cost(entry);
    const next = Math.max(await ledger.nextNonce(), await chain.nonceOf(this.address));
    let nonce = await this.fillGap(open, next);
    for (const entry of queued) {
      // However many are in flight: those above a gap wait for whoever fills it.
      if (inFlight >= maxInFlight && nonce >= next) return;
      if (entry.notAfterS !== null && head.timestampS > entry.notAfterS) {
        await ledger.change(entry.id, { state: 'expired', reason: 'its time passed before it was sent' });
        continue;
      }
      const gasLimit = await this.simulate(entry);
      if (gasLimit === null) continue;
      const price = gasLimit * fees.maxFeePerGasWei + entry.valueWei;
      if (balance < price) {
        this.alarm('balance', entry.id, `needs ${price} wei, has ${balance}`);
        return;
      }
      if (gasLimit > policy.maxGas || fees.maxFeePerGasWei < head.baseFeeWei) {
        this.alarm('fee-cap', entry.id, `gas ${gasLimit}, base fee ${head.baseFeeWei}: above the policy`);
        return;
      }
      this.at('before-sign');
      const attempt = this.sign(entry, nonce, gasLimit, fees);
      this.at('before-persist');
      await ledger.sign(entry.id, nonce, attempt);
      this.at('before-broadcast');
      await this.broadcast({ ...entry, nonce, state: 'signed' }, attempt);
      balance -= price;
      inFlight += 1;
      // One intent fills a gap; what comes behind the gap is held by others.
      if (nonce < next) return;
      nonce += 1;
    }
  }

  /**
   * Nonces between the chain's and the ledger's that no open intent holds would stall all behind them. One of a closed
   * intent means that the chain lost blocks that counted as final: its bytes go out again. One of nobody is used first.
   */
  private async fillGap(open: readonly Entry[], next: number): Promise<number> {
    const { chain, ledger } = this.options;
    const mined = await chain.nonceOf(this.address);
    const held = new Set(open.map(({ nonce }) => nonce));
    for (let nonce = mined; nonce < next; nonce++) {
      if (held.has(nonce)) continue;
      const lost = await ledger.withNonce(nonce);
      if (lost === null) return nonce;
      this.alarm('reorg', lost.id, `lost from the chain after it counted as final`);
      await ledger.change(lost.id, {
        state: 'signed',
        transactionHash: null,
        blockNumber: null,
        blockHash: null,
      });
      await this.broadcast({ ...lost, state: 'signed' }, lost.attempts.at(-1)!);
    }
    return next;
  }

  /**
   * A reorg can lose for good what was sent elsewhere with this key; the nonces above it wait. Where nothing that is due
   * can take the gap, an empty transaction to ourselves does.
   */
  private async closeGap(open: readonly Entry[], { number }: Head): Promise<void> {
    const held = open.filter(({ nonce, state }) => nonce !== null && state !== 'mined');
    const highest = Math.max(...held.map(({ nonce }) => nonce!));
    const gap = held.length === 0 ? highest : await this.fillGap(open, highest);
    this.gapTicks = gap < highest ? this.gapTicks + 1 : 0;
    if (this.gapTicks < missesToBelieve) return;
    this.gapTicks = 0;
    const id = `gap:${gap}:${number}`;
    this.alarm('nonce-gap', id, `nonce ${gap} is nobody's, and ${held.length} wait behind it`);
    const { chainId } = this.options.policy;
    await this.options.ledger.enter({ ...emptyCall, id, chainId, to: this.address, notAfterS: null });
  }

  /** The gas to allow, or null when it would revert: a final no after maxFailures rounds, else another try later. */
  private async simulate(entry: Entry): Promise<bigint | null> {
    const { chain, ledger, policy, maxFailures = 3 } = this.options;
    try {
      const { to, data, valueWei } = entry;
      if (!isEmptyCall(entry, this.address)) checkPolicy(policy, entry, { count: 0, valueWei: 0n });
      // Half as much again: the verifier wants its floor of gas before each precompile.
      return ((await chain.estimateGas({ from: this.address, to, data, value: valueWei })) * 3n) / 2n;
    } catch (error) {
      const isDenied = error instanceof PolicyDenied;
      if (!isDenied && !(error instanceof RpcError)) throw error;
      const failures = entry.failures + 1;
      const reason = isDenied ? error.message : revertOf(error);
      await ledger.change(
        entry.id,
        isDenied || failures >= maxFailures ? { state: 'refused', reason, failures } : { reason, failures },
      );
      return null;
    }
  }

  private async freshFees({ baseFeeWei }: Head): Promise<Fees> {
    const { chain, policy } = this.options;
    return startingFees(baseFeeWei, await chain.priorityFeeWei(), policy.maxFeePerGasWei);
  }

  private sign(
    { to, data, valueWei, chainId }: Intent,
    nonce: number,
    gasLimit: bigint,
    fees: Fees,
  ): Attempt {
    const transaction = Transaction.from({
      type: 2,
      chainId,
      to,
      data,
      value: valueWei,
      nonce,
      gasLimit,
      maxFeePerGas: fees.maxFeePerGasWei,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGasWei,
    });
    transaction.signature = this.options.wallet.signingKey.sign(transaction.unsignedHash);
    return { ...fees, gasLimit, raw: transaction.serialized, hash: keccak256(transaction.serialized) };
  }

  private async broadcast(entry: Entry, attempt: Attempt): Promise<void> {
    const refusals = await this.options.chain.broadcast(attempt.raw);
    // A node that has the bytes, or has seen them mined, says so by refusing them.
    const isHarmless = (text: string): boolean => /already known|already imported|nonce too low/i.test(text);
    const worrying = refusals.filter((text) => !isHarmless(text));
    if (worrying.length > 0 && worrying.length === refusals.length) {
      this.alarm('broadcast', entry.id, worrying.join('; '));
      return;
    }
    if (entry.state !== 'signed') return;
    this.at('before-mark-broadcast');
    await this.options.ledger.change(entry.id, { state: 'broadcast' });
  }

  private alarm(what: Alarm['what'], intentId: string, detail: string): void {
    this.options.onAlarm?.({ what, intentId, detail });
  }

  private at(point: Failpoint): void {
    this.options.failpoint?.(point);
  }
}

const emptyCall = { data: '0x', valueWei: 0n } as const;
/** What a gap is filled with: no policy can mind it. */
const isEmptyCall = ({ to, data, valueWei, id }: Entry, own: string): boolean =>
  id.startsWith('gap:') &&
  to.toLowerCase() === own.toLowerCase() &&
  data === emptyCall.data &&
  valueWei === emptyCall.valueWei;

const cost = ({ attempts, valueWei }: Entry): bigint => {
  const last = attempts.at(-1);
  return last === undefined ? valueWei : last.gasLimit * last.maxFeePerGasWei + valueWei;
};

/** The revert data if there is any, else the node's words. */
const revertOf = ({ data, message }: RpcError): string =>
  typeof data === 'string' && /^0x[0-9a-f]{8}/i.test(data) ? `revert ${data.slice(0, 2_000)}` : message;

export const isClosed = ({ state }: Entry): boolean => finalStates.includes(state);
