/** One anvil with everything deployed, models made from a known trapdoor, and statements about them. */
import { AbiCoder, JsonRpcProvider, NonceManager, Wallet, id, keccak256 } from 'ethers';
import { encodeProof, verifyingKeyBytes, vkHash } from '../../prover/codec.js';
import { startAnvil, type Anvil, type AnvilOptions } from '../../service/chain/anvil.js';
import { deployAll, type Deployment } from '../../service/chain/deployment.js';
import { registerModel, type ModelIdentity } from '../../service/chain/registry.js';
import { requestIdOf, type SettlementCall, type SettlementTerms } from '../../service/chain/settlement.js';
import { simulator, type Simulator } from './simulate.js';
import { r } from '../../prover/curve.js';

export interface Chain {
  readonly anvil: Anvil;
  readonly provider: JsonRpcProvider;
  /** Ten funded accounts that count their own nonces. */
  readonly accounts: readonly NonceManager[];
  readonly addresses: readonly string[];
  readonly deployment: Deployment;
  stop(): Promise<void>;
}

export async function startChain(options: AnvilOptions = {}): Promise<Chain> {
  const anvil = await startAnvil(options);
  const provider = providerOf(anvil);
  const wallets = anvil.privateKeys.map((key) => new Wallet(key, provider));
  const accounts = wallets.map((wallet) => new NonceManager(wallet));
  const deployment = await deployAll(accounts[0]!);
  accounts[0]!.reset();
  return {
    anvil,
    provider,
    accounts,
    addresses: wallets.map(({ address }) => address),
    deployment,
    stop: () => {
      provider.destroy();
      return anvil.stop();
    },
  };
}

/** ethers polls every four seconds and caches for 250 ms; a test chain answers at once. */
export function providerOf({ rpcUrl }: { rpcUrl: string }): JsonRpcProvider {
  const provider = new JsonRpcProvider(rpcUrl, undefined, { cacheTimeout: -1, staticNetwork: false });
  provider.pollingInterval = 20;
  return provider;
}

export interface TestModel extends Simulator {
  readonly modelId: string;
  readonly identity: ModelIdentity;
  readonly vkBytes: Uint8Array;
}

/** Reproducible scalars in [1, r): keccak256(seed/counter) mod r. */
export function scalars(seed: string): () => bigint {
  let counter = 0;
  return () => BigInt(id(`${seed}/${counter++}`)) % r || 1n;
}

export function testModel(signalCount: number, seed: string, change: Partial<ModelIdentity> = {}): TestModel {
  const made = simulator(signalCount, scalars(seed));
  const identity: ModelIdentity = {
    modelHash: id(`${seed}/onnx`),
    circuitHash: id(`${seed}/r1cs`),
    vkHash: vkHash(made.key),
    setupClass: 1,
    contributorCount: 1,
    transcriptDigest: `0x${'0'.repeat(64)}`,
    compilerVersion: id('0.1.0'),
    manifestDigest: id(`${seed}/manifest`),
    ...change,
  };
  return { ...made, identity, modelId: modelIdOf(identity), vkBytes: verifyingKeyBytes(made.key) };
}

export async function registered(chain: Chain, signalCount: number, seed: string): Promise<TestModel> {
  const model = testModel(signalCount, seed);
  await registerModel(chain.accounts[0]!, chain.deployment, model.identity, model.vkBytes);
  return model;
}

const abi = AbiCoder.defaultAbiCoder();

/** docs/architecture.md, written out a second time. */
export function modelIdOf(identity: ModelIdentity): string {
  const {
    modelHash,
    circuitHash,
    setupClass,
    contributorCount,
    transcriptDigest,
    compilerVersion,
    manifestDigest,
  } = identity;
  return keccak256(
    abi.encode(
      ['bytes32', 'bytes32', 'bytes32', 'bytes32', 'uint8', 'uint16', 'bytes32', 'bytes32', 'bytes32'],
      [
        id('verinfer/model/v1'),
        modelHash,
        circuitHash,
        identity.vkHash,
        setupClass,
        contributorCount,
        transcriptDigest,
        compilerVersion,
        manifestDigest,
      ],
    ),
  );
}

export interface ContextTerms {
  readonly chainId: number;
  readonly contract: string;
  readonly requestId: string;
  readonly modelId: string;
  readonly vkHash: string;
  readonly operator: string;
  readonly payee: string;
  readonly deadline: bigint;
}

/** docs/architecture.md, written out a second time. */
export function contextOf(terms: ContextTerms): bigint {
  const { chainId, contract, requestId, modelId, operator, payee, deadline } = terms;
  const encoded = abi.encode(
    [
      'bytes32',
      'uint256',
      'uint256',
      'address',
      'bytes32',
      'bytes32',
      'bytes32',
      'address',
      'address',
      'uint256',
    ],
    [
      id('verinfer/settlement/v1'),
      1,
      chainId,
      contract,
      requestId,
      modelId,
      terms.vkHash,
      operator,
      payee,
      deadline,
    ],
  );
  return BigInt(keccak256(encoded)) >> 8n;
}

/** A settlement whose proof holds. */
export function provenCall(
  { deployment }: Pick<Chain, 'deployment'>,
  model: TestModel,
  terms: Omit<SettlementTerms, 'modelId'>,
  signals: readonly bigint[],
): SettlementCall {
  const { chainId, settlement } = deployment;
  const all = { ...terms, modelId: model.modelId };
  const context = contextOf({
    ...all,
    chainId,
    contract: settlement,
    requestId: requestIdOf(all),
    vkHash: model.identity.vkHash,
  });
  return { ...all, signals, proof: encodeProof(model.prove([context, ...signals])) };
}

/** Far enough for every test. */
export const farDeadline = 4_102_444_800n;
