/** Low-entropy inputs behind their commitments: a searcher who knows everything but the salt. */
import test from 'ava';
import { randomBytes } from 'node:crypto';
import { inputCommitment, packElements } from '../../circuits/public-signals.js';

const COMMITMENTS = 1000;
/** Each is held against every commitment: 1,049 · 1,000 > 2^20 pairs. The sponge takes milliseconds here. */
const CANDIDATES = 1049;

const freshSalt = (): bigint => BigInt(`0x${randomBytes(31).toString('hex')}`);
const digestOf = (value: number, salt: bigint): bigint =>
  inputCommitment(packElements([value], 'bool'), 1, salt);

/** The two inputs that are possible, with the salts that a careless sender would use: 0, 1, 2, … */
const guesses = Array.from({ length: CANDIDATES }, (_, i) => digestOf(i % 2, BigInt(i >> 1)));

test('C21 a one-bit input is not found from 1,000 salted commitments by 2^20 guesses', (t) => {
  const salts = Array.from({ length: COMMITMENTS }, freshSalt);
  t.is(new Set(salts).size, COMMITMENTS);
  const commitments = new Set(salts.map((salt, i) => digestOf(i % 2, salt)));
  // Equal inputs are not seen to be equal either.
  t.is(commitments.size, COMMITMENTS);
  t.true(CANDIDATES * COMMITMENTS >= 2 ** 20);
  t.deepEqual(
    guesses.filter((guess) => commitments.has(guess)),
    [],
  );
});

test('C21 the same search finds every input behind a guessable salt', (t) => {
  const found = new Map(guesses.map((guess, i) => [guess, i % 2]));
  for (let i = 0; i < 100; i++) t.is(found.get(digestOf(i % 2, BigInt(i))), i % 2);
});
