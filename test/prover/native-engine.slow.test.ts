/** The long campaigns of the native engine. VERINFER_SLOW_SHARE=0.01 runs a hundredth of them. */
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MalformedFile } from '../../circuits/errors.js';
import { encodeProof, verifyingKeyBytes, vkHash } from '../../prover/codec.js';
import { derivedPathOf } from '../../prover/files/derived.js';
import type { VerifyingKey } from '../../prover/keys.js';
import { loadAddon } from '../../prover/native-addon.js';
import { loadNativeKey } from '../../prover/native-engine.js';
import { setupDevelopment } from '../../prover/setup.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { findFalse, type Statement } from '../../prover/verify-many.js';
import { publicSignalsOf } from '../../prover/witness-signals.js';
import { registerModel } from '../../service/chain/registry.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { type Chain, startChain, testModel } from '../support/chain.js';
import { type Encoding, fourVerifiers, type Verdicts } from '../support/four-verifiers.js';
import { mixedCircuit } from '../support/mixed-circuit.js';
import { random, seedFrom } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';
import { ZkeyMutator } from '../support/zkey-mutator.js';

const share = Number(process.env.VERINFER_SLOW_SHARE ?? 1);
const addon = loadAddon();
const built = addon === undefined ? test.serial.skip : test.serial;
const folder = mkdtempSync(join(tmpdir(), 'verinfer-native-slow-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

built(
  '1,000 random witnesses over 12 circuits: every engine, snarkjs, noble and the contract accept every proof',
  async (t) => {
    const draw = random(seedFrom(t.log));
    const uniform = (): number => draw.uint32() / 2 ** 32;
    const { backends } = addon!.doctor();
    const sizes = [3, 20, 45, 64, 130, 260, 700, 1500];
    const circuits = [
      ...sizes.map((rows, i) => bitCircuit(rows, 1 + (i % 3))),
      ...[1, 5, 24, 60].map((products) => mixedCircuit(products)),
    ];
    const each = Math.max(1, Math.ceil((1000 * share) / circuits.length));
    const chain = await startChain();
    try {
      for (const [i, circuit] of circuits.entries()) {
        const path = join(folder, `circuit-${i}.zkey`);
        // every other key has a derived file beside it, and proves with four transforms
        await setupDevelopment(circuit.r1cs, path, i % 2 === 0 ? { derivedPath: derivedPathOf(path) } : {});
        const native = await Promise.all(backends.map((backend) => loadNativeKey(path, { backend })));
        for (const key of native) t.is(key.transforms, i % 2 === 0 ? 4 : 6);
        const reference = await snarkjsEngine.loadKey(path);
        const judge = await judgeOf(chain, reference.verifyingKey, `witnesses/${i}`);
        const statements: Statement[] = [];
        for (let k = 0; k < each; k++) {
          const witness = circuit.witness(uniform);
          // snarkjs proves one in eight: it is the slow one, and its proofs go through the native verifier below
          const engine = k % 8 === 0 ? reference : native[k % native.length];
          const proof = await engine.prove(witness, { threads: 1 + (k % 2) });
          const publicSignals = publicSignalsOf(witness, reference.publicCount);
          const verdicts = await judge({
            name: `${i}/${k}`,
            proof: encodeProof(proof),
            signals: publicSignals,
          });
          t.deepEqual(verdicts, {
            typescript: true,
            snarkjs: true,
            noble: true,
            contract: true,
            native: true,
          });
          statements.push({ proof, publicSignals });
        }
        t.deepEqual(await findFalse(reference.verifyingKey, statements), []);
        for (const key of native) await key.close();
        await reference.close();
      }
    } finally {
      await chain.stop();
      await endSnarkjs();
    }
  },
);

/** Registers the key on the chain, so that the contract can judge its proofs too. */
async function judgeOf(
  chain: Chain,
  key: VerifyingKey,
  seed: string,
): Promise<(encoding: Encoding) => Promise<Verdicts>> {
  const identified = testModel(key.ic.length - 1, seed, { vkHash: vkHash(key) });
  const model = { ...identified, key, vkBytes: verifyingKeyBytes(key) };
  await registerModel(chain.accounts[0]!, chain.deployment, model.identity, model.vkBytes);
  return fourVerifiers(chain, model);
}

built('500,000 damaged keys are refused or load, and none ends the process', async (t) => {
  const draw = random(seedFrom(t.log));
  const good = join(folder, 'good.zkey');
  await setupDevelopment(mixedCircuit(2).r1cs, good);
  const mutator = new ZkeyMutator(readFileSync(good));
  const path = join(folder, 'mutant.zkey');
  for (let i = 0; i < 500_000 * share; i++) {
    writeFileSync(path, mutator.mutant(draw));
    try {
      await (await loadNativeKey(path, { memoryBudgetBytes: 0, threads: 1 })).close();
    } catch (error) {
      if (!(error instanceof MalformedFile) && (error as Error).name !== 'UnsafeVerifyingKey') throw error;
    }
  }
  t.pass();
});

built('the sanitized build runs the kernels, proofs, forged keys and damaged keys without a report', (t) => {
  const out = join(process.cwd(), 'dist', 'prover', 'native-sanitized');
  execFileSync('prover/native/build.sh', [out, 'sanitize'], { stdio: 'inherit' });
  const libraries = ['libasan.so', 'libubsan.so', 'libstdc++.so.6']
    .map((name) =>
      execFileSync('g++', [`-print-file-name=${name}`])
        .toString()
        .trim(),
    )
    .join(' ');
  const output = execFileSync(
    process.execPath,
    ['dist/test/support/sanitized-run.js', join(out, 'verinfer.node')],
    {
      env: {
        ...process.env,
        LD_PRELOAD: libraries,
        ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
        UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
      },
      timeout: 1_800_000,
    },
  ).toString();
  t.regex(output, /sanitized run: done/);
});
