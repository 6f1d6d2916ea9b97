import { bn254 } from '@noble/curves/bn254.js';
import test from 'ava';
import {
  decodeProof,
  decodeVerifyingKey,
  encodeProof,
  fieldBytes,
  parseSignals,
  proofFromJson,
  proofToJson,
  verifyingKeyBytes,
  verifyingKeyFromJson,
  verifyingKeyToJson,
} from '../../prover/codec.js';
import { isInSubgroup, isOnTwist, q, r } from '../../prover/curve.js';
import { MalformedProof, MalformedVerifyingKey } from '../../prover/gate.js';
import type { G1Point, G2Point, Proof } from '../../prover/keys.js';
import { verify } from '../../prover/verify.js';
import { campaign } from '../support/campaign.js';
import { counted } from '../support/counted.js';
import { random, seedFrom } from '../support/random.js';
import { simulator } from '../support/simulate.js';
import { structure } from '../support/structure.js';

const draw = random(0x5eed);
const { key, prove } = simulator(2, () => draw.scalar(r));
const signals = [draw.scalar(r), draw.scalar(r)];
const proof = prove(signals);
type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- mutated freely
const json = (value: unknown): Json => JSON.parse(JSON.stringify(value));

test('P01 every single-bit flip of the proof, the key and the signals is rejected', async (t) => {
  const { key, prove } = simulator(1, () => draw.scalar(r));
  const signals = [draw.scalar(r)];
  const proof = prove(signals);
  t.true(await verify(key, signals, proof));
  const bytes = encodeProof(proof);
  for (const flipped of flips(bytes)) {
    const verdict = await verify(key, signals, flipped).catch((error) => error);
    t.true(verdict === false || verdict instanceof MalformedProof);
  }
  for (const flipped of flips(verifyingKeyBytes(key))) {
    const verdict = await accepts(() => verify(decodeVerifyingKey(flipped), signals, proof));
    t.true(verdict === false || verdict instanceof MalformedVerifyingKey);
  }
  for (let i = 0; i < signals.length; i++) {
    for (let bit = 0n; bit < 256n; bit++) {
      const changed = signals.with(i, signals[i] ^ (1n << bit));
      const verdict = await verify(key, changed, proof).catch((error) => error);
      t.true(verdict === false || verdict instanceof MalformedProof, `signal ${i} bit ${bit}`);
    }
  }
});

test('P02 a signal plus k·r, a negative one and −r are refused as value and as text', async (t) => {
  for (let i = 0; i < signals.length; i++) {
    for (const k of [1n, 2n, 3n, 4n, 5n, -1n, -2n]) {
      const alias = signals.with(i, signals[i] + k * r);
      await t.throwsAsync(verify(key, alias, proof), { instanceOf: MalformedProof });
      t.throws(() => parseSignals(alias.map(String)), { instanceOf: MalformedProof });
    }
    for (const value of [-1n, -r, r, q, q - 1n, 2n ** 256n - 1n]) {
      await t.throwsAsync(verify(key, signals.with(i, value), proof), { instanceOf: MalformedProof });
      t.throws(() => parseSignals([`${value}`]), { instanceOf: MalformedProof });
    }
  }
});

test('P03 a signal list that is shorter, longer, sparse or holds null is refused, also when the last is 0', async (t) => {
  const zeroLast = [signals[0], 0n];
  const forZero = prove(zeroLast);
  t.true(await verify(key, zeroLast, forZero));
  const sparse = [signals[0]] as bigint[];
  sparse.length = 2;
  const lists: unknown[] = [
    [signals[0]],
    [],
    [...zeroLast, 0n],
    sparse,
    [signals[0], null],
    [signals[0], undefined],
    { length: 2, 0: signals[0], 1: 0n },
    null,
  ];
  for (const list of lists) {
    await t.throwsAsync(verify(key, list as bigint[], forZero), { instanceOf: MalformedProof });
  }
});

