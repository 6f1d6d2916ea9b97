import test from 'ava';
import {
  decodeProof,
  decodeVerifyingKey,
  encodeProof,
  parseSignals,
  proofFromJson,
  proofToJson,
  verifyingKeyBytes,
  verifyingKeyFromJson,
  verifyingKeyToJson,
  vkHash,
} from '../../prover/codec.js';
import { g1Generator, g2Generator, isInSubgroup, isOnG1, isOnTwist, r } from '../../prover/curve.js';
import { bn254 } from '@noble/curves/bn254.js';
import { random, seedFrom } from '../support/random.js';
import { g1, g2, simulator } from '../support/simulate.js';

test('generators are those of EIP-196/197', (t) => {
  t.deepEqual(g1(1n), g1Generator);
  t.deepEqual(g2(1n), g2Generator);
  t.true(isOnG1(g1Generator) && isOnTwist(g2Generator) && isInSubgroup(g2Generator));
});

test('decode ∘ encode is the identity for proofs, keys and snarkjs JSON', (t) => {
  const draw = random(seedFrom(t.log));
  for (const count of [0, 1, 5]) {
    const { key, prove } = simulator(count, () => draw.scalar(r));
    const proof = prove(Array.from({ length: count }, () => draw.scalar(r)));
    t.deepEqual(decodeProof(encodeProof(proof)), proof);
    t.deepEqual(decodeVerifyingKey(verifyingKeyBytes(key)), key);
    t.deepEqual(proofFromJson(JSON.parse(JSON.stringify(proofToJson(proof)))), proof);
    t.deepEqual(verifyingKeyFromJson(JSON.parse(JSON.stringify(verifyingKeyToJson(key)))), key);
    t.regex(vkHash(key), /^0x[0-9a-f]{64}$/);
  }
  t.deepEqual(parseSignals(['0', `${r - 1n}`]), [0n, r - 1n]);
});

test('the EVM layout: G2 coordinates carry c1 before c0', (t) => {
  const key = { alpha: g1(1n), beta: g2(1n), gamma: g2(2n), delta: g2(3n), ic: [g1(1n)] };
  const words = Buffer.from(verifyingKeyBytes(key)).toString('hex').match(/.{64}/g) ?? [];
  t.is(BigInt(`0x${words[2]}`), key.beta[0][1]);
  t.is(BigInt(`0x${words[3]}`), key.beta[0][0]);
  t.is(words.length, 14 + 2);
});

test('subgroup check agrees with multiplication by r, on and off the subgroup', (t) => {
  const draw = random(seedFrom(t.log));
  const { Fp2, Fp } = bn254.fields;
  const { Point } = bn254.G2;
  let outside = 0;
  while (outside < 20) {
    const x = Fp2.fromBigTuple([draw.scalar(Fp.ORDER), draw.scalar(Fp.ORDER)]);
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), Point.CURVE().b);
    let y;
    try {
      y = Fp2.sqrt(square);
    } catch {
      continue;
    }
    const point = Point.fromAffine({ x, y });
    const inside = point
      .multiplyUnsafe(r - 1n)
      .add(point)
      .is0();
    t.true(
      isOnTwist([
        [x.c0, x.c1],
        [y.c0, y.c1],
      ]),
    );
    t.is(
      isInSubgroup([
        [x.c0, x.c1],
        [y.c0, y.c1],
      ]),
      inside,
    );
    outside += inside ? 0 : 1;
  }
  for (let i = 0; i < 20; i++) t.true(isInSubgroup(g2(draw.scalar(r))));
});
