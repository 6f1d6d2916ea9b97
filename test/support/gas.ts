/** What the contracts cost, measured on a fresh anvil: every figure is a transaction that was mined. */
import { Contract, getBytes, type TransactionReceipt } from 'ethers';
import { artifact } from '../../service/chain/artifacts.js';
import { registerModel, words } from '../../service/chain/registry.js';
import {
  encodeSettle,
  encodeSettleBatch,
  ownNonce,
  type SettlementCall,
} from '../../service/chain/settlement.js';
import { encodeProof } from '../../prover/codec.js';
import { q, r } from '../../prover/curve.js';
import {
  encodeFulfil,
  encodeFulfilBatch,
  encodeMove,
  encodeWithdraw,
  type Fulfilment,
} from '../../service/chain/market.js';
import { marketStatement } from './market.js';
import {
  farDeadline,
  provenCall,
  scalars,
  startChain,
  testModel,
  type Chain,
  type TestModel,
} from './chain.js';

export interface GasFigures {
  /** Execution of the bare verify of a 3-signal proof, without transaction and calldata. */
  readonly verify: number;
  /** A settlement, all in, with a warm replay-mark slot. */
  readonly settle: number;
  /** The same into a slot that nobody used. */
  readonly settleCold: number;
  /** A proof in settleBatch, all in. */
  readonly batch8: number;
  readonly batch64: number;
  /** The most that an invalid proof costs, all in, over kinds of badness and gas limits. */
  readonly invalid: number;
  readonly register: number;
  /** Of the market, all in; fulfil and fulfilOpen pay somebody whose account in the market is empty. */
  readonly request: number;
  readonly lock: number;
  readonly fulfil: number;
  readonly fulfilOpen: number;
  readonly fulfilBatch8: number;
  readonly withdraw: number;
}

/** 21 000, 16 a non-zero byte, 4 a zero byte. */
const intrinsic = (data: string): number =>
  getBytes(data).reduce((sum, byte) => sum + (byte === 0 ? 4 : 16), 21_000);

export async function measureGas(): Promise<GasFigures> {
  const chain = await startChain();
  try {
    const model = testModel(3, 'gas');
    const { gasUsed } = await registerModel(
      chain.accounts[0],
      chain.deployment,
      model.identity,
      model.vkBytes,
    );
    const settlements = statements(chain, model);
    const cold = await gasOf(chain, encodeSettle(settlements.next().value));
    const warm = await gasOf(chain, encodeSettle(settlements.next().value));
    const batch = async (size: number): Promise<number> => {
      const calls = Array.from({ length: size }, () => settlements.next().value);
      return Math.ceil((await gasOf(chain, encodeSettleBatch(calls))) / size);
    };
    return {
      verify: await verifyGas(chain, model),
      settle: warm,
      settleCold: cold,
      batch8: await batch(8),
      batch64: await batch(64),
      invalid: await invalidGas(chain, settlements.next().value),
      register: Number(gasUsed),
      ...(await marketGas(chain, model)),
    };
  } finally {
    await chain.stop();
  }
}

/** Proven settlements as a service makes them: a full-size commitment, ten output bytes, one lane of its own nonces. */
function* statements(chain: Chain, model: TestModel): Generator<SettlementCall, never> {
  const next = scalars('gas/statements');
  const [, operator, payee, requester] = chain.addresses;
  const lane = next();
  for (let i = 0n; ; i++) {
    const nonce = ownNonce(chain.addresses[4], lane, i);
    const terms = { requester, nonce, operator, payee, deadline: farDeadline };
    yield provenCall(chain, model, terms, [next(), (next() >> 174n) << 168n]);
  }
}

async function gasOf(chain: Chain, data: string, gasLimit = 12_000_000): Promise<number> {
  const sent = await chain.accounts[4].sendTransaction({ to: chain.deployment.settlement, data, gasLimit });
  return Number((await sent.wait())!.gasUsed);
}

