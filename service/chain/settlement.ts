/** Settlements: Settlement.sol as functions. */
import {
  AbiCoder,
  Contract,
  Interface,
  id,
  keccak256,
  type Log,
  type Provider,
  type Signer,
  type TransactionReceipt,
} from 'ethers';
import { artifact } from './artifacts.js';
import type { Deployment } from './deployment.js';
import { ChainRefused, named } from './errors.js';
import { words } from './registry.js';

export interface SettlementTerms {
  readonly modelId: string;
  /** Whose request this is; the operator's own address when the client has none. */
  readonly requester: string;
  /** Settled at most once per requester; see ownNonce. */
  readonly nonce: bigint;
  readonly operator: string;
  readonly payee: string;
  /** Unix seconds, the last second at which it settles. */
  readonly deadline: bigint;
}

export interface SettlementCall extends SettlementTerms {
  /** Public signals without the context: inputs, then outputs. */
  readonly signals: readonly bigint[];
  /** 256 bytes. */
  readonly proof: Uint8Array;
}

export interface Settled {
  readonly requestId: string;
  readonly modelId: string;
  readonly operator: string;
  readonly payee: string;
  readonly signals: readonly bigint[];
  readonly transactionHash: string;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly logIndex: number;
}

export interface SettledWithGas extends Settled {
  readonly gasUsed: bigint;
}

/**
 * A nonce that `submitter` alone, or the requester, can use up: without the address in it, whoever guesses it or sees it
 * pending could settle something else under it. The 256 of a lane share a storage slot and its price.
 */
export const ownNonce = (submitter: string, lane: bigint, index: bigint): bigint =>
  (BigInt(submitter) << 96n) | (BigInt.asUintN(88, lane) << 8n) | index;

/** Whom a nonce names, in lower case; null for one that anyone may submit. */
export function submitterOf(nonce: bigint): string | null {
  const named = nonce >> 96n;
  return named === 0n ? null : `0x${named.toString(16).padStart(40, '0')}`;
}

const requestTag = id('verinfer/request/v1');

/** The request id that goes into the context: Settlement.requestIdOf. */
export function requestIdOf({
  requester,
  nonce,
  modelId,
  deadline,
}: Omit<SettlementTerms, 'operator' | 'payee'>): string {
  const types = ['bytes32', 'address', 'uint256', 'bytes32', 'uint256'];
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(types, [requestTag, requester, nonce, modelId, deadline]),
  );
}

const abi = (): Interface => new Interface(artifact('Settlement').abi);
const argument = (call: SettlementCall): unknown => ({
  ...call,
  proof: words(call.proof),
  signals: [...call.signals],
});

export const encodeSettle = (call: SettlementCall): string =>
  abi().encodeFunctionData('settle', [argument(call)]);
export const encodeSettleBatch = (calls: readonly SettlementCall[]): string =>
  abi().encodeFunctionData('settleBatch', [calls.map(argument)]);

/** Estimates, sends and waits for one block. Rejects with ChainRefused before anything is sent when it would revert. */
export async function settle(
  signer: Signer,
  deployment: Deployment,
  call: SettlementCall,
): Promise<SettledWithGas> {
  const receipt = await send(signer, deployment, encodeSettle(call), 'settle');
  const [settled] = settlementsIn(receipt);
  if (settled === undefined) throw new ChainRefused('Unknown', [], 'settle');
  return { ...settled, gasUsed: receipt.gasUsed };
}

/** Settles what is left of the batch; members settled before are missing from the result. Sort by model. */
export async function settleBatch(
  signer: Signer,
  deployment: Deployment,
  calls: readonly SettlementCall[],
): Promise<{ settled: Settled[]; gasUsed: bigint }> {
  const receipt = await send(signer, deployment, encodeSettleBatch(calls), 'settleBatch');
  return { settled: settlementsIn(receipt), gasUsed: receipt.gasUsed };
}

async function send(
  signer: Signer,
  { settlement }: Deployment,
  data: string,
  where: string,
): Promise<TransactionReceipt> {
  return named(where, async () => {
    // The verifier wants its floor of gas before each precompile: half as much again as it will use.
    const gasLimit = ((await signer.estimateGas({ to: settlement, data })) * 3n) / 2n;
    const sent = await signer.sendTransaction({ to: settlement, data, gasLimit });
    return (await sent.wait())!;
  });
}

export function settlementsIn(receipt: TransactionReceipt): Settled[] {
  return receipt.logs.map(settlementOf).filter((settled) => settled !== undefined);
}

export function settlementOf(log: Log): Settled | undefined {
  const event = abi().parseLog(log);
  if (event?.name !== 'InferenceSettled') return undefined;
  const [requestId, modelId, operator, payee, signals] = event.args;
  return {
    requestId: String(requestId),
    modelId: String(modelId),
    operator: String(operator),
    payee: String(payee),
    signals: [...(signals as bigint[])],
    transactionHash: log.transactionHash,
    blockNumber: log.blockNumber,
    blockHash: log.blockHash,
    logIndex: log.index,
  };
}

export async function findSettlement(
  provider: Provider,
  deployment: Deployment,
  requestId: string,
): Promise<Settled | undefined> {
  const logs = await provider.getLogs({
    address: deployment.settlement,
    topics: [abi().getEvent('InferenceSettled')!.topicHash, requestId],
    fromBlock: deployment.blockNumber,
  });
  return logs[0] && settlementOf(logs[0]);
}

/**
 * The settlement of this very statement. Whoever can prove for the model may settle the same request with an input of
 * their own: that one is not ours, and ours can never settle. Throws ChainRefused then, as `settle` would.
 */
export async function findOwnSettlement(
  provider: Provider,
  deployment: Deployment,
  call: SettlementCall,
): Promise<Settled | undefined> {
  const requestId = requestIdOf(call);
  const found = await findSettlement(provider, deployment, requestId);
  if (found === undefined || isOwn(found, call)) return found;
  throw new ChainRefused('AlreadySettled', [requestId], 'settlement by another proof');
}

function isOwn({ operator, payee, signals }: Settled, call: SettlementCall): boolean {
  const same = (p: string, q: string) => p.toLowerCase() === q.toLowerCase();
  return (
    same(operator, call.operator) && same(payee, call.payee) && signals.join() === [...call.signals].join()
  );
}

/** Whether the nonce is used up, by whichever proof came first. */
export async function isSettled(
  provider: Provider,
  deployment: Deployment,
  { requester, nonce }: Pick<SettlementTerms, 'requester' | 'nonce'>,
): Promise<boolean> {
  const contract = new Contract(deployment.settlement, artifact('Settlement').abi, provider);
  return Boolean(await contract.getFunction('isSettled')(requester, nonce));
}
