import { bn254 } from '@noble/curves/bn254.js';
import test from 'ava';
import { Wallet } from 'ethers';
import { modelId as hashIdentity } from '../../circuits/model-id.js';
import { contextSignal } from '../../circuits/public-signals.js';
import { encodeProof, vkHash } from '../../prover/codec.js';
import { r } from '../../prover/curve.js';
import type { Proof, VerifyingKey } from '../../prover/keys.js';
import { buildReceipt, InconsistentReceipt, signReceipt } from '../../service/receipt.js';
import { verify, verifyingKeyBytes, verifyReceipt } from '../../service/verifier/index.js';
import { campaign } from '../support/campaign.js';
import { random, type Random, seedFrom } from '../support/random.js';
import { stageModel, stageReceipt } from '../support/receipt.js';
import { simulator } from '../support/simulate.js';

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

test('P07 a re-randomised proof verifies and keeps the identity of its statement', async (t) => {
  const draw = random(seedFrom(t.log));
  const model = stageModel(21);
  const { receipt, content, expectations } = await stageReceipt(model);
  const proof = content.proof as Proof;
  const original = await verifyReceipt(receipt, expectations);
  t.true(original.valid && original.statementDigest !== undefined);
  const digests = new Set([original.statementDigest]);
  const texts = new Set([receipt.proof]);
  for (let i = 0; i < campaign(10, 334); i++) {
    for (const other of rerandomised(proof, model.simulator.key, draw)) {
      t.true(await verify(model.simulator.key, content.publicSignals, other));
      const resubmitted = await signReceipt(await buildReceipt({ ...content, proof: other }), model.operator);
      const verdict = await verifyReceipt(resubmitted, expectations);
      t.true(verdict.valid);
      digests.add(verdict.statementDigest);
      texts.add(resubmitted.proof);
    }
  }
  t.is(digests.size, 1);
  t.true(texts.size > 20);
});

test('P10 the key comes from the pin: every pair of models, the key of one in the receipt of the other', async (t) => {
  const models = await Promise.all(
    [31, 32, 33].map(async (seed) => {
      const model = stageModel(seed);
      return { model, ...(await stageReceipt(model)) };
    }),
  );
  for (const a of models) {
    for (const b of models) {
      const { modelId, identity } = b.model;
      const pinned = await verifyReceipt(a.receipt, { ...a.expectations, modelId });
      t.is(pinned.valid, a === b);
      const keyed = await verifyReceipt(a.receipt, {
        requestId: a.expectations.requestId,
        vkHash: identity.vkHash,
      });
      t.is(keyed.valid, a === b);
      if (a === b) continue;
      const theirKey = hex(verifyingKeyBytes(b.model.simulator.key));
      const swapped = { ...a.receipt, verifyingKey: theirKey };
      t.false((await verifyReceipt(swapped, a.expectations)).valid);
      // Whoever knows b's trapdoor proves a's statement under b's key: only the pinned hash of a's key is against it.
      const proof = hex(encodeProof(b.model.simulator.prove(a.content.publicSignals)));
      const forged = await signReceipt({ ...swapped, proof, signature: null }, a.model.operator);
      const verdict = await verifyReceipt(forged, a.expectations);
      t.deepEqual(
        verdict.checks.filter(({ status }) => status === 'fail').map(({ id }) => id),
        ['vk-hash'],
      );
      t.false(verdict.valid || verdict.verifiedOffline);
      // The attacker's whole story is consistent; only the reader's pin says no.
      t.true((await verifyReceipt(b.receipt, b.expectations)).valid);
      t.false((await verifyReceipt(b.receipt, { ...b.expectations, modelId: a.model.modelId })).valid);
    }
  }
});

