/**
 * The audit: every claim a receipt or a model makes, checked again from the evidence, with no server. Recompiles the
 * model, looks for freedom in the circuit, runs the inference twice, and asks the chain if there is one.
 */
import type { JsonRpcProvider } from 'ethers';
import { modelId as hashIdentity, SETUP_CLASS } from '../../circuits/model-id.js';
import { vkHash } from '../../prover/codec.js';
import { checkVerifyingKey } from '../../prover/key-check.js';
import { assertDeployed, type Deployment } from '../chain/deployment.js';
import { readModel } from '../chain/registry.js';
import { type TrustStatement, trustStatements } from '../trust.js';
import type { ChainReader } from '../verifier/chain.js';
import { type Check, Ledger } from '../verifier/ledger.js';
import { manifestDigest } from '../verifier/receipt.js';
import type { Receipt } from '../verifier/schema.js';
import type { Expectations } from '../verifier/expectations.js';
import { verifyReceipt } from '../verifier/verify-receipt.js';
import { chainBeacon } from '../ceremony/beacon.js';
import { checkCircuit, checkKey, checkRun, type NamedModel } from './circuit-claims.js';
import { checkSetup } from './setup-claims.js';
import type { AuditSubject } from './subject.js';

export interface AuditOptions {
  /** For a receipt or a bundle: what the auditor expects, from elsewhere. */
  readonly expectations?: Expectations;
  readonly chain?: { readonly provider: JsonRpcProvider; readonly deployment: Deployment };
  /** The public folder of the model's ceremony. */
  readonly ceremonyFolder?: string;
  readonly onProgress?: (claim: string) => void;
}

export interface AuditReport {
  readonly subject: AuditSubject['kind'];
  readonly modelId: string | undefined;
  readonly checks: readonly Check[];
  /** 0: nothing failed. 1: something failed. 3: nothing failed, but a foundation was not checked. */
  readonly exitCode: 0 | 1 | 3;
  /** Foundations that were not checked, and why. */
  readonly unfounded: readonly Check[];
  readonly trust: readonly TrustStatement[];
  readonly sources: readonly string[];
  readonly wallMs: number;
}

/** @throws MissingExpectation for a receipt without expectations */
export async function audit(subject: AuditSubject, options: AuditOptions): Promise<AuditReport> {
  const start = performance.now();
  const ledger = new Ledger();
  const receipt = await checkReceiptItself(ledger, subject, options);
  const named = receipt
    ? { model: receipt.model, manifest: receipt.manifest, modelId: receipt.statement.modelId }
    : subject.model;
  if (named) {
    if (!receipt) checkModelItself(ledger, subject, named, options.expectations?.minimumSetupClass);
    options.onProgress?.('recompiling the model');
    const built = checkCircuit(ledger, subject, named, receipt);
    options.onProgress?.('running the inference again');
    await checkRun(ledger, receipt, receipt?.opening ?? options.expectations?.input, built);
    options.onProgress?.('checking the key');
    await checkKey(ledger, subject, receipt, named.model, built);
    options.onProgress?.('verifying the setup');
    const source = options.chain && (await chainBeacon(options.chain.provider).catch(() => undefined));
    await checkSetup(ledger, options.ceremonyFolder, named.model, source);
    options.onProgress?.('asking the chain');
    await checkContracts(ledger, named, options.chain);
  }
  const setup = named?.model.setup ?? { class: 'dev-single-party' as const, contributorCount: 1 };
  const foundations = foundationsOf(setup.class);
  const unfounded = ledger.checks.filter(
    ({ id, status }) => status === 'unknown' && foundations.includes(id),
  );
  return {
    subject: subject.kind,
    modelId: named?.modelId,
    checks: ledger.checks,
    exitCode: ledger.checks.some(({ status }) => status === 'fail') ? 1 : unfounded.length > 0 ? 3 : 0,
    unfounded,
    trust: trustStatements({ setupClass: setup.class, contributorCount: setup.contributorCount }),
    sources: subject.sources,
    wallMs: performance.now() - start,
  };
}