async function marketGas(
  chain: Chain,
  model: TestModel,
): Promise<Pick<GasFigures, 'request' | 'lock' | 'fulfil' | 'fulfilOpen' | 'fulfilBatch8' | 'withdraw'>> {
  const { deployment, provider, accounts } = chain;
  const send = async (from: number, data: string, value = 0n): Promise<number> => {
    const sent = await accounts[from].sendTransaction({
      to: deployment.market,
      data,
      value,
      gasLimit: 5_000_000,
    });
    return Number((await sent.wait())!.gasUsed);
  };
  const { terms, fulfilment } = await marketStatement(chain, model, { nonce: 1n });
  const request = await send(3, encodeMove('request', terms), terms.feeWei);
  const lock = await send(1, encodeMove('lock', terms), terms.lockCollateralWei);
  await provider.send('anvil_mine', ['0x1']);
  const fulfil = await send(5, encodeFulfil(fulfilment));
  const withdraw = await send(2, encodeWithdraw(chain.addresses[2]));
  const open = async (nonce: bigint): Promise<Fulfilment> => {
    const asked = await marketStatement(chain, model, { nonce });
    await send(3, encodeMove('request', asked.terms), asked.terms.feeWei);
    return asked.fulfilment;
  };
  const fulfilOpen = await send(5, encodeFulfil(await open(2n)));
  const batch: Fulfilment[] = [];
  for (let nonce = 3n; nonce < 11n; nonce++) batch.push(await open(nonce));
  const fulfilBatch8 = Math.ceil((await send(5, encodeFulfilBatch(batch))) / batch.length);
  return { request, lock, fulfil, fulfilOpen, fulfilBatch8, withdraw };
}

async function verifyGas(chain: Chain, model: TestModel): Promise<number> {
  const { deployment, provider } = chain;
  const registry = new Contract(deployment.registry, artifact('ModelRegistry').abi, provider);
  const [key, vkHash] = await registry.getFunction('keyOf')(model.modelId);
  const next = scalars('gas/verify');
  const signals = [next() >> 8n, next(), (next() >> 174n) << 168n];
  const verifier = new Contract(deployment.verifier, artifact('Groth16Verifier').abi);
  const proof = words(encodeProof(model.prove(signals)));
  const data = verifier.interface.encodeFunctionData('verify', [key, vkHash, proof, signals]);
  const sent = await chain.accounts[4].sendTransaction({
    to: deployment.verifier,
    data,
    gasLimit: 1_000_000,
  });
  return Number((await sent.wait())!.gasUsed) - intrinsic(data);
}

/** A statement that is not proved, a B off the subgroup, off the curve, coordinates out of the field, at five limits. */
async function invalidGas(chain: Chain, call: SettlementCall): Promise<number> {
  const kinds: SettlementCall[] = [
    { ...call, signals: [call.signals[0], call.signals[1] ^ (1n << 200n)] },
    { ...call, proof: withWords(call.proof, offSubgroup) },
    { ...call, proof: withWord(call.proof, 2, 5n) },
    { ...call, proof: withWord(call.proof, 0, q) },
    { ...call, proof: withWord(call.proof, 6, 5n) },
    { ...call, signals: [r, call.signals[1]] },
  ];
  let most = 0;
  for (const kind of kinds) {
    const data = encodeSettle(kind);
    for (const gasLimit of [350_000, 400_000, 1_000_000, 5_000_000, 15_000_000]) {
      const sent = await chain.accounts[4].sendTransaction({
        to: chain.deployment.settlement,
        data,
        gasLimit,
      });
      const receipt = await sent.wait().catch((error: { receipt: TransactionReceipt }) => error.receipt);
      if (receipt!.status !== 0) throw new Error('an invalid proof was accepted');
      most = Math.max(most, Number(receipt!.gasUsed));
    }
  }
  return most;
}

/** On the twist, not in the subgroup: x = 1. Words b.x.c1 … b.y.c0. */
export const offSubgroup: readonly [number, bigint][] = [
  [2, 0n],
  [3, 1n],
  [4, 15975588672102553735566230729081043132501226101599136527557730645158523614371n],
  [5, 3610091866386166428467545612961983990332663701371483510632385378352395651980n],
];

export const withWord = (proof: Uint8Array, index: number, value: bigint): Uint8Array =>
  withWords(proof, [[index, value]]);

export function withWords(proof: Uint8Array, changes: readonly (readonly [number, bigint])[]): Uint8Array {
  const copy = Buffer.from(proof);
  for (const [index, value] of changes) {
    Buffer.from(value.toString(16).padStart(64, '0'), 'hex').copy(copy, 32 * index);
  }
  return copy;
}
