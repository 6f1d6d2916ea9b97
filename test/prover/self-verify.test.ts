import test from 'ava';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';
import { type LoadedKey, setupDevelopment, UnsatisfiedWitness } from '../../prover/index.js';
import { nativeAvailability, nativeEngine } from '../../prover/native-engine.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { verify } from '../../prover/verify.js';
import { publicSignalsOf } from '../../prover/index.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { random, seedFrom } from '../support/random.js';

const circuit = bitCircuit(256);
const folder = mkdtemp(path.join(tmpdir(), 'verinfer-self-'));
const zkey = folder.then(async (where) => {
  const file = path.join(where, 'key.zkey');
  await setupDevelopment(circuit.r1cs, file);
  return file;
});
test.after.always(async () => rm(await folder, { recursive: true, force: true }));

/** One wire changed, never wire 0: every wire of this circuit is pinned by a row. */
function corrupted(witness: CompactWitness, wire: number, value: number): CompactWitness {
  const small = witness.small.slice();
  small[wire] = value;
  return { ...witness, small };
}

const engines = [snarkjsEngine, ...(nativeAvailability().available ? [nativeEngine] : [])];
for (const engine of engines) {
  const mutants = engine.name === 'native' ? 200 : 12;
  test(`P11 ${engine.name}: no proof of a corrupted witness leaves the engine`, async (t) => {
    const draw = random(seedFrom(t.log));
    const key: LoadedKey = await engine.loadKey(await zkey);
    try {
      for (let i = 0; i < mutants; i++) {
        const witness = circuit.witness(() => draw.uint32() / 2 ** 32);
        const wire = 1 + draw.below(witness.small.length - 1);
        const wrong = corrupted(witness, wire, witness.small[wire] + draw.pick([1, -1, 2, 1000]));
        await t.throwsAsync(key.prove(wrong), { instanceOf: UnsatisfiedWitness });
      }
      const good = circuit.witness(() => draw.uint32() / 2 ** 32);
      const proof = await key.prove(good);
      t.true(await verify(key.verifyingKey, publicSignalsOf(good, key.publicCount), proof));
    } finally {
      await key.close();
    }
  });

  test(`P14 ${engine.name}: a refusal says nothing of the witness`, async (t) => {
    const draw = random(seedFrom(t.log));
    const key = await engine.loadKey(await zkey);
    const said = new Set<string>();
    try {
      for (let i = 0; i < (engine.name === 'native' ? 100 : 6); i++) {
        const witness = circuit.witness(() => draw.uint32() / 2 ** 32);
        const canary = 1_000_000_007 + draw.below(1_000_000);
        const error = await key
          .prove(corrupted(witness, 1 + draw.below(witness.small.length - 1), canary))
          .catch((e) => e);
        said.add(`${error.name} ${error.message} ${JSON.stringify(error)}`);
        t.false(`${error.message}${error.stack}`.includes(String(canary)));
      }
    } finally {
      await key.close();
    }
    t.is(said.size, 1, [...said].join('\n'));
  });
}
