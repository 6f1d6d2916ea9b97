/** The claims of a receipt that need nothing but its bytes and the reader's expectations; each is one line of the verdict. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { modelId as hashIdentity, SETUP_CLASS } from '../../circuits/model-id.js';
import { contextSignal } from '../../circuits/public-signals.js';
import { decodeVerifyingKey, parseSignals } from '../../prover/codec.js';
import { checkVerifyingKey } from '../../prover/key-check.js';
import { verify } from '../../prover/verify.js';
import { type TrustStatement, trustStatements } from '../trust.js';
import type { Expectations } from './expectations.js';
import type { Ledger } from './ledger.js';
import { inputSignals, outputSignals, signalLayout } from './manifest.js';
import { keccakHex, manifestDigest } from './receipt.js';
import { requestIdOf } from './request-id.js';
import type { Receipt, Tensor } from './schema.js';
import { recoverSigner } from './signature.js';

export function checkIdentity(ledger: Ledger, receipt: Receipt, expectations: Expectations): void {
  const { model, statement, manifest, verifyingKey } = receipt;
  ledger.equal('vk-hash', 'the key is the one it names', 'keccak256 of its bytes', () => [
    keccakHex(hexToBytes(verifyingKey.slice(2))),
    model.vkHash,
    statement.vkHash,
  ]);
  ledger.equal(
    'manifest',
    'the manifest is the one in the model id',
    'keccak256 of its canonical text',
    () => [manifestDigest(manifest), model.manifestDigest],
  );
  ledger.equal('model-id', 'the model id follows from its parts', 'recomputed', () => [
    hashIdentity({
      ...model,
      setupClass: SETUP_CLASS[model.setup.class],
      contributorCount: model.setup.contributorCount,
      transcriptDigest: model.setup.transcriptDigest,
    }),
    statement.modelId,
  ]);
  if (expectations.modelId !== undefined) {
    ledger.equal('model', 'answers for the expected model', 'pinned modelId', () => [
      lower(expectations.modelId),
      statement.modelId,
    ]);
  } else {
    ledger.unknown('model', 'answers for the expected model', 'only vkHash was pinned');
  }
  if (expectations.vkHash !== undefined) {
    ledger.equal('key', 'uses the expected key', 'pinned vkHash', () => [
      lower(expectations.vkHash),
      statement.vkHash,
    ]);
  }
  if (expectations.minimumSetupClass !== undefined) {
    ledger.ensure('setup', 'the setup was a ceremony', 'setup class in the pinned model id', () =>
      expectations.modelId !== undefined && model.setup.class === 'ceremony' ? undefined : model.setup.class,
    );
  }
}

export function checkStatement(
  ledger: Ledger,
  receipt: Receipt,
  expectations: Expectations,
): bigint[] | undefined {
  const { statement, request } = receipt;
  const signals = ledger.value('signals', 'the public signals are canonical', 'strict decimals below r', () =>
    parseSignals(receipt.publicSignals),
  );
  ledger.equal('ctx', 'the proof is bound to this statement', 'context recomputed, signal 0', () => [
    contextSignal({
      ...statement,
      domain: statement.domainTag,
      chainId: BigInt(statement.chainId),
      deadline: BigInt(statement.deadline),
    }),
    signals?.[0],
  ]);
  if (expectations.requestId !== undefined) {
    ledger.equal('request', 'answers the expected request', 'pinned requestId', () => [
      lower(expectations.requestId),
      statement.requestId,
    ]);
  }
  if (request !== null) {
    ledger.equal('request-id', 'the request id follows from its terms', 'recomputed', () => [
      requestIdOf({ ...request, modelId: statement.modelId, deadline: statement.deadline }),
      statement.requestId,
    ]);
  }
  if (statement.domainTag === 'verinfer/settlement/v1') {
    ledger.equal('chain', 'is for the expected chain', 'pinned chainId', () => [
      expectations.chainId === undefined ? 'one named by the reader' : `${BigInt(expectations.chainId)}`,
      statement.chainId,
    ]);
    ledger.equal('contract', 'is for the expected contract', 'pinned address', () => [
      lower(expectations.contract) ?? 'one named by the reader',
      statement.contract,
    ]);
  } else {
    ledger.ensure('chain', 'is for no chain', 'offline domain', () => {
      const isBlank =
        statement.chainId === '0' && statement.deadline === '0' && BigInt(statement.contract) === 0n;
      if (!isBlank) return 'an offline statement with chain, contract or deadline';
      return expectations.chainId === undefined && expectations.contract === undefined
        ? undefined
        : 'an offline statement where a chain was expected';
    });
  }
  if (expectations.operator !== undefined) {
    ledger.equal('operator', 'was made by the expected operator', 'pinned address', () => [
      lower(expectations.operator),
      statement.operator,
    ]);
  }
  return signals;
}

export function checkPayload(ledger: Ledger, receipt: Receipt, expectations: Expectations): void {
  const { publicSignals, opening, outputs, signature, statement } = receipt;
  const layout = ledger.value('layout', 'the signals are laid out as the manifest says', 'count', () => {
    const known = signalLayout(receipt.manifest);
    if (known.signalCount !== publicSignals.length) throw new Error(`${known.signalCount} signals expected`);
    return known;
  });
  if (layout) {
    const inputSlots = publicSignals.slice(1, layout.outputStart).join();
    const salt = (opening ?? expectations.input)?.salt ?? null;
    ledger.attempt('outputs', 'the outputs are the proven ones', 'packed again', () => {
      const expected = outputSignals(layout, outputs, salt);
      if (expected === undefined) return 'unknown';
      return expected.join() === publicSignals.slice(layout.outputStart).join();
    });
    if (opening !== null) {
      ledger.attempt(
        'opening',
        'the opening is of the proven input',
        'committed again',
        () => inputSignals(layout, opening).join() === inputSlots,
      );
    }
    const { input } = expectations;
    if (input !== undefined) {
      ledger.attempt(
        'input',
        'answers the expected input',
        'committed again',
        () => inputSignals(layout, input).join() === inputSlots,
      );
    }
  }
  if (expectations.outputs !== undefined) {
    ledger.equal('expected-outputs', 'gives the expected outputs', 'compared', () => [
      JSON.stringify(expectations.outputs?.map(tensorFields)),
      JSON.stringify(outputs.map(tensorFields)),
    ]);
  }
  if (signature === null && expectations.allowUnsigned) {
    ledger.unknown('signature', 'the operator signed all of it', 'unsigned, allowed by the reader');
  } else {
    ledger.equal('signature', 'the operator signed all of it', 'EIP-712, signer recovered', () => [
      recoverSigner(receipt) ?? 'no valid signature',
      statement.operator,
    ]);
  }
  ledger.equal('trust', 'carries the ten trust sentences', 'compared with our own', () => [
    JSON.stringify(ownTrust(receipt).map(trustFields)),
    JSON.stringify(receipt.trust.map(trustFields)),
  ]);
}

export async function checkProof(
  ledger: Ledger,
  receipt: Receipt,
  signals: bigint[] | undefined,
): Promise<boolean> {
  const key = ledger.value(
    'key-safe',
    'the key cannot be forged against',
    'points, γ ≠ δ, IC distinct',
    () => {
      const decoded = cachedKey(receipt.verifyingKey);
      checkVerifyingKey(decoded, receipt.publicSignals.length);
      return decoded;
    },
  );
  if (key === undefined || signals === undefined) return false;
  return ledger.attemptAsync('proof', 'the proof holds', 'strict gate, pairing equation', async () =>
    verify(key, signals, hexToBytes(receipt.proof.slice(2))),
  );
}

/** The last few keys decoded, by their text: a reader checks many receipts of few models, and a key takes 10 ms. */
const keys = new Map<string, ReturnType<typeof decodeVerifyingKey>>();
function cachedKey(text: string): ReturnType<typeof decodeVerifyingKey> {
  const known = keys.get(text);
  if (known) return known;
  const key = decodeVerifyingKey(hexToBytes(text.slice(2)));
  if (keys.size >= 16) keys.delete(keys.keys().next().value as string);
  keys.set(text, key);
  return key;
}

/** Our own copy of the ten sentences for the receipt's setup. */
export function ownTrust({ model }: Receipt): TrustStatement[] {
  const { class: setupClass, contributorCount } = model.setup;
  return trustStatements({ setupClass, contributorCount });
}

const trustFields = ({ id, field, value, applies, sentence }: TrustStatement) => [
  id,
  field,
  value,
  applies,
  sentence,
];
const tensorFields = ({ name, dtype, shape, values }: Tensor) => [name, dtype, shape, values];
const lower = (text: string | undefined): string | undefined => text?.toLowerCase();
