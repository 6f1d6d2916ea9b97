import test from 'ava';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { MalformedFile } from '../../../circuits/errors.js';
import { check } from '../../../circuits/r1cs/check.js';
import {
  decodeR1cs,
  decodeWitness,
  encodeWitness,
  r1csChunks,
  r1csDigest,
  readR1cs,
  writeR1cs,
} from '../../../circuits/r1cs/file.js';
import { compile } from '../../../circuits/index.js';
import { smallConvnet } from '../../support/graphs.js';
import { random } from '../../support/random.js';
import { integers } from '../../support/values.js';

const model = compile(smallConvnet(random(3)));
const inputs = new Map([['image', integers(random(4), 36, -128, 127)]]);
const { witness } = model.computeWitness({ inputs, ctx: 7n, salt: 11n });
const bytes = Buffer.concat([...r1csChunks(model.r1cs)].map((chunk) => Buffer.from(chunk)));

test('r1cs and wtns round-trip; the digest is SHA-256 of the file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-r1cs-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'circuit.r1cs');
  const digest = await writeR1cs(path, model.r1cs);
  t.is(digest, r1csDigest(model.r1cs));
  t.is(digest, `0x${createHash('sha256').update(readFileSync(path)).digest('hex')}`);
  const back = await readR1cs(path);
  t.is(r1csDigest(back), digest);
  t.deepEqual(check(back, decodeWitness(encodeWitness(witness))), { ok: true });
  t.deepEqual(decodeWitness(encodeWitness(witness)), witness);
});

test('snarkjs reads both files and accepts the witness, and rejects a changed one', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-r1cs-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [circuit, honest, lying] = ['c.r1cs', 'w.wtns', 'l.wtns'].map((name) => join(folder, name));
  writeFileSync(circuit, bytes);
  writeFileSync(honest, encodeWitness(witness));
  const small = witness.small.slice();
  small[model.r1cs.publicCount + 5] ^= 1;
  writeFileSync(lying, encodeWitness({ ...witness, small }));
  const snarkjs = (...args: string[]) =>
    execFileSync(process.execPath, ['node_modules/snarkjs/build/cli.cjs', ...args], { encoding: 'utf8' });
  t.regex(snarkjs('r1cs', 'info', circuit), new RegExp(`Constraints: ${model.r1cs.constraintCount}`));
  t.regex(snarkjs('wtns', 'check', circuit, honest), /WITNESS IS CORRECT/);
  t.throws(() => snarkjs('wtns', 'check', circuit, lying), {
    message: /WITNESS IS NOT CORRECT|Command failed/,
  });
});

test('files that are cut, lengthened or of another field are refused', (t) => {
  const wtns = encodeWitness(witness);
  for (const cut of [0, 3, 11, 30, 80, bytes.length - 1]) {
    t.throws(() => decodeR1cs(bytes.subarray(0, cut)), { instanceOf: MalformedFile });
  }
  for (const cut of [0, 11, 40, wtns.length - 1]) {
    t.throws(() => decodeWitness(wtns.subarray(0, cut)), { instanceOf: MalformedFile });
  }
  const change = (from: Uint8Array, at: number, value: number) => {
    const copy = from.slice();
    copy[at] = value;
    return copy;
  };
  t.throws(() => decodeR1cs(change(bytes, 0, 0x77)), { instanceOf: MalformedFile }); // magic
  t.throws(() => decodeR1cs(change(bytes, 4, 2)), { instanceOf: MalformedFile }); // version
  t.throws(() => decodeR1cs(change(bytes, 28, 2)), { instanceOf: MalformedFile }); // prime
  t.throws(() => decodeR1cs(change(bytes, 103, 0xff)), { instanceOf: MalformedFile }); // entry count
  t.throws(() => decodeR1cs(change(bytes, 107, 0xff)), { instanceOf: MalformedFile }); // wire
  t.throws(() => decodeWitness(change(wtns, 28, 2)), { instanceOf: MalformedFile });
  t.throws(() => decodeWitness(change(wtns, 76 + 31, 0xff)), { instanceOf: MalformedFile }); // value ≥ r
});
