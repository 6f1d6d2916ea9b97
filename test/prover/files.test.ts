import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MalformedFile } from '../../circuits/errors.js';
import { decodeR1cs, encodeWitness, decodeWitness, r1csChunks } from '../../circuits/r1cs/file.js';
import { ResumableBlake2b, blake2b } from '../../prover/blake2b.js';
import { memorySource } from '../../prover/files/container.js';
import { encodeKeyContributions, readKeyContributions } from '../../prover/files/contribution.js';
import { readPtau } from '../../prover/files/ptau.js';
import { checkCoefficients, readZkey } from '../../prover/files/zkey.js';
import { createPtau } from '../../prover/ptau.js';
import { setupDevelopment } from '../../prover/setup.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { campaign } from '../support/campaign.js';
import { random, type Random } from '../support/random.js';

const folder = mkdtempSync(join(tmpdir(), 'verinfer-files-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** One to three changes, most of them in the first bytes, where the structure is. */
function mutated(source: Uint8Array, draw: Random): Uint8Array {
  let bytes = source.slice();
  for (let left = 1 + draw.below(3); left > 0; left--) {
    const at = draw.below(draw.below(2) === 0 ? Math.min(256, bytes.length) : bytes.length);
    const kind = draw.below(5);
    if (kind === 0) bytes[at] ^= 1 << draw.below(8);
    else if (kind === 1) bytes[at] = draw.pick([0, 1, 127, 128, 255]);
    else if (kind === 2) bytes.fill(255, at, at + 8);
    else if (kind === 3) bytes = bytes.slice(0, at + 1);
    else bytes.copyWithin(at, draw.below(bytes.length), draw.below(bytes.length));
  }
  return bytes;
}

test('20,000 mutants of the files a ceremony reads are read or refused with MalformedFile, nothing else; 400,000 in the slow tier', async (t) => {
  const { r1cs, witness } = bitCircuit(40);
  await createPtau(3, join(folder, 'empty.ptau'));
  await setupDevelopment(r1cs, join(folder, 'key.zkey'));
  const draw = random(1234);
  const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  const readers: [string, number, Uint8Array, (input: Uint8Array) => unknown][] = [
    ['ptau', 7000, bytes('empty.ptau'), (input) => readPtau(memorySource(input))],
    ['r1cs', 5000, Buffer.concat([...r1csChunks(r1cs)].map((piece) => piece.slice())), decodeR1cs],
    ['wtns', 5000, encodeWitness(witness(() => 0.7)), decodeWitness],
    [
      'contributions',
      2500,
      encodeKeyContributions({ circuitHash: new Uint8Array(64), contributions: [] }),
      (input) => readKeyContributions(input, 'key'),
    ],
    ['zkey', 500, bytes('key.zkey'), (input) => checkCoefficients(readZkey(memorySource(input)))],
  ];
  const outcomes: string[] = [];
  for (const [name, fastCount, source, read] of readers) {
    const count = campaign(fastCount, 20 * fastCount);
    t.notThrows(() => read(source), name);
    let refused = 0;
    for (let i = 0; i < count; i++) {
      const input = mutated(new Uint8Array(source), draw);
      try {
        read(input);
      } catch (error) {
        if (!(error instanceof MalformedFile)) t.fail(`${name} ${i}: ${String(error)}`);
        refused++;
      }
    }
    t.true(refused > count / 4, `${name}: ${refused} of ${count} refused`);
    outcomes.push(`${name} ${refused}/${count}`);
  }
  t.log(outcomes.join(', '));
});

test('a hash saved in mid-flight goes on as if it had not stopped', (t) => {
  const draw = random(5);
  for (const length of [0, 1, 127, 128, 129, 1000, 5000]) {
    const [head, tail] = [draw.bytes(length), draw.bytes(300)];
    const resumed = ResumableBlake2b.resume(new ResumableBlake2b().update(head).save()).update(tail);
    t.deepEqual(resumed.digest(), blake2b(head, tail), `${length}`);
  }
});
