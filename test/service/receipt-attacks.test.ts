import test from 'ava';
import { encodeReceipt, signReceipt, withOpening } from '../../service/receipt.js';
import {
  parseReceipt,
  verifyReceipt,
  type ChainReader,
  MalformedReceipt,
} from '../../service/verifier/index.js';
import type { Receipt } from '../../service/verifier/index.js';
import { domainTag } from '../../circuits/public-signals.js';
import { campaign } from '../support/campaign.js';
import { random, seedFrom } from '../support/random.js';
import { type StagedReceipt, stageModel, stageReceipt } from '../support/receipt.js';
import { structure } from '../support/structure.js';

const settledTopic = domainTag('InferenceSettled(bytes32,bytes32,address,address,uint256[])');
const model = stageModel(11);
const ceremony = stageModel(12, { setupClass: 'ceremony' });
const staged: Promise<StagedReceipt> = stageReceipt(model);
const own = staged.then(({ receipt, opening }) => withOpening(receipt, opening));

const statusOf = async (source: string | Uint8Array | Receipt, expectations: object, id: string) =>
  (await verifyReceipt(source, expectations)).checks.find((check) => check.id === id)?.status;

test('V01 every single field changed, dropped or doubled is refused', async (t) => {
  const { expectations } = await staged;
  const receipt = await own;
  t.true((await verifyReceipt(receipt, expectations)).valid);
  let edits = 0;
  for (const edited of fieldEdits(receipt)) {
    edits++;
    const verdict = await verifyReceipt(edited as unknown as Receipt, expectations);
    if (verdict.valid) t.fail(`accepted ${JSON.stringify(edited).slice(0, 300)}`);
  }
  t.true(edits > 300, `${edits} edits`);
});

test('V01 another order, spacing, escape, number form, doubled key or Unicode form is refused', async (t) => {
  const { expectations } = await staged;
  const receipt = await own;
  const text = encodeReceipt(receipt);
  t.true((await verifyReceipt(text, expectations)).valid);
  const others = [
    JSON.stringify(receipt, null, 1),
    JSON.stringify(Object.fromEntries(Object.entries(receipt).reverse())),
    ` ${text}`,
    `${text}\n`,
    `\ufeff${text}`,
    text.replace('"agreement"', '"\\u0061greement"'),
    text.replace('"samples":100', '"samples":1e2'),
    text.replace('"samples":100', '"samples":100.0'),
    text.replace('"maxDifference":0', '"maxDifference":-0'),
    text.replace('{"agreement"', '{"agreement":null,"agreement"'),
    text.replace('"cpu":"x86-64 avx2"', '"cpu":"x86-64 avx2","cpu":"x86-64 avx2"'),
    text.replace('"0x', '"0X'),
    text.replace(/0x([0-9a-f]{64})/, (_, digits) => `0x${digits.toUpperCase()}`),
    text.replace('BN254 gives', '\u0042N254 gi\u0076es\u0301'),
    text.normalize('NFD').replace('–', '\u2013\ufe0e'),
    text.replace('{"agreement"', '{"__proto__":{},"agreement"'),
    `[${text}]`,
    `${text}${text}`,
  ];
  for (const other of others) {
    t.not(other, text);
    t.false((await verifyReceipt(other, expectations)).valid, other.slice(0, 80));
    t.false((await verifyReceipt(new TextEncoder().encode(other), expectations)).valid);
  }
});

test('V01 changed bytes are refused', async (t) => {
  const draw = random(seedFrom(t.log));
  const { expectations } = await staged;
  const bytes = new TextEncoder().encode(encodeReceipt(await own));
  for (let i = 0; i < campaign(300, 100_000); i++) {
    const copy = bytes.slice();
    const at = draw.below(copy.length);
    copy[at] ^= 1 + draw.below(255);
    if ((await verifyReceipt(copy, expectations)).valid) t.fail(`byte ${at} as ${copy[at]}`);
  }
  t.pass();
});

