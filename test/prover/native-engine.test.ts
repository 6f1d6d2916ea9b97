import test from 'ava';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MalformedFile } from '../../circuits/errors.js';
import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';
import { encodeProof, verifyingKeyBytes } from '../../prover/codec.js';
import { UnsatisfiedWitness } from '../../prover/engine.js';
import { publicSignalsOf } from '../../prover/witness-signals.js';
import { loadAddon } from '../../prover/native-addon.js';
import {
  type LoadedNativeKey,
  loadNativeKey,
  nativeEngine,
  verifyManyNative,
} from '../../prover/native-engine.js';
import { setupDevelopment } from '../../prover/setup.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { verify } from '../../prover/verify.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { random } from '../support/random.js';
import { mixedCircuit } from '../support/mixed-circuit.js';
import { ZkeyMutator } from '../support/zkey-mutator.js';

const addon = loadAddon();
const backends = addon?.doctor().backends ?? [];
const built = addon === undefined ? test.skip : test;
const draw = random(65);
const uniform = (): number => draw.uint32() / 2 ** 32;

const folder = mkdtempSync(join(tmpdir(), 'verinfer-native-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const bits = bitCircuit(300);
const mixed = mixedCircuit();
const bitsPath = join(folder, 'bits.zkey');
const mixedPath = join(folder, 'mixed.zkey');
let key: LoadedNativeKey;

test.before(async () => {
  await setupDevelopment(bits.r1cs, bitsPath);
  await setupDevelopment(mixed.r1cs, mixedPath);
  if (addon !== undefined) key = await loadNativeKey(bitsPath);
});

const copy = (w: CompactWitness): CompactWitness => ({
  small: w.small.slice(),
  largeWires: w.largeWires.slice(),
  largeValues: w.largeValues.slice(),
});

built(
  'proofs verify in the independent verifier and in snarkjs, on every backend, with any number of threads',
  async (t) => {
    for (const backend of backends) {
      for (const [path, circuit] of [
        [bitsPath, bits],
        [mixedPath, mixed],
      ] as const) {
        const loaded = await loadNativeKey(path, { backend });
        const reference = await snarkjsEngine.loadKey(path);
        t.deepEqual(loaded.verifyingKey, reference.verifyingKey);
        t.deepEqual(
          [loaded.wireCount, loaded.publicCount, loaded.domainSize],
          [reference.wireCount, reference.publicCount, reference.domainSize],
        );
        for (const threads of [1, 2, 3]) {
          const witness = circuit.witness(uniform);
          const proof = await loaded.prove(witness, { threads });
          t.true(
            await verify(loaded.verifyingKey, publicSignalsOf(witness, loaded.publicCount), proof),
            backend,
          );
        }
        await loaded.close();
        await reference.close();
      }
    }
  },
);

built('the snarkjs engine proves what the native engine proves, and each accepts the other', async (t) => {
  const reference = await snarkjsEngine.loadKey(mixedPath);
  const native = await nativeEngine.loadKey(mixedPath);
  const witness = mixed.witness(uniform);
  const signals = publicSignalsOf(witness, native.publicCount);
  const bytes = new Uint8Array(
    Buffer.concat(signals.map((s) => Buffer.from(s.toString(16).padStart(64, '0'), 'hex'))),
  );
  const [ours, theirs] = [await native.prove(witness), await reference.prove(witness)];
  t.true(await verify(native.verifyingKey, signals, ours));
  t.true(await verifyManyNative(verifyingKeyBytes(native.verifyingKey), encodeProof(theirs), bytes));
  await reference.close();
  await native.close();
});

built('P11 a witness that violates a constraint yields no proof: 200 corrupted witnesses', async (t) => {
  for (let i = 0; i < 200; i++) {
    const witness = bits.witness(uniform);
    const wire = 1 + draw.below(witness.small.length - 1);
    witness.small[wire] += draw.pick([1, -1, 2, 1 << 20]);
    await t.throwsAsync(key.prove(witness), { instanceOf: UnsatisfiedWitness }, `wire ${wire}`);
  }
});

built('P13 two proofs of one witness differ, and 300 are all unique', async (t) => {
  const witness = bits.witness(uniform);
  const seen = new Set<string>();
  for (let i = 0; i < 300; i++) seen.add(Buffer.from(encodeProof(await key.prove(witness))).toString('hex'));
  t.is(seen.size, 300);
});

built(
  'P13 the same blinding gives the same proof on every backend, thread count and table size: only r and s are random',
  async (t) => {
    const witness = mixed.witness(uniform);
    const blinding = draw.bytes(64);
    blinding[31] = blinding[63] = 0;
    const proofs = new Set<string>();
    for (const backend of backends) {
      for (const memoryBudgetBytes of [0, 1 << 20, 1 << 28]) {
        const { promise } = addon!.loadKey(mixedPath, { backend, memoryBudgetBytes });
        const loaded = await promise;
        for (const threads of [1, 2, 5]) {
          const { small, largeWires, largeValues } = witness;
          const options = { threads, blinding };
          const job = addon!.prove(loaded.handle, small, largeWires, largeValues, options, undefined);
          proofs.add(Buffer.from(await job.promise).toString('hex'));
        }
        addon!.closeKey(loaded.handle);
      }
    }
    t.is(proofs.size, 1);
  },
);

built('witnesses of the wrong shape or out of range are refused with what was expected', async (t) => {
  const loaded = await loadNativeKey(mixedPath);
  const good = mixed.witness(uniform);
  const refused = async (change: (w: CompactWitness) => CompactWitness, message: RegExp): Promise<void> => {
    await t.throwsAsync(loaded.prove(change(copy(good))), { instanceOf: UnsatisfiedWitness, message });
  };
  await refused((w) => ({ ...w, small: w.small.subarray(1) }), /wire count must be/);
  await refused((w) => ({ ...w, small: new Int32Array(0) }), /wire count must be/);
  await refused((w) => (w.small.set([2], 0), w), /wire 0 must be 1/);
  await refused((w) => ({ ...w, largeWires: w.largeWires.slice().reverse() }), /ascending/);
  await refused(
    (w) => (w.largeWires.set([w.small.length], w.largeWires.length - 1), w),
    /below the wire count/,
  );
  await refused((w) => (w.largeValues.fill(255, 0, 32), w), /below r/);
  t.throws(
    () => void addon!.prove(undefined as never, good.small, good.largeWires, good.largeValues, {}, undefined),
    {
      message: /loaded key/,
    },
  );
  await t.throwsAsync(loaded.prove({ ...good, largeValues: good.largeValues.subarray(1) }), {
    message: /32 bytes/,
  });
  await loaded.close();
  await t.throwsAsync(loaded.prove(good), { message: /closed/ });
});

built('stages are reported in order, and an abort stops the proof', async (t) => {
  const stages: string[] = [];
  const witness = bits.witness(uniform);
  await key.prove(witness, { onStage: (stage, ms) => stages.push(`${stage} ${ms >= 0}`) });
  t.deepEqual(stages, ['abc true', 'ntt true', 'msm-witness true', 'msm-h true', 'verify true']);
  const controller = new AbortController();
  const aborted = key.prove(witness, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.throwsAsync(aborted, { message: 'enough' });
  await t.throwsAsync(key.prove(witness, { signal: AbortSignal.abort(new Error('before')) }), {
    message: 'before',
  });
});

built(
  'a key file is loaded once for all worker threads, and a worker that ends mid-proof harms nobody',
  async (t) => {
    const modulePath = new URL('../../prover/native-engine.js', import.meta.url).href;
    const witness = bits.witness(uniform);
    const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { loadNativeKey } = await import(workerData.modulePath);
    const key = await loadNativeKey(workerData.path);
    const started = key.prove(workerData.witness);
    if (workerData.leave) { started.catch(() => undefined); process.exit(0); }
    parentPort.postMessage(await started);`;
    const run = (leave: boolean): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
          workerData: { modulePath, path: bitsPath, witness, leave },
        });
        let result: unknown;
        worker.on('message', (message) => (result = message));
        worker.on('error', reject);
        worker.on('exit', () => resolve(result));
      });
    const results = await Promise.all(
      [false, true, false, true, true, true, true, true, true].map((leave) => run(leave)),
    );
    const signals = publicSignalsOf(witness, key.publicCount);
    for (const proof of [results[0], results[2]])
      t.true(await verify(key.verifyingKey, signals, proof as never));
    t.truthy(await key.prove(witness));
  },
);

built('a missing file, a folder and an empty file are refused', async (t) => {
  await t.throwsAsync(loadNativeKey(join(folder, 'nothing.zkey')), { message: /readable file/ });
  await t.throwsAsync(loadNativeKey(folder), { message: /regular file/ });
  writeFileSync(join(folder, 'empty.zkey'), '');
  await t.throwsAsync(loadNativeKey(join(folder, 'empty.zkey')), { instanceOf: MalformedFile });
});

built('each forged part of a key is refused for its own reason', async (t) => {
  const mutator = new ZkeyMutator(readFileSync(mixedPath));
  const path = join(folder, 'forged.zkey');
  for (const { name, bytes, message } of mutator.forgeries()) {
    writeFileSync(path, bytes);
    const error = await t.throwsAsync(loadNativeKey(path), undefined, name);
    t.true(error instanceof MalformedFile || error!.name === 'UnsafeVerifyingKey', `${name}: ${error}`);
    t.regex(error!.message, message, name);
  }
});

built(
  '20,000 truncated, flipped, spliced and resized keys are refused or load, and none ends the process',
  async (t) => {
    const tinyPath = join(folder, 'tiny.zkey');
    await setupDevelopment(mixedCircuit(2).r1cs, tinyPath);
    const mutator = new ZkeyMutator(readFileSync(tinyPath));
    const path = join(folder, 'mutant.zkey');
    let refusals = 0;
    for (let i = 0; i < 20_000; i++) {
      writeFileSync(path, mutator.mutant(draw));
      try {
        await (
          await loadNativeKey(path, {
            memoryBudgetBytes: 0,
            threads: 1,
            backend: backends[i % backends.length],
          })
        ).close();
      } catch (error) {
        refusals++;
        if (!(error instanceof MalformedFile) && (error as Error).name !== 'UnsafeVerifyingKey') {
          t.fail(`mutant ${i}: ${(error as Error).stack}`);
          return;
        }
      }
    }
    // what still loads differs only in the contributions section
    t.true(refusals > 18_000, `${refusals}`);
  },
);
