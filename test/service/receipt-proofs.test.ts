import { bn254 } from '@noble/curves/bn254.js';
import test from 'ava';
import { encodeProof } from '../../prover/codec.js';
import { r } from '../../prover/curve.js';
import type { Proof, VerifyingKey } from '../../prover/keys.js';
import { buildReceipt, signReceipt } from '../../service/receipt.js';
import { verify, verifyingKeyBytes, verifyReceipt } from '../../service/verifier/index.js';
import { random, type Random, seedFrom } from '../support/random.js';
import { stageModel, stageReceipt } from '../support/receipt.js';

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
  for (let i = 0; i < 30; i++) {
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
  t.true(texts.size > 60);
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
      const swapped = { ...a.receipt, verifyingKey: hex(verifyingKeyBytes(b.model.simulator.key)) };
      t.false((await verifyReceipt(swapped, a.expectations)).valid);
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
