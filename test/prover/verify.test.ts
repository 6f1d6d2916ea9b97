import test from 'ava';
import { encodeProof } from '../../prover/codec.js';
import { r } from '../../prover/curve.js';
import { MalformedProof } from '../../prover/gate.js';
import { verify } from '../../prover/verify.js';
import { loadPairing as loadMcl } from '../../prover/pairing-mcl.js';
import { loadPairing as loadNoble } from '../../prover/pairing-noble.js';
import { random, seedFrom } from '../support/random.js';
import { simulator } from '../support/simulate.js';

test('a proof verifies; another statement, another key and another proof do not', async (t) => {
  const draw = random(seedFrom(t.log));
  const { key, prove } = simulator(3, () => draw.scalar(r));
  const signals = [draw.scalar(r), 0n, r - 1n];
  const proof = prove(signals);
  t.true(await verify(key, signals, proof));
  t.true(await verify(key, signals, encodeProof(proof)));
  t.false(await verify(key, [signals[0], 1n, r - 1n], proof));
  t.false(await verify(key, signals, { ...proof, c: proof.a }));
  t.false(await verify(simulator(3, () => draw.scalar(r)).key, signals, proof));
  await t.throwsAsync(verify(key, signals.slice(0, 2), proof), { instanceOf: MalformedProof });
});

test('both pairings give the same verdicts, with and without public signals', async (t) => {
  const draw = random(seedFrom(t.log));
  const [mcl, noble] = [await loadMcl(), await loadNoble()];
  for (const count of [0, 1, 4]) {
    const { key, prove } = simulator(count, () => draw.scalar(r));
    const signals = Array.from({ length: count }, () => draw.scalar(r));
    const proof = prove(signals);
    const checks = [mcl, noble].map((pairing) => pairing.prepare(key));
    for (const check of checks) {
      t.true(check(signals, proof));
      t.false(check(signals, { ...proof, a: proof.c }));
    }
  }
});