test('V02 a receipt of another request, model, chain, contract, operator, input or client is refused', async (t) => {
  const a = await stageReceipt(model, { chain: true });
  const b = await stageReceipt(model, { chain: true });
  const c = await stageReceipt(stageModel(13), { chain: true });
  t.true((await verifyReceipt(a.receipt, { ...a.expectations, input: a.opening })).valid);
  const wrong = {
    requestId: b.expectations.requestId,
    modelId: c.expectations.modelId,
    vkHash: c.receipt.statement.vkHash,
    chainId: 1,
    contract: b.expectations.contract,
    operator: c.receipt.statement.operator,
    input: b.opening,
    outputs: b.receipt.outputs,
  };
  for (const [name, value] of Object.entries(wrong)) {
    t.false((await verifyReceipt(a.receipt, { ...a.expectations, [name]: value })).valid, name);
  }
  const offline = { modelId: a.expectations.modelId, requestId: a.expectations.requestId };
  t.false((await verifyReceipt(a.receipt, offline)).valid, 'a chain receipt needs a chain expectation');
  const { receipt, expectations } = await staged;
  const onChain = { ...expectations, chainId: 31337, contract: a.receipt.statement.contract };
  t.false((await verifyReceipt(receipt, onChain)).valid, 'an offline receipt is not for a chain');
});

test("V03 a receipt that brings its own key, model, contract and trust text is judged by the reader's pins", async (t) => {
  const { expectations } = await staged;
  const attacker = await stageReceipt(stageModel(66));
  t.true((await verifyReceipt(attacker.receipt, attacker.expectations)).valid, 'consistent in itself');
  t.false(
    (await verifyReceipt(attacker.receipt, { ...attacker.expectations, modelId: expectations.modelId }))
      .valid,
  );
  t.false(
    (
      await verifyReceipt(attacker.receipt, {
        vkHash: model.identity.vkHash,
        requestId: attacker.expectations.requestId,
      })
    ).valid,
  );
  // The attacker's key under the honest model's names, signed by the attacker as operator.
  const { receipt } = await staged;
  const dressed = await signReceipt({ ...attacker.receipt, signature: null }, stageModel(66).operator);
  const mixed = { ...dressed, model: receipt.model, manifest: receipt.manifest };
  t.is(await statusOf(mixed, { ...attacker.expectations, modelId: expectations.modelId }, 'vk-hash'), 'fail');
  const soothing = receipt.trust.map((line) => ({
    ...line,
    applies: line.id !== 'setup-dev' && line.applies,
  }));
  const resigned = await signReceipt({ ...receipt, trust: soothing, signature: null }, model.operator);
  t.is(await statusOf(resigned, expectations, 'trust'), 'fail');
  const verdict = await verifyReceipt(resigned, expectations);
  t.true(
    verdict.trust.find(({ id }) => id === 'setup-dev')?.applies,
    'the verdict carries our own sentences',
  );
});

test("V04 settled is the chain's word: unknown offline, no after a reorg, pending until final", async (t) => {
  const claim = {
    state: 'settled' as const,
    transactionHash: `0x${'aa'.repeat(32)}`,
    blockNumber: 10,
    blockHash: `0x${'bb'.repeat(32)}`,
    final: true,
  };
  const { receipt, expectations } = await stageReceipt(model, { chain: true, settlement: claim });
  const judge = async (chain?: ChainReader) => verifyReceipt(receipt, expectations, chain ? { chain } : {});
  t.like(await judge(), { valid: true, verifiedOffline: true, settled: 'unknown' });
  const honest = stagedChain(receipt);
  t.like(await judge(honest()), { valid: true, settled: 'final' });
  t.like(await judge(honest({ finalized: 9 })), { valid: true, settled: 'pending' });
  const lies = [
    { blockHash: `0x${'cc'.repeat(32)}` },
    { canonicalHash: `0x${'cc'.repeat(32)}` },
    { status: '0x0' },
    { chainId: '0x1' },
    { address: `0x${'11'.repeat(20)}` },
    { requestId: `0x${'22'.repeat(32)}` },
    { payee: `0x${'33'.repeat(20)}` },
    { missing: true },
  ];
  for (const lie of lies)
    t.like(await judge(honest(lie)), { valid: false, settled: 'no' }, JSON.stringify(lie));
  t.like(await judge({ request: () => Promise.reject(new Error('down')) }), {
    valid: true,
    settled: 'unknown',
  });
  const pending = await stageReceipt(model, {
    chain: true,
    settlement: { state: 'pending', transactionHash: null },
  });
  t.like(await verifyReceipt(pending.receipt, pending.expectations, { chain: honest() }), {
    settled: 'unknown',
  });
});

