/** The escrow market: InferenceMarket.sol as functions. */
import {
  AbiCoder,
  Contract,
  Interface,
  id,
  keccak256,
  type Log,
  type ParamType,
  type Provider,
} from 'ethers';
import { artifact } from './artifacts.js';
import type { Deployment } from './deployment.js';
import { words } from './registry.js';

/** Everything a requester asks for; field by field IInferenceMarket.Terms. */
export interface MarketTerms {
  readonly requester: string;
  readonly nonce: bigint;
  readonly modelId: string;
  /** keccak256 of the input signals, 32 bytes each. */
  readonly inputDigest: string;
  readonly inputSignalCount: number;
  readonly minSetupClass: number;
  readonly attester: string;
  readonly feeWei: bigint;
  /** Unix seconds. */
  readonly deadline: bigint;
  readonly lockCollateralWei: bigint;
  readonly lockSeconds: number;
  readonly callback: string;
  readonly callbackGas: number;
}

export interface Fulfilment {
  readonly terms: MarketTerms;
  readonly operator: string;
  readonly payee: string;
  /** 256 bytes. */
  readonly proof: Uint8Array;
  /** Public signals without the context. */
  readonly signals: readonly bigint[];
}

export const requestStatuses = ['none', 'open', 'locked', 'cancelling', 'fulfilled', 'refunded'] as const;

export interface RequestState {
  readonly status: (typeof requestStatuses)[number];
  /** Last second of the lock, or when the cancellation began. */
  readonly since: number;
  readonly holder: string;
  readonly lockedAt: number;
  readonly collateralWei: bigint;
}

export interface SeenRequest {
  readonly requestId: string;
  readonly terms: MarketTerms;
  readonly blockNumber: number;
}

/** Seconds; the constants of the contract. */
export const marketTimes = { cancelDelay: 600, grace: 600, lockDelay: 60 } as const;

let parsed: Interface | undefined;
export const marketAbi = (): Interface => (parsed ??= new Interface(artifact('InferenceMarket').abi));

export const inputDigestOf = (signals: readonly bigint[]): string =>
  keccak256(`0x${signals.map((signal) => signal.toString(16).padStart(64, '0')).join('')}`);

type Move = 'request' | 'lock' | 'lapse' | 'cancel' | 'refund';
export const encodeMove = (move: Move, terms: MarketTerms): string =>
  marketAbi().encodeFunctionData(move, [terms]);
export const encodeWithdraw = (to: string): string => marketAbi().encodeFunctionData('withdraw', [to]);

const argument = (fulfilment: Fulfilment): unknown => ({
  ...fulfilment,
  proof: words(fulfilment.proof),
  signals: [...fulfilment.signals],
});
export const encodeFulfil = (fulfilment: Fulfilment): string =>
  marketAbi().encodeFunctionData('fulfil', [argument(fulfilment)]);
export const encodeFulfilBatch = (fulfilments: readonly Fulfilment[]): string =>
  marketAbi().encodeFunctionData('fulfilBatch', [fulfilments.map(argument)]);

const termsType = (): ParamType => marketAbi().getFunction('requestIdOf')!.inputs[0]!;
const termsTag = id('verinfer/market-request/v1');

/** What InferenceMarket.requestIdOf says, without asking. */
export const requestIdOfTerms = ({ chainId, market }: Deployment, terms: unknown): string =>
  keccak256(
    AbiCoder.defaultAbiCoder().encode(
      ['bytes32', 'uint256', 'address', termsType()],
      [termsTag, chainId, market, terms],
    ),
  );

/** Requests that a call of fulfil or fulfilBatch is about; none for any other call. */
export function requestsOfCall(deployment: Deployment, data: string): string[] {
  const call = marketAbi().parseTransaction({ data });
  if (call?.name === 'fulfil') return [requestIdOfTerms(deployment, call.args[0].terms)];
  if (call?.name !== 'fulfilBatch') return [];
  return [...call.args[0]].map(({ terms }) => requestIdOfTerms(deployment, terms));
}

const contractOf = (provider: Provider, { market }: Deployment): Contract =>
  new Contract(market, artifact('InferenceMarket').abi, provider);

export async function marketRequestId(
  provider: Provider,
  deployment: Deployment,
  terms: MarketTerms,
): Promise<string> {
  return String(await contractOf(provider, deployment).getFunction('requestIdOf')(terms));
}

export async function readRequest(
  provider: Provider,
  deployment: Deployment,
  requestId: string,
): Promise<RequestState> {
  const [status, since, holder, lockedAt, collateralWei] = await contractOf(provider, deployment).getFunction(
    'stateOf',
  )(requestId);
  return {
    status: requestStatuses[Number(status)]!,
    since: Number(since),
    holder: String(holder),
    lockedAt: Number(lockedAt),
    collateralWei: BigInt(collateralWei),
  };
}

export async function claimableOf(
  provider: Provider,
  deployment: Deployment,
  account: string,
): Promise<bigint> {
  return BigInt(await contractOf(provider, deployment).getFunction('claimable')(account));
}

/** Requests escrowed from `fromBlock` to `toBlock`, in the order of the chain. */
export async function requestsIn(
  provider: Provider,
  { market }: Deployment,
  fromBlock: number,
  toBlock: number,
): Promise<SeenRequest[]> {
  const topics = [marketAbi().getEvent('InferenceRequested')!.topicHash];
  const logs = await provider.getLogs({ address: market, topics, fromBlock, toBlock });
  return logs.map(seenRequest);
}

function seenRequest(log: Log): SeenRequest {
  const { args } = marketAbi().parseLog(log)!;
  const terms = args['terms'];
  return {
    requestId: String(args['requestId']),
    blockNumber: log.blockNumber,
    terms: {
      requester: String(terms.requester),
      nonce: BigInt(terms.nonce),
      modelId: String(terms.modelId),
      inputDigest: String(terms.inputDigest),
      inputSignalCount: Number(terms.inputSignalCount),
      minSetupClass: Number(terms.minSetupClass),
      attester: String(terms.attester),
      feeWei: BigInt(terms.feeWei),
      deadline: BigInt(terms.deadline),
      lockCollateralWei: BigInt(terms.lockCollateralWei),
      lockSeconds: Number(terms.lockSeconds),
      callback: String(terms.callback),
      callbackGas: Number(terms.callbackGas),
    },
  };
}