test('P04 numbers have one text: strict decimals only', (t) => {
  const wrong = [
    ...['0x1', '00', '01', '+1', '-0', ' 1', '1 ', '1\n', '1e3', '1.0', '', '١', '１', '1_000', '1n'],
    ...['0b1', '0o7', 'Infinity', 'NaN', '\u00001', '１２', `${'9'.repeat(78)}`, `${'9'.repeat(100_000)}`],
  ];
  for (const text of wrong)
    t.throws(() => parseSignals([text]), { instanceOf: MalformedProof }, text.slice(0, 20));
  for (const value of [1, 1n, null, true, ['1'], { toString: () => '1' }, new String('1')]) {
    t.throws(() => parseSignals([value]), { instanceOf: MalformedProof });
  }
  const fuzz = random(seedFrom(t.log));
  const alphabet = [...'0123456789', '-', '+', 'x', 'e', '.', ' ', '\t', '_', '٣', 'n', 'a', 'F'];
  let accepted = 0;
  for (let i = 0; i < 100_000; i++) {
    const text = Array.from({ length: fuzz.below(6) }, () => fuzz.pick(alphabet)).join('');
    const isCanonical = /^[0-9]+$/.test(text) && BigInt(text).toString() === text;
    let isAccepted = true;
    try {
      parseSignals([text]);
    } catch (error) {
      if (!(error instanceof MalformedProof)) throw error;
      isAccepted = false;
    }
    accepted += isAccepted ? 1 : 0;
    if (isAccepted !== isCanonical) t.fail(`${JSON.stringify(text)}: accepted is ${isAccepted}`);
  }
  t.true(accepted > 1000);
});

test('P05 a coordinate plus q and a projective z other than 1 are refused', (t) => {
  const bytes = encodeProof(proof);
  for (let word = 0; word < 8; word++) {
    const value = BigInt(`0x${Buffer.from(bytes.subarray(32 * word, 32 * word + 32)).toString('hex')}`);
    for (let k = 1n; value + k * q < 1n << 256n; k++) {
      const alias = bytes.slice();
      alias.set(fieldBytes(value + k * q), 32 * word);
      t.throws(() => decodeProof(alias), { instanceOf: MalformedProof });
    }
  }
  const mutate = (change: (copy: Json) => void) => {
    const copy = json(proofToJson(proof));
    change(copy);
    t.throws(() => proofFromJson(copy), { instanceOf: MalformedProof });
  };
  // The same point with z = 7: Jacobian (49x, 343y, 7).
  mutate((copy) => {
    const [x, y] = proof.a;
    copy.pi_a = [`${(49n * x) % q}`, `${(343n * y) % q}`, '7'];
  });
  for (const z of ['0', '01', '2', 1, `${q + 1n}`, null]) mutate((copy) => (copy.pi_a[2] = z));
  for (const z of [['0', '0'], ['1', '1'], ['1'], '1', ['1', '0', '0']]) mutate((copy) => (copy.pi_b[2] = z));
  for (const field of ['pi_a', 'pi_c']) {
    mutate((copy) => (copy[field][1] = `${BigInt(copy[field][1]) + q}`));
    mutate((copy) => (copy[field] = copy[field].slice(0, 2)));
  }
});

test('P06 points off the curve, off the subgroup and infinity are refused in A, B and C', (t) => {
  const points = random(seedFrom(t.log));
  const refuse = (wrong: Partial<Proof>) =>
    t.throws(() => encodeProof({ ...proof, ...wrong }), { instanceOf: MalformedProof });
  const coordinate = () => points.scalar(q);
  for (let i = 0; i < campaign(300, 1000); i++) {
    refuse({ a: [coordinate(), coordinate()] });
    refuse({ c: [coordinate(), coordinate()] });
    refuse({
      b: [
        [coordinate(), coordinate()],
        [coordinate(), coordinate()],
      ],
    });
  }
  for (let i = 0; i < campaign(100, 1000); i++) {
    const b = offSubgroup(coordinate);
    t.true(isOnTwist(b) && !isInSubgroup(b));
    refuse({ b });
  }
  const [zero1, zero2]: [G1Point, G2Point] = [
    [0n, 0n],
    [
      [0n, 0n],
      [0n, 0n],
    ],
  ];
  for (const wrong of [{ a: zero1 }, { b: zero2 }, { c: zero1 }]) refuse(wrong);
  refuse({ a: zero1, b: zero2, c: zero1 });
  t.throws(() => decodeProof(new Uint8Array(256)), { instanceOf: MalformedProof });
});