/**
 * What every proof of the model rests on: that its key is for the circuit of this model, and that nobody kept the secrets
 * of the setup. Of a development setup there is nothing to check: the first trust sentence says who can forge.
 */
const foundationsOf = (setupClass: Receipt['model']['setup']['class']): readonly string[] =>
  setupClass === 'ceremony' ? ['circuit', 'transcript'] : ['circuit'];

async function checkReceiptItself(
  ledger: Ledger,
  subject: AuditSubject,
  options: AuditOptions,
): Promise<Receipt | undefined> {
  if (subject.receiptText === undefined) return undefined;
  const { provider, deployment } = options.chain ?? {};
  const chain: ChainReader | undefined = provider && {
    request: ({ method, params }) => provider.send(method, [...params]),
  };
  const verdict = await verifyReceipt(subject.receiptText, options.expectations ?? {}, {
    ...(chain && { chain }),
    ...(deployment && { registry: deployment.registry }),
  });
  ledger.checks.push(...verdict.checks);
  if (verdict.receipt?.opening === null && options.expectations?.input === undefined) {
    ledger.unknown('opening', 'the opening is of the proven input', "the receipt is not the client's copy");
  }
  return verdict.receipt;
}

function checkModelItself(
  ledger: Ledger,
  { verifyingKey }: AuditSubject,
  { model, manifest, modelId }: NamedModel,
  minimumSetupClass: Expectations['minimumSetupClass'],
): void {
  ledger.equal('model-id', 'the model id follows from its parts', 'recomputed', () => [
    hashIdentity({ ...model, ...model.setup, setupClass: SETUP_CLASS[model.setup.class] }),
    modelId,
  ]);
  ledger.equal(
    'manifest',
    'the manifest is the one in the model id',
    'keccak256 of its canonical text',
    () => [manifestDigest(manifest), model.manifestDigest],
  );
  if (minimumSetupClass !== undefined) {
    ledger.ensure('setup', 'the setup was a ceremony', 'setup class in the model id', () =>
      model.setup.class === 'ceremony' ? undefined : model.setup.class,
    );
  }
  if (verifyingKey === undefined) {
    ledger.unknown('vk-hash', 'the key is the one it names', 'no key at hand');
    return;
  }
  ledger.equal('vk-hash', 'the key is the one it names', 'keccak256 of its bytes', () => [
    vkHash(verifyingKey),
    model.vkHash,
  ]);
  ledger.ensure('key-safe', 'the key cannot be forged against', 'points, γ ≠ δ, IC distinct', () => {
    checkVerifyingKey(verifyingKey, verifyingKey.ic.length - 1);
    return undefined;
  });
}

async function checkContracts(
  ledger: Ledger,
  { model, modelId }: NamedModel,
  chain: AuditOptions['chain'],
): Promise<void> {
  const [code, registered] = [
    'the contracts on chain are the published ones',
    'the registry holds this model with this key',
  ];
  if (chain === undefined) {
    ledger.unknown('contract-code', code, 'no chain was given');
    ledger.unknown('registry', registered, 'no chain was given');
    return;
  }
  const { provider, deployment } = chain;
  await ledger.attemptAsync('contract-code', code, 'runtime bytecode compared', async () => {
    await assertDeployed(provider, deployment);
    return true;
  });
  await ledger.attemptAsync('registry', registered, 'read from the registry', async () => {
    const found = await readModel(provider, deployment, modelId);
    if (found.status !== 'active') throw new Error(`its status is ${found.status}`);
    if (found.vkHash?.toLowerCase() !== model.vkHash) throw new Error(`it names the key ${found.vkHash}`);
    return found.setupClass === SETUP_CLASS[model.setup.class];
  });
}
