import test from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeProof, fieldBytes, verifyingKeyBytes } from '../../prover/codec.js';
import { selectEngine } from '../../prover/index.js';
import { nativeAvailability, verifyManyNative } from '../../prover/native-engine.js';
import { setupDevelopment } from '../../prover/setup.js';
import { findFalse, type Statement } from '../../prover/verify-many.js';
import { publicSignalsOf } from '../../prover/witness-signals.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { random } from '../support/random.js';

const draw = random(66);
const uniform = (): number => draw.uint32() / 2 ** 32;

test('a batch holds exactly when every proof holds, and the false ones are named', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-many-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const circuit = bitCircuit(40);
  const path = join(folder, 'key.zkey');
  await setupDevelopment(circuit.r1cs, path);
  const { engine } = await selectEngine();
  const key = await engine.loadKey(path);
  const statements: Statement[] = [];
  for (let i = 0; i < 9; i++) {
    const witness = circuit.witness(uniform);
    statements.push({
      proof: await key.prove(witness),
      publicSignals: publicSignalsOf(witness, key.publicCount),
    });
  }
  t.deepEqual(await findFalse(key.verifyingKey, statements), []);
  t.deepEqual(await findFalse(key.verifyingKey, []), []);
  t.deepEqual(await findFalse(key.verifyingKey, statements.slice(0, 1)), []);

  const changed = (i: number, by: Partial<Statement>): Statement[] =>
    statements.map((s, k) => (k === i ? { ...s, ...by } : s));
  const [first] = statements[4].publicSignals;
  const otherSignals = [first + 1n, ...statements[4].publicSignals.slice(1)];
  t.deepEqual(await findFalse(key.verifyingKey, changed(4, { publicSignals: otherSignals })), [4]);
  const { a, b } = statements[0].proof;
  t.deepEqual(
    await findFalse(key.verifyingKey, changed(8, { proof: { ...statements[8].proof, c: a } })),
    [8],
  );
  t.deepEqual(await findFalse(key.verifyingKey, changed(1, { proof: { ...statements[1].proof, b } })), [1]);
  // two wrongs that cancel in an unweighted sum do not cancel in a weighted one
  const [c2, c3] = [statements[2].proof.c, statements[3].proof.c];
  const swapped = changed(2, { proof: { ...statements[2].proof, c: c3 } });
  swapped[3] = { ...swapped[3], proof: { ...statements[3].proof, c: c2 } };
  t.deepEqual(await findFalse(key.verifyingKey, swapped), [2, 3]);

  if (nativeAvailability().available) {
    const keyBytes = verifyingKeyBytes(key.verifyingKey);
    const proofs = Buffer.concat(statements.map(({ proof }) => encodeProof(proof)));
    const signals = Buffer.concat(statements.flatMap(({ publicSignals }) => publicSignals.map(fieldBytes)));
    t.true(await verifyManyNative(keyBytes, proofs, signals));
    for (const bad of [proofs.subarray(1), proofs.subarray(0, 256 * 8), Buffer.concat([proofs, proofs])]) {
      t.false(await verifyManyNative(keyBytes, bad, signals));
    }
    t.false(await verifyManyNative(keyBytes, proofs, signals.subarray(32)));
    t.false(await verifyManyNative(keyBytes.subarray(64), proofs, signals));
    // every single bit of the first proof, and of the signals, matters
    for (let bit = 0; bit < 2048; bit += 13) {
      const flipped = Buffer.from(proofs);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      t.false(await verifyManyNative(keyBytes, flipped, signals), `proof bit ${bit}`);
    }
  }
  await key.close();
});