test('P08 other labels, arities and extra fields are refused in proof and key', (t) => {
  const proofs = json(proofToJson(proof));
  const keys = json(verifyingKeyToJson(key));
  t.notThrows(() => [proofFromJson(proofs), verifyingKeyFromJson({ ...keys, vk_alphabeta_12: [] })]);
  for (const protocol of ['plonk', 'Groth16', 'groth16 ', '', null, 1]) {
    t.throws(() => proofFromJson({ ...proofs, protocol }), { instanceOf: MalformedProof });
    t.throws(() => verifyingKeyFromJson({ ...keys, protocol }), { instanceOf: MalformedVerifyingKey });
  }
  for (const curve of ['bn254', 'bls12381', 'BN128', '', null]) {
    t.throws(() => proofFromJson({ ...proofs, curve }), { instanceOf: MalformedProof });
    t.throws(() => verifyingKeyFromJson({ ...keys, curve }), { instanceOf: MalformedVerifyingKey });
  }
  for (const nPublic of [0, 1, 3, 99, -1, '2', 2.5, null, undefined]) {
    t.throws(() => verifyingKeyFromJson({ ...keys, nPublic }), { instanceOf: MalformedVerifyingKey });
  }
  t.throws(() => proofFromJson({ ...proofs, note: 1 }), { instanceOf: MalformedProof });
  t.throws(() => verifyingKeyFromJson({ ...keys, note: 1 }), { instanceOf: MalformedVerifyingKey });
  t.throws(() => verifyingKeyFromJson({ ...keys, IC: keys.IC.slice(1) }), {
    instanceOf: MalformedVerifyingKey,
  });
});

test('P09 whatever the structure: a typed error after bounded work, never a TypeError', (t) => {
  const fuzz = random(seedFrom(t.log));
  const valid = [json(proofToJson(proof)), json(verifyingKeyToJson(key)), signals.map(String)];
  const decoders = [proofFromJson, verifyingKeyFromJson, parseSignals];
  const named = (error: unknown) => error instanceof MalformedProof || error instanceof MalformedVerifyingKey;
  /** Property reads until the decoder is done, and its refusal if it refused. */
  const work = (kind: number, value: unknown): { reads: number; refusal: unknown } => {
    const tally = { reads: 0 };
    try {
      decoders[kind](counted(value, tally));
      return { reads: tally.reads, refusal: undefined };
    } catch (refusal) {
      return { reads: tally.reads, refusal };
    }
  };
  const honest = valid.map((value, kind) => work(kind, value).reads);
  let [refusals, worst] = [0, 0];
  for (let i = 0; i < campaign(20_000, 1_000_000); i++) {
    const kind = i % 3;
    const { reads, refusal } = work(kind, structure(fuzz, valid[kind]));
    if (refusal === undefined) continue;
    refusals++;
    if (!named(refusal)) throw refusal;
    worst = Math.max(worst, reads / honest[kind]);
  }
  t.true(worst <= 3, `${worst} times the reads of an honest one`);
  t.true(refusals > campaign(15_000, 750_000));

  const million = Array.from({ length: 1_000_000 }, () => '1');
  const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
  const hostile: [number, unknown][] = [
    [0, { ...valid[0], pi_a: million }],
    [0, deep],
    [0, { ...valid[0], pi_b: deep }],
    [0, { ...valid[0], pi_c: [million, '1', '1'] }],
    [1, { ...valid[1], IC: million }],
    [1, { ...valid[1], vk_gamma_2: [deep, deep, deep] }],
    [2, million],
    [2, { length: 1e9 }],
  ];
  for (const [kind, value] of hostile) {
    const { reads, refusal } = work(kind, value);
    t.true(named(refusal));
    t.true(reads <= 3 * honest[kind], `${reads} reads`);
  }
});

test('P09 a number a million digits long costs no more to refuse than one of a hundred', (t) => {
  const medianMs = (digits: number): number => {
    const value = { ...json(proofToJson(proof)), pi_a: ['9'.repeat(digits), '1', '1'] };
    const walls = Array.from({ length: 301 }, () => {
      const start = performance.now();
      t.throws(() => proofFromJson(value), { instanceOf: MalformedProof });
      return performance.now() - start;
    });
    return walls.sort((a, b) => a - b)[150]!;
  };
  medianMs(100);
  const [short, long] = [medianMs(100), medianMs(1_000_000)];
  // Reading a million digits would be a thousand times the work and more.
  t.true(long < 30 * short, `${(1000 * long).toFixed(1)} µs and ${(1000 * short).toFixed(1)} µs`);
});

function* flips(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3] ^= 1 << (bit & 7);
    yield copy;
  }
}

const accepts = async (attempt: () => Promise<boolean>): Promise<unknown> => {
  try {
    return await attempt();
  } catch (error) {
    return error;
  }
};

function offSubgroup(coordinate: () => bigint): G2Point {
  const { Fp2 } = bn254.fields;
  for (;;) {
    const x = Fp2.fromBigTuple([coordinate(), coordinate()]);
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b));
      return [
        [x.c0, x.c1],
        [y.c0, y.c1],
      ];
    } catch {
      // x³ + b is not a square: no point has this x.
    }
  }
}
