/** Models on chain: ModelRegistry.sol as functions. */
import { Contract, type Provider, type Signer } from 'ethers';
import { decodeVerifyingKey } from '../../prover/codec.js';
import { checkVerifyingKey } from '../../prover/key-check.js';
import { artifact } from './artifacts.js';
import type { Deployment } from './deployment.js';
import { ChainRefused, named } from './errors.js';

/** The preimage of a model id; 32-byte values as 0x-hex. The same fields as circuits/model-id.ts. */
export interface ModelIdentity {
  readonly modelHash: string;
  readonly circuitHash: string;
  readonly vkHash: string;
  /** 1 dev-single-party, 2 ceremony. */
  readonly setupClass: number;
  readonly contributorCount: number;
  readonly transcriptDigest: string;
  readonly compilerVersion: string;
  readonly manifestDigest: string;
}

export interface Listing {
  readonly uri: string;
  /** Quantized against float on the publisher's evaluation set, parts per million. */
  readonly agreementPpm: number;
  readonly priceHintWei: bigint;
}

export interface Registration {
  readonly modelId: string;
  readonly transactionHash: string | undefined;
  readonly gasUsed: bigint;
  /** It stood there before; nothing was sent. */
  readonly already: boolean;
}

export type ModelStatus = 'unknown' | 'active' | 'frozen';
const statuses: readonly ModelStatus[] = ['unknown', 'active', 'frozen'];

export interface RegisteredModel {
  readonly modelId: string;
  readonly status: ModelStatus;
  readonly setupClass: number;
  /** Where the key bytes lie as code; undefined for a frozen model, whose key serves nobody. */
  readonly vkPointer: string | undefined;
  readonly vkHash: string | undefined;
}

const registryOf = (runner: Signer | Provider, deployment: Deployment): Contract =>
  new Contract(deployment.registry, artifact('ModelRegistry').abi, runner);

/** Registers a model, and lists it when a listing is given. Idempotent: a registered id is left as it is. */
export async function registerModel(
  signer: Signer,
  deployment: Deployment,
  identity: ModelIdentity,
  vkBytes: Uint8Array,
  listing?: Listing,
): Promise<Registration> {
  // T01: a key that anyone can forge for must not get an id.
  const key = decodeVerifyingKey(vkBytes);
  checkVerifyingKey(key, key.ic.length - 1);
  const registry = registryOf(signer, deployment);
  const modelId = String(await registry.getFunction('modelIdOf')(identity));
  const already = (await registry.getFunction('statusOf')(modelId)) !== 0n;
  const registration = already
    ? { modelId, transactionHash: undefined, gasUsed: 0n, already }
    : await named('registerModel', async () => {
        const sent = await registry.getFunction('registerModel')(identity, vkBytes);
        const receipt = await sent.wait();
        return {
          modelId,
          transactionHash: String(receipt.hash),
          gasUsed: receipt.gasUsed as bigint,
          already,
        };
      });
  if (listing !== undefined) await listModel(signer, deployment, modelId, listing);
  return registration;
}

export async function listModel(
  signer: Signer,
  deployment: Deployment,
  modelId: string,
  { priceHintWei, agreementPpm, uri }: Listing,
): Promise<void> {
  await named('list', async () => {
    const sent = await registryOf(signer, deployment).getFunction('list')(
      modelId,
      priceHintWei,
      agreementPpm,
      uri,
    );
    await sent.wait();
  });
}

export async function readModel(
  provider: Provider,
  deployment: Deployment,
  modelId: string,
): Promise<RegisteredModel> {
  const registry = registryOf(provider, deployment);
  const status = statuses[Number(await registry.getFunction('statusOf')(modelId))]!;
  if (status === 'unknown')
    return { modelId, status, setupClass: 0, vkPointer: undefined, vkHash: undefined };
  const setupClass = Number(await registry.getFunction('setupClassOf')(modelId));
  if (status === 'frozen') return { modelId, status, setupClass, vkPointer: undefined, vkHash: undefined };
  const [vkPointer, vkHash] = await registry.getFunction('keyOf')(modelId);
  return { modelId, status, setupClass, vkPointer: String(vkPointer), vkHash: String(vkHash) };
}

/**
 * Asks the chain's verifier, without a transaction. Resolves for a valid proof; rejects with ChainRefused, which is
 * a verdict only where isVerdictOnProof says so. `signals` include the context; `proof` are the 256 proof bytes.
 */
export async function verifyOnChain(
  provider: Provider,
  deployment: Deployment,
  modelId: string,
  signals: readonly bigint[],
  proof: Uint8Array,
): Promise<true> {
  const model = await readModel(provider, deployment, modelId);
  if (model.status !== 'active') {
    throw new ChainRefused(
      model.status === 'frozen' ? 'FrozenModel' : 'UnknownModel',
      [modelId],
      'verifyOnChain',
    );
  }
  const verifier = new Contract(deployment.verifier, artifact('Groth16Verifier').abi, provider);
  await named('verify', () =>
    verifier.getFunction('verify')(model.vkPointer, model.vkHash, words(proof), signals),
  );
  return true;
}

/** The eight words of an encoded proof. */
export function words(proof: Uint8Array): string[] {
  if (proof.length !== 256) throw new RangeError(`proof: length must be 256 bytes, got ${proof.length}`);
  const hex = Buffer.from(proof).toString('hex');
  return Array.from({ length: 8 }, (_, i) => `0x${hex.slice(64 * i, 64 * i + 64)}`);
}