test('V05 a frozen model is shown, and offline its state is unknown', async (t) => {
  const { receipt, expectations } = await stageReceipt(model, { chain: true });
  const registry = `0x${'77'.repeat(20)}`;
  const judge = async (status?: string) =>
    verifyReceipt(
      receipt,
      expectations,
      status ? { registry, chain: stagedChain(receipt)({ registryStatus: status }) } : {},
    );
  t.like(await judge(), { valid: true, revocation: 'unknown' });
  t.like(await judge(`0x${'1'.padStart(64, '0')}`), { valid: true, revocation: 'active' });
  t.like(await judge(`0x${'2'.padStart(64, '0')}`), { valid: false, revocation: 'frozen' });
  t.like(await judge(`0x${'0'.padStart(64, '0')}`), { valid: false, revocation: 'unknown' });
});

test('V06 another version, proof system or a lower setup class is refused', async (t) => {
  const { receipt, expectations } = await stageReceipt(ceremony);
  t.true((await verifyReceipt(receipt, { ...expectations, minimumSetupClass: 'ceremony' })).valid);
  const dev = await staged;
  const wanted = { ...dev.expectations, minimumSetupClass: 'ceremony' as const };
  t.is(await statusOf(dev.receipt, wanted, 'setup'), 'fail');
  const { requestId } = dev.expectations;
  const keyOnly = { requestId, vkHash: dev.receipt.statement.vkHash, minimumSetupClass: 'ceremony' as const };
  t.is(await statusOf(dev.receipt, keyOnly, 'setup'), 'fail', 'a key alone says nothing of the setup');
  for (const version of ['verinfer-receipt/0', 'verinfer-receipt/2', 'verinfer-receipt/1 ', '', null, 1]) {
    t.is(await statusOf({ ...receipt, version } as unknown as Receipt, expectations, 'form'), 'fail');
  }
  const { model: identity } = receipt;
  const changes = [
    { ...identity, proofSystem: 'groth16-bls12381-v1' },
    { ...identity, setup: { ...identity.setup, class: 'dev-single-party' } },
    { ...identity, setup: { ...identity.setup, class: 'none' } },
    { ...identity, setup: { ...identity.setup, contributorCount: 500 } },
  ];
  for (const change of changes) {
    const edited = { ...receipt, model: change } as unknown as Receipt;
    t.false((await verifyReceipt(edited, expectations)).valid);
  }
  t.false(
    (
      await verifyReceipt(
        { ...receipt, statement: { ...receipt.statement, version: 0 } } as never,
        expectations,
      )
    ).valid,
  );
});

test('V07 hostile text is refused within bounds, and nothing of it reaches a terminal raw', async (t) => {
  const { expectations } = await staged;
  const text = encodeReceipt(await own);
  const hostile = [
    '',
    'null',
    '"'.repeat(100_000),
    '['.repeat(500_000),
    '{"a":'.repeat(100_000),
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    'x'.repeat(5_000_000),
    text.replace('"cpu":"x86-64 avx2"', '"cpu":"\u001b[2J\u001b]0;owned\u0007"'),
    text.replace('"cpu":"x86-64 avx2"', '"\u001b[31m":1,"cpu":"x86-64 avx2"'),
    text.replace('"name":"logits"', '"name":"../../etc/passwd\u202e"'),
    text.replace('"manifest":{', `"manifest":{"x":${'['.repeat(31)}${']'.repeat(31)},`),
  ];
  for (const bytes of [
    ...hostile,
    ...hostile.map((line) => new TextEncoder().encode(line)),
    new Uint8Array(9),
    Uint8Array.of(0xc3, 0x28),
  ]) {
    const start = performance.now();
    t.true(parses(bytes) !== undefined && performance.now() - start < 500);
    const verdict = await verifyReceipt(bytes, expectations);
    t.false(verdict.valid);
    for (const { detail } of verdict.checks) t.notRegex(detail, /\p{C}/u);
  }
});

