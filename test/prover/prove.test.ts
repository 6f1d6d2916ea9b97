import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeProof } from '../../prover/codec.js';
import { memorySource } from '../../prover/files/container.js';
import { readZkey } from '../../prover/files/zkey.js';
import { loadAddon } from '../../prover/native-addon.js';
import { proveWith } from '../../prover/prove.js';
import { setupDevelopment } from '../../prover/setup.js';
import { verify } from '../../prover/verify.js';
import { publicSignalsOf } from '../../prover/witness-signals.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { mixedCircuit } from '../support/mixed-circuit.js';
import { Fr, encode } from '../support/native-operands.js';
import { random } from '../support/random.js';
import { witnessValues } from '../support/witness-values.js';

const draw = random(68);
const uniform = (): number => draw.uint32() / 2 ** 32;

for (const [name, circuit] of [
  ['bits', bitCircuit(45)],
  ['mixed', mixedCircuit(7)],
] as const) {
  test(`${name}: the twin's proof verifies, and every native backend gives its very bytes`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'verinfer-prove-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'key.zkey');
    await setupDevelopment(circuit.r1cs, path);
    const zkey = readZkey(memorySource(readFileSync(path), path));
    const witness = circuit.witness(uniform);
    const { small, largeWires, largeValues } = witness;
    const [r, s] = [draw.scalar(Fr.ORDER), draw.scalar(Fr.ORDER)];

    const proof = proveWith(zkey, witnessValues(witness), r, s);
    t.true(await verify(zkey.verifyingKey, publicSignalsOf(witness, circuit.r1cs.publicCount), proof));
    const addon = loadAddon();
    for (const backend of addon?.doctor().backends ?? []) {
      const key = await addon!.loadKey(path, { backend, memoryBudgetBytes: 0 }).promise;
      const blinding = encode([r, s]);
      const job = addon!.prove(key.handle, small, largeWires, largeValues, { blinding }, undefined);
      t.deepEqual(Buffer.from(await job.promise), Buffer.from(encodeProof(proof)), backend);
      addon!.closeKey(key.handle);
    }
  });
}
