import test from 'ava';
import { buildPoseidonReference } from 'circomlibjs';
import { combinationOf, constrain, evaluateTerms, termsOf } from '../../circuits/gadgets/poseidon.js';
import { FIELD_MODULUS } from '../../circuits/field.js';
import { deriveParameters, permute, RATE, spongeDigest, WIDTH } from '../../circuits/poseidon.js';
import {
  DOMAIN_TAGS,
  domainTagField,
  inputCommitment,
  outputCommitment,
} from '../../circuits/public-signals.js';
import { Builder } from '../../circuits/r1cs/builder.js';
import { check } from '../../circuits/r1cs/check.js';
import { mutateWires } from '../support/lie.js';
import { random, seedFrom } from '../support/random.js';

test("the derived permutation is circomlib's for 16 inputs", async (t) => {
  const r = random(seedFrom(t.log));
  const poseidon = await buildPoseidonReference();
  for (let round = 0; round < 5; round++) {
    const inputs = Array.from({ length: RATE }, () => r.scalar(FIELD_MODULUS));
    const theirs = poseidon(inputs, 0, WIDTH).map((element) => poseidon.F.toObject(element));
    t.deepEqual(permute([0n, ...inputs]), theirs);
    t.is(spongeDigest(inputs), theirs[0]);
  }
});

test("the derivation is circomlib's for other widths too", async (t) => {
  const poseidon = await buildPoseidonReference();
  for (const [width, partialRounds] of [
    [3, 57],
    [5, 60],
    [9, 63],
  ]) {
    const inputs = Array.from({ length: width - 1 }, (_, i) => BigInt(i + 1));
    const [digest] = permute([0n, ...inputs], deriveParameters(width, 8, partialRounds));
    t.is(digest, poseidon.F.toObject(poseidon(inputs)));
  }
});

function sponge(length: number) {
  const circuit = new Builder();
  const message = Array.from({ length }, (_, i) =>
    circuit.public('message', 1, ({ inputs }) => [BigInt(inputs.tensors.get('in')![i])]),
  );
  const digest = combinationOf(
    constrain(
      circuit,
      'sponge',
      message.map((wire) => termsOf(wire)),
    ),
  );
  const wire = circuit.public('digest', 1, (assignment) => [evaluateTerms(digest, assignment)]);
  circuit.enforceField('digest', digest, combinationOf(termsOf(0)), combinationOf(termsOf(wire)));
  return circuit.finish();
}

test('sponge: reference ≡ constrain, C01 every wire changed alone is rejected', (t) => {
  const r = random(seedFrom(t.log));
  for (const length of [1, 16, 17, 33]) {
    const { r1cs, program, labels } = sponge(length);
    const values = Array.from({ length }, () => r.below(2 ** 31));
    const tensors = new Map([['in', values]]);
    const assignment = program.assign({ tensors, ctx: 0n, salt: 0n });
    const [digest] = program.provisionalWires([length + 1]);
    t.is(assignment.get(digest), spongeDigest(values.map(BigInt)));
    const witness = program.compact(assignment);
    t.deepEqual(check(r1cs, witness, { labels }), { ok: true });
    t.is(r1cs.constraintCount, 612 * Math.ceil(length / 16) + 1);
    if (length <= 16) t.deepEqual(mutateWires(r1cs, program, witness, r).accepted, []);
  }
});

test('C20 messages that differ in padding, length, order or domain have different digests', (t) => {
  const r = random(seedFrom(t.log));
  const salt = r.scalar(1n << 248n);
  const base = Array.from({ length: 3 }, () => r.scalar(1n << 248n));
  const seen = new Map<bigint, string>();
  const add = (name: string, digest: bigint) => {
    t.false(seen.has(digest), `${name} collides with ${seen.get(digest)}`);
    seen.set(digest, name);
  };
  add('[a,b]', inputCommitment(base.slice(0, 2), 62, salt));
  add('[a,b,0]', inputCommitment([...base.slice(0, 2), 0n], 93, salt));
  add('[a,b] with a longer length', inputCommitment(base.slice(0, 2), 61, salt));
  add('[b,a]', inputCommitment([base[1], base[0]], 62, salt));
  add('[a,b,c]', inputCommitment(base, 93, salt));
  add('output domain', outputCommitment(base.slice(0, 2), 62, salt));
  add('other salt', inputCommitment(base.slice(0, 2), 62, salt ^ 1n));
  add('empty', inputCommitment([], 0, salt));
  for (let zeros = 1; zeros <= 40; zeros++)
    add(`${zeros} zeros`, inputCommitment(new Array(zeros).fill(0n), 31 * zeros, salt));
  t.not(domainTagField(DOMAIN_TAGS.input), domainTagField(DOMAIN_TAGS.output));
});
