import { Wallet } from 'ethers';
import { modelId as hashIdentity } from '../../circuits/model-id.js';
import { contextSignal } from '../../circuits/public-signals.js';
import { vkHash } from '../../prover/codec.js';
import { r } from '../../prover/curve.js';
import { buildReceipt, type ReceiptContent, signReceipt } from '../../service/receipt.js';
import { inputSignals, outputSignals, signalLayout } from '../../service/verifier/manifest.js';
import { manifestDigest } from '../../service/verifier/receipt.js';
import { requestIdOf } from '../../service/verifier/request-id.js';
import type { Opening, Receipt, Tensor } from '../../service/verifier/schema.js';
import type { Expectations } from '../../service/verifier/expectations.js';
import { type Random, random } from './random.js';
import { type Simulator, simulatorFrom } from './simulate.js';

/** A model with no network behind it: a key, a manifest and an identity, enough to make and check receipts. */
export interface StagedModel {
  readonly simulator: Simulator;
  readonly manifest: Receipt['manifest'];
  readonly identity: ReceiptContent['model'];
  readonly modelId: string;
  readonly operator: Wallet;
  readonly random: Random;
}

export interface Staging {
  readonly inputMode?: 'committed' | 'public';
  readonly outputMode?: 'packed' | 'commitment';
  readonly setupClass?: 'dev-single-party' | 'ceremony';
  readonly chain?: boolean;
  /** Settlement contract of that chain; random when left out. */
  readonly contract?: string;
  /** Of the request on that chain; random when left out. */
  readonly nonce?: bigint;
  readonly settlement?: Receipt['settlement'];
}

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

export function stageModel(seed: number, staging: Staging = {}): StagedModel {
  const draw = random(seed);
  const scalar = () => draw.scalar(r);
  const { inputMode = 'committed', outputMode = 'packed', setupClass = 'dev-single-party' } = staging;
  const manifest = {
    inputMode,
    outputMode,
    inputs: [{ name: 'pixels', dtype: 'int8', shape: [1, 40] }],
    outputs: [{ name: 'logits', dtype: 'int8', shape: [1, 10] }],
  };
  const { signalCount } = signalLayout(manifest);
  const simulator = simulatorFrom(
    {
      alpha: scalar(),
      beta: scalar(),
      gamma: scalar(),
      delta: scalar(),
      ic: Array.from({ length: signalCount + 1 }, scalar),
    },
    scalar,
  );
  const identity = {
    modelHash: hex(draw.bytes(32)),
    circuitHash: hex(draw.bytes(32)),
    vkHash: vkHash(simulator.key),
    setupClass,
    contributorCount: setupClass === 'ceremony' ? 5 : 1,
    transcriptDigest: hex(setupClass === 'ceremony' ? draw.bytes(32) : new Uint8Array(32)),
    compilerVersion: hex(draw.bytes(32)),
    manifestDigest: manifestDigest(manifest),
  };
  const modelId = hashIdentity({ ...identity, setupClass: setupClass === 'ceremony' ? 2 : 1 });
  return { simulator, manifest, identity, modelId, operator: new Wallet(hex(draw.bytes(32))), random: draw };
}

export interface StagedReceipt {
  readonly receipt: Receipt;
  readonly opening: Opening;
  readonly expectations: Expectations;
  readonly content: ReceiptContent;
}

/** A signed, valid receipt of a random input and output. */
export async function stageReceipt(model: StagedModel, staging: Staging = {}): Promise<StagedReceipt> {
  const { random: draw, manifest, identity, modelId, operator, simulator } = model;
  const int8 = (length: number) => Array.from({ length }, () => draw.below(256) - 128);
  const inputs: Tensor[] = [{ name: 'pixels', dtype: 'int8', shape: [1, 40], values: int8(40) }];
  const outputs: Tensor[] = [{ name: 'logits', dtype: 'int8', shape: [1, 10], values: int8(10) }];
  const salt = manifest.inputMode === 'committed' ? hex(draw.bytes(31)) : null;
  const opening = { inputs, salt };
  const layout = signalLayout(manifest);
  const deadline = staging.chain ? '2000000000' : '0';
  const drawn = staging.chain ? { requester: hex(draw.bytes(20)), nonce: `${draw.scalar(r)}` } : null;
  const request = drawn && staging.nonce !== undefined ? { ...drawn, nonce: `${staging.nonce}` } : drawn;
  const statement = {
    domainTag: staging.chain ? ('verinfer/settlement/v1' as const) : ('verinfer/offline/v1' as const),
    chainId: staging.chain ? '31337' : '0',
    contract: (staging.contract ?? hex(staging.chain ? draw.bytes(20) : new Uint8Array(20))).toLowerCase(),
    requestId: request ? requestIdOf({ ...request, modelId, deadline }) : hex(draw.bytes(32)),
    modelId,
    operator: operator.address.toLowerCase(),
    payee: operator.address.toLowerCase(),
    deadline,
  };
  const ctx = contextSignal({
    ...statement,
    domain: statement.domainTag,
    vkHash: identity.vkHash,
    chainId: BigInt(statement.chainId),
    deadline: BigInt(deadline),
  });
  const outputSide = outputSignals(layout, outputs, salt ?? hex(new Uint8Array(31))) ?? [];
  const publicSignals = [ctx, ...inputSignals(layout, opening), ...outputSide];
  const content: ReceiptContent = {
    statement,
    request,
    model: identity,
    manifest,
    verifyingKey: simulator.key,
    proof: simulator.prove(publicSignals),
    publicSignals,
    outputs,
    agreement: { samples: 100, elements: 1000, mismatchedElements: 0, maxDifference: 0 },
    executed: { graphHash: identity.modelHash, onnxruntime: '1.30.0', selfTest: 'pass' },
    runtime: { verinfer: '0.1.0', engine: 'native', node: 'v20', platform: 'linux-x64', cpu: 'x86-64 avx2' },
    settlement: staging.settlement ?? { state: 'none' },
    issuedAt: new Date('2026-01-02T03:04:05.678Z'),
  };
  const receipt = await signReceipt(await buildReceipt(content), operator);
  const { chainId, contract, requestId } = statement;
  const chain = staging.chain ? { chainId, contract } : {};
  return { receipt, opening, content, expectations: { modelId, requestId, ...chain } };
}
