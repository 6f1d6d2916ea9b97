/** What the chain says of a receipt: asked through the reader's own node, at the reader's own contract. */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Ledger } from './ledger.js';
import type { Receipt } from './schema.js';

/** EIP-1193, the part that is needed. */
export interface ChainReader {
  request(call: { method: string; params: readonly unknown[] }): Promise<unknown>;
}

/** `no`: the chain contradicts the receipt. `pending`: included, not final yet. */
export type ChainVerdict = 'unknown' | 'no' | 'pending' | 'final';
type Revocation = 'unknown' | 'active' | 'frozen';

const topic = (signature: string): string => `0x${bytesToHex(keccak_256(utf8ToBytes(signature)))}`;
const settledTopic = topic('InferenceSettled(bytes32,bytes32,address,address,uint256[])');

export async function checkSettlement(
  ledger: Ledger,
  receipt: Receipt,
  chain: ChainReader | undefined,
  registry: string | undefined,
): Promise<{ settled: ChainVerdict; revocation: Revocation }> {
  const { settlement } = receipt;
  if (settlement.state !== 'settled') {
    ledger.unknown(
      'settled',
      'is included and final on its chain',
      `the receipt claims "${settlement.state}"`,
    );
  } else if (chain === undefined) {
    ledger.unknown(
      'settled',
      'is included and final on its chain',
      'no chain was given: claimed, not checked',
    );
  }
  if (chain === undefined) {
    ledger.unknown('revocation', 'the model is not frozen', 'no chain was given');
    return { settled: 'unknown', revocation: 'unknown' };
  }
  const settled =
    settlement.state === 'settled' ? await included(ledger, receipt, settlement, chain) : 'unknown';
  const revocation = await modelStatus(ledger, receipt, chain, registry);
  return { settled, revocation };
}

async function included(
  ledger: Ledger,
  { statement, publicSignals }: Receipt,
  claim: Extract<Receipt['settlement'], { state: 'settled' }>,
  chain: ChainReader,
): Promise<ChainVerdict> {
  const ask = (method: string, ...params: unknown[]) => chain.request({ method, params });
  const add = (status: 'pass' | 'fail' | 'unknown', detail = '') =>
    ledger.add(
      'settled',
      'is included and final on its chain',
      'receipt, log, canonical block, finality',
      status,
      detail,
    );
  try {
    if (BigInt((await ask('eth_chainId')) as string) !== BigInt(statement.chainId)) {
      add('fail', 'the node is on another chain');
      return 'no';
    }
    const transaction = record(await ask('eth_getTransactionReceipt', claim.transactionHash));
    const block = record(await ask('eth_getBlockByNumber', quantity(claim.blockNumber), false));
    const isIncluded =
      transaction?.status === '0x1' &&
      transaction.blockHash === claim.blockHash &&
      block?.hash === claim.blockHash;
    if (!isIncluded) {
      add('fail', 'no such transaction in the canonical chain');
      return 'no';
    }
    const expected = [
      settledTopic,
      statement.requestId,
      statement.modelId,
      addressWord(statement.operator),
    ].join();
    const logs = Array.isArray(transaction.logs) ? transaction.logs.map(record) : [];
    const log = logs.find(
      (entry) =>
        String(entry?.address).toLowerCase() === statement.contract && String(entry?.topics) === expected,
    );
    if (log === undefined || !sameData(String(log.data), statement.payee, publicSignals)) {
      add('fail', 'the transaction does not settle this statement');
      return 'no';
    }
    const finalized = record(await ask('eth_getBlockByNumber', 'finalized', false));
    const isFinal = finalized !== undefined && BigInt(String(finalized.number)) >= BigInt(claim.blockNumber);
    add(isFinal ? 'pass' : 'unknown', isFinal ? '' : 'included, not final yet');
    return isFinal ? 'final' : 'pending';
  } catch (error) {
    add('unknown', `the node did not answer: ${error instanceof Error ? error.message : ''}`);
    return 'unknown';
  }
}

async function modelStatus(
  ledger: Ledger,
  { statement }: Receipt,
  chain: ChainReader,
  registry: string | undefined,
): Promise<Revocation> {
  const claim = 'the model is not frozen';
  if (registry === undefined) {
    ledger.unknown('revocation', claim, 'no registry was given');
    return 'unknown';
  }
  try {
    const data = `${topic('statusOf(bytes32)').slice(0, 10)}${statement.modelId.slice(2)}`;
    const status = BigInt(
      (await chain.request({ method: 'eth_call', params: [{ to: registry, data }, 'latest'] })) as string,
    );
    // ModelRegistry.Status: 0 unknown, 1 active, 2 frozen.
    const detail = status === 1n ? '' : status === 2n ? 'frozen' : 'not registered there';
    ledger.add('revocation', claim, 'registry, now', detail === '' ? 'pass' : 'fail', detail);
    return status === 1n ? 'active' : status === 2n ? 'frozen' : 'unknown';
  } catch {
    ledger.unknown('revocation', claim, 'the node did not answer');
    return 'unknown';
  }
}

/** A JSON-RPC endpoint as a ChainReader; for Node and browsers alike. */
export function jsonRpc(url: string, timeoutMs = 10_000): ChainReader {
  return {
    async request({ method, params }) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const answer = record(await response.json());
      if (answer === undefined || answer.error !== undefined) throw new Error(`${method} failed`);
      return answer.result;
    },
  };
}

/** abi.encode(payee, signals) of the event, compared word by word. Signals exclude the context. */
function sameData(data: string, payee: string, publicSignals: readonly string[]): boolean {
  const signals = publicSignals.slice(1);
  const words = [
    addressWord(payee),
    word(64n),
    word(BigInt(signals.length)),
    ...signals.map((s) => word(BigInt(s))),
  ];
  return data.toLowerCase() === `0x${words.map((w) => w.slice(2)).join('')}`;
}

const word = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`;
const addressWord = (address: string): string => word(BigInt(address));
const quantity = (value: number): string => `0x${value.toString(16)}`;
const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
