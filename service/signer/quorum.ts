/**
 * What the chain says, as far as enough endpoints agree. With three endpoints two must give the same answer, with one
 * that one is trusted (and `trust` says so). A receipt counts only with the canonical block that contains it.
 */
import { RpcError, type Endpoint } from './rpc.js';

export interface Head {
  readonly number: number;
  readonly hash: string;
  readonly timestampS: number;
  readonly baseFeeWei: bigint;
}

export interface Inclusion {
  readonly hash: string;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
}

/** Not enough endpoints gave one answer: nothing may be decided now. */
export class NoQuorum extends Error {
  constructor(what: string, answers: number, needed: number) {
    super(`chain: ${what} must be said alike by ${needed} endpoints, got ${answers}`);
    this.name = 'NoQuorum';
  }
}

/** An endpoint speaks for another chain. */
export class WrongChain extends Error {
  constructor(expected: number, got: string) {
    super(`chain: id must be ${expected}, got ${got}`);
    this.name = 'WrongChain';
  }
}

export interface ChainView {
  readonly trust: 'quorum' | 'single endpoint';
  head(): Promise<Head>;
  blockHashAt(number: number): Promise<string>;
  /** Transactions of this account in the canonical chain, at the head or at a block number. */
  nonceOf(address: string, at?: number): Promise<number>;
  balanceOf(address: string): Promise<bigint>;
  inclusionOf(hash: string): Promise<Inclusion | null>;
  estimateGas(call: { from: string; to: string; data: string; value: bigint }): Promise<bigint>;
  priorityFeeWei(): Promise<bigint>;
  /** Hands the bytes to every endpoint. Errors of each that refused; empty when one took it. */
  broadcast(raw: string): Promise<readonly string[]>;
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

export function chainView(chainId: number, endpoints: readonly Endpoint[]): ChainView {
  if (endpoints.length === 0) throw new RangeError('chain: at least one endpoint is needed');
  const needed = endpoints.length === 1 ? 1 : Math.floor(endpoints.length / 2) + 1;
  const checked = new WeakSet<Endpoint>();

  /** What each endpoint said; an endpoint is asked for its chain id before its first. */
  const askAll = (method: string, params: readonly unknown[]): Promise<PromiseSettledResult<unknown>[]> =>
    Promise.allSettled(
      endpoints.map(async (endpoint) => {
        if (!checked.has(endpoint)) {
          const id = await endpoint.call('eth_chainId', []);
          if (Number(id) !== chainId) throw new WrongChain(chainId, String(id));
          checked.add(endpoint);
        }
        return endpoint.call(method, params);
      }),
    );

  /** Answers of the endpoints that gave one. */
  const ask = async (method: string, params: readonly unknown[]): Promise<unknown[]> => {
    const settled = await askAll(method, params);
    const answers = settled.filter((one) => one.status === 'fulfilled').map((one) => one.value);
    if (answers.length > 0) return answers;
    throw (settled[0] as PromiseRejectedResult).reason;
  };

  /**
   * Readable answers in ascending order, of enough endpoints; what makes no sense counts as no answer. Throws the refusal
   * when enough endpoints refuse.
   */
  const ranked = async <T extends number | bigint>(
    what: string,
    method: string,
    params: readonly unknown[],
    read: (raw: unknown) => T,
  ): Promise<T[]> => {
    const settled = await askAll(method, params);
    const values: T[] = [];
    for (const one of settled) {
      if (one.status === 'rejected') continue;
      try {
        values.push(read(one.value));
      } catch {
        // Not an answer.
      }
    }
    if (values.length >= needed) return values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const failures = settled
      .filter((one) => one.status === 'rejected')
      .map(({ reason }) => reason as unknown);
    const refusals = failures.filter((reason) => reason instanceof RpcError);
    if (refusals.length >= needed) throw refusals[0]!;
    if (failures.length === endpoints.length) throw failures[0];
    throw new NoQuorum(what, values.length, needed);
  };

  /** The answer that enough endpoints give, compared after `read` took what matters from it. */
  const agreed = async <T>(
    what: string,
    method: string,
    params: readonly unknown[],
    read: (raw: unknown) => T,
  ): Promise<T> => {
    const votes = new Map<string, { value: T; count: number }>();
    let most = 0;
    for (const answer of await ask(method, params)) {
      let value: T;
      try {
        value = read(answer);
      } catch {
        continue;
      }
      const key = JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
      const vote = votes.get(key) ?? { value, count: 0 };
      vote.count += 1;
      votes.set(key, vote);
      most = Math.max(most, vote.count);
      if (vote.count >= needed) return vote.value;
    }
    throw new NoQuorum(what, most, needed);
  };

  const blockAt = (number: number): Promise<Block> =>
    agreed(`block ${number}`, 'eth_getBlockByNumber', [hex(number), false], readBlock);

  return {
    trust: needed === 1 ? 'single endpoint' : 'quorum',
    async head() {
      // The highest number that enough endpoints have reached, and the block that they agree on there.
      const heights = await ranked('the head', 'eth_blockNumber', [], readCount);
      const height = heights[heights.length - needed]!;
      const { number, hash, timestampS, baseFeeWei } = await blockAt(height);
      return { number, hash, timestampS, baseFeeWei };
    },
    async blockHashAt(number) {
      return (await blockAt(number)).hash;
    },
    nonceOf: (address, at) =>
      agreed(
        'the nonce',
        'eth_getTransactionCount',
        [address, at === undefined ? 'latest' : hex(at)],
        readCount,
      ),
    balanceOf: (address) => agreed('the balance', 'eth_getBalance', [address, 'latest'], readAmount),
    async inclusionOf(hash) {
      const inclusion = await agreed(
        `the receipt of ${hash}`,
        'eth_getTransactionReceipt',
        [hash],
        readReceipt,
      );
      if (inclusion === null) return null;
      const block = await blockAt(inclusion.blockNumber);
      const isCanonical =
        block.hash === inclusion.blockHash && block.transactions.includes(hash.toLowerCase());
      return isCanonical && inclusion.hash === hash.toLowerCase() ? inclusion : null;
    },
    async estimateGas({ from, to, data, value }) {
      const call = [{ from, to, data, value: hex(value) }, 'latest'];
      const answers = await ranked('the gas', 'eth_estimateGas', call, readAmount);
      return answers[Math.floor(answers.length / 2)]!;
    },
    async priorityFeeWei() {
      const answers = await ranked('the priority fee', 'eth_maxPriorityFeePerGas', [], readAmount);
      return answers[Math.floor((answers.length - 1) / 2)]!;
    },
    async broadcast(raw) {
      const settled = await Promise.allSettled(
        endpoints.map((one) => one.call('eth_sendRawTransaction', [raw])),
      );
      if (settled.some((one) => one.status === 'fulfilled')) return [];
      return settled.map((one) => {
        const reason: unknown = (one as PromiseRejectedResult).reason;
        return reason instanceof RpcError ? reason.message : String(reason);
      });
    },
  };
}

interface Block extends Head {
  readonly transactions: readonly string[];
}

const readCount = (raw: unknown): number => {
  const value = Number(readAmount(raw));
  if (!Number.isSafeInteger(value)) throw new TypeError('not a count');
  return value;
};

const readAmount = (raw: unknown): bigint => {
  if (typeof raw !== 'string' || !/^0x[0-9a-f]{1,64}$/i.test(raw)) throw new TypeError('not a quantity');
  return BigInt(raw);
};

const readHash = (raw: unknown): string => {
  if (typeof raw !== 'string' || !/^0x[0-9a-f]{64}$/i.test(raw)) throw new TypeError('not a hash');
  return raw.toLowerCase();
};

function readBlock(raw: unknown): Block {
  const block = raw as Record<string, unknown>;
  return {
    number: readCount(block['number']),
    hash: readHash(block['hash']),
    timestampS: readCount(block['timestamp']),
    baseFeeWei: readAmount(block['baseFeePerGas'] ?? '0x0'),
    transactions: (block['transactions'] as unknown[]).map(readHash),
  };
}

function readReceipt(raw: unknown): Inclusion | null {
  if (raw === null) return null;
  const receipt = raw as Record<string, unknown>;
  return {
    hash: readHash(receipt['transactionHash']),
    blockNumber: readCount(receipt['blockNumber']),
    blockHash: readHash(receipt['blockHash']),
    succeeded: readCount(receipt['status']) === 1,
    gasUsed: readAmount(receipt['gasUsed']),
  };
}