test('V07 structure fuzz ends in a verdict, never in an exception', async (t) => {
  const draw = random(seedFrom(t.log));
  const { expectations, receipt: withoutOpening } = await staged;
  const receipt = await own;
  const honest = [receipt, withoutOpening].map((copy) => JSON.stringify(copy));
  for (let i = 0; i < campaign(1000, 100_000); i++) {
    const value = structure(draw, receipt);
    if (honest.includes(JSON.stringify(value))) continue;
    if (i % 20 === 0) {
      const verdict = await verifyReceipt(value as Receipt, expectations);
      if (verdict.valid) t.fail(JSON.stringify(value).slice(0, 500));
    }
    try {
      parseReceipt(JSON.stringify(value) ?? '');
    } catch (error) {
      if (!(error instanceof MalformedReceipt)) throw error;
    }
  }
  t.pass();
});

/** Whether it is a receipt at all; anything else than a receipt or MalformedReceipt is thrown on. */
function parses(bytes: string | Uint8Array): boolean {
  try {
    parseReceipt(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof MalformedReceipt)) throw error;
    return false;
  }
}

function* fieldEdits(value: Receipt): Generator<unknown> {
  const paths: (string | number)[][] = [];
  const walk = (node: unknown, path: (string | number)[]) => {
    if (path.length > 0) paths.push(path);
    if (Array.isArray(node)) node.slice(0, 12).forEach((child, i) => walk(child, [...path, i]));
    else if (typeof node === 'object' && node !== null)
      for (const [key, child] of Object.entries(node)) walk(child, [...path, key]);
  };
  walk(value, []);
  for (const path of paths) {
    const last = path[path.length - 1];
    const at = (copy: unknown) =>
      path
        .slice(0, -1)
        .reduce((node, key) => (node as Record<string | number, unknown>)[key], copy) as Record<
        string | number,
        unknown
      >;
    const changed = structuredClone(value);
    at(changed)[last] = change(at(changed)[last]);
    // Without its opening it is the public copy of the same receipt.
    if (last !== 'opening') yield changed;
    const dropped = structuredClone(value);
    const parent = at(dropped);
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
    yield dropped;
    const doubled = structuredClone(value);
    const owner = at(doubled);
    if (Array.isArray(owner)) owner.push(owner[Number(last)]);
    else owner[`${last}2`] = owner[last];
    yield doubled;
  }
}

function change(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (value === null) return {};
  if (typeof value !== 'string') return null;
  const at = value.length - 1;
  const flipped = /[0-9a-f]/.test(value[at]) ? ((parseInt(value[at], 16) + 1) % 16).toString(16) : 'z';
  return value.slice(0, at) + flipped;
}

/** A node that tells the truth about `receipt`, except for the lie asked for. */
function stagedChain(receipt: Receipt) {
  const { settlement: claim, statement, publicSignals } = receipt;
  const claimed = claim.state === 'settled' ? claim : { blockHash: null };
  const word = (value: bigint) => value.toString(16).padStart(64, '0');
  return (lie: Record<string, string | number | boolean> = {}): ChainReader => ({
    async request({ method, params }) {
      if (method === 'eth_chainId') return lie.chainId ?? '0x7a69';
      if (method === 'eth_call') return lie.registryStatus;
      if (method === 'eth_getBlockByNumber') {
        if (params[0] === 'finalized') return { number: `0x${(lie.finalized ?? 64).toString(16)}` };
        return { hash: lie.canonicalHash ?? claimed.blockHash };
      }
      if (lie.missing) return null;
      const signals = publicSignals.slice(1);
      const words = [
        BigInt((lie.payee as string) ?? statement.payee),
        64n,
        BigInt(signals.length),
        ...signals.map(BigInt),
      ];
      return {
        status: lie.status ?? '0x1',
        blockHash: lie.blockHash ?? claimed.blockHash,
        logs: [
          {
            address: lie.address ?? statement.contract,
            topics: [
              settledTopic,
              lie.requestId ?? statement.requestId,
              statement.modelId,
              `0x${word(BigInt(statement.operator))}`,
            ],
            data: `0x${words.map(word).join('')}`,
          },
        ],
      };
    },
  });
}