/** Three ways anyone can change a proof's bytes: negate A and B, scale A and B, shift B by δ. */
function rerandomised(proof: Proof, key: VerifyingKey, draw: Random): Proof[] {
  const { Fp2, Fr } = bn254.fields;
  const g1 = ([x, y]: Proof['a']) => bn254.G1.Point.fromAffine({ x, y });
  const g2 = ([x, y]: Proof['b']) =>
    bn254.G2.Point.fromAffine({ x: Fp2.fromBigTuple([...x]), y: Fp2.fromBigTuple([...y]) });
  const plain1 = (p: ReturnType<typeof g1>): Proof['a'] => [p.toAffine().x, p.toAffine().y];
  const plain2 = (p: ReturnType<typeof g2>): Proof['b'] => {
    const { x, y } = p.toAffine();
    return [
      [x.c0, x.c1],
      [y.c0, y.c1],
    ];
  };
  const [a, b, c] = [g1(proof.a), g2(proof.b), g1(proof.c)];
  const [k, s] = [draw.scalar(r), draw.scalar(r)];
  const scaled = { a: plain1(a.multiply(k)), b: plain2(b.multiply(Fr.inv(k))), c: proof.c };
  const shifted = {
    a: proof.a,
    b: plain2(b.add(g2(key.delta).multiply(s))),
    c: plain1(c.add(a.multiply(s))),
  };
  const forms = [{ a: plain1(a.negate()), b: plain2(b.negate()), c: proof.c }, scaled, shifted];
  forms.forEach((form) => encodeProof(form));
  return forms;
}

test('T01 a key without a contribution (γ = δ) forges for real, and builder and reader both refuse it', async (t) => {
  const draw = random(seedFrom(t.log));
  const { alpha, beta, gamma, ic } = simulator(3, () => draw.scalar(r)).key;
  const key: VerifyingKey = { alpha, beta, gamma, delta: gamma, ic };
  const { receipt, content, opening } = await stageReceipt(stageModel(61));
  const operator = new Wallet(hex(draw.bytes(32)));
  // Everything renamed for the unsafe key, as an attacker would.
  const model = { ...receipt.model, vkHash: vkHash(key) };
  const modelId = hashIdentity({ ...model, ...model.setup, setupClass: 1 });
  const statement = {
    ...receipt.statement,
    modelId,
    vkHash: vkHash(key),
    operator: operator.address.toLowerCase(),
  };
  const ctx = contextSignal({ ...statement, domain: statement.domainTag, chainId: 0n, deadline: 0n });
  const signals = content.publicSignals.with(0, ctx);
  // Anyone can do this, without a witness and without a secret.
  const sum = signals
    .reduce((acc, s, i) => acc.add(point(ic[i + 1]).multiply(s)), point(ic[0]))
    .negate()
    .toAffine();
  const forged: Proof = { a: alpha, b: beta, c: [sum.x, sum.y] };
  t.true(await verify(key, signals, forged), 'the equation holds');
  const dressed = {
    ...{ ...receipt, model, statement, opening, signature: null },
    verifyingKey: hex(verifyingKeyBytes(key)),
    proof: hex(encodeProof(forged)),
    publicSignals: signals.map(String),
  };
  const verdict = await verifyReceipt(await signReceipt(dressed, operator), {
    modelId,
    requestId: statement.requestId,
  });
  t.deepEqual(
    verdict.checks.filter(({ status }) => status === 'fail').map(({ id }) => id),
    ['key-safe'],
  );
  t.false(verdict.valid || verdict.verifiedOffline);
  const rebuilt = {
    ...content,
    ...{ verifyingKey: key, proof: forged, publicSignals: signals },
    model: { ...content.model, vkHash: vkHash(key) },
    statement: { ...content.statement, modelId, operator: operator.address },
  };
  await t.throwsAsync(buildReceipt(rebuilt), { instanceOf: InconsistentReceipt, message: /key-safe/ });
});

test('T02 whoever knows the trapdoor forges: accepted only as what it is, refused where a ceremony is demanded', async (t) => {
  // Every staged receipt is such a forgery: no network, no witness, only the trapdoor.
  const { receipt, expectations } = await stageReceipt(stageModel(62));
  const verdict = await verifyReceipt(receipt, expectations);
  t.true(verdict.valid);
  const banner = verdict.trust.find(({ applies }) => applies);
  t.is(banner?.sentence, 'Whoever ran this setup can forge proofs for this model. Do not use for value.');
  t.false((await verifyReceipt(receipt, { ...expectations, minimumSetupClass: 'ceremony' })).valid);
});

const point = ([x, y]: Proof['a']) => bn254.G1.Point.fromAffine({ x, y });
