import test from 'ava';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MalformedFile } from '../../circuits/errors.js';
import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';
import { encodeProof } from '../../prover/codec.js';
import { deriveKey, derivePoints } from '../../prover/derive.js';
import { memorySource, readSection } from '../../prover/files/container.js';
import { derivedMagic, derivedPathOf, fileDigest, readDerived } from '../../prover/files/derived.js';
import { g1Bytes } from '../../prover/files/points.js';
import { readZkey } from '../../prover/files/zkey.js';
import { typescriptKernels } from '../../prover/kernels.js';
import type { NativeFailure } from '../../prover/native-addon.js';
import { type LoadedNativeKey, loadNativeKey } from '../../prover/native-engine.js';
import { nativeKernels } from '../../prover/native-kernels.js';
import { extendToOddCoset } from '../../prover/ntt.js';
import { proveWith } from '../../prover/prove.js';
import { domainSizeFor } from '../../prover/qap.js';
import { setupDevelopment } from '../../prover/setup.js';
import { verify } from '../../prover/verify.js';
import { publicSignalsOf } from '../../prover/witness-signals.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { campaign } from '../support/campaign.js';
import { ContainerMutator } from '../support/container-mutator.js';
import { mixedCircuit } from '../support/mixed-circuit.js';
import { addon, backends, encode, Fr } from '../support/native-operands.js';
import { random } from '../support/random.js';
import { witnessValues } from '../support/witness-values.js';

const built = addon === undefined ? test.skip : test;
const draw = random(85);
const uniform = (): number => draw.uint32() / 2 ** 32;
const folder = mkdtempSync(join(tmpdir(), 'verinfer-derive-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const circuits = { bits: bitCircuit(45), mixed: mixedCircuit(7) } as const;
const zkeyOf = (name: string): string => join(folder, `${name}.zkey`);
const setUp = Promise.all(
  Object.entries(circuits).map(([name, { r1cs }]) =>
    setupDevelopment(r1cs, zkeyOf(name), { derivedPath: derivedPathOf(zkeyOf(name)) }),
  ),
);
test.before(() => setUp);

const contents = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const zkey = (name: string) => readZkey(memorySource(contents(zkeyOf(name)), name));
const derived = async (name: string) =>
  readDerived(memorySource(contents(derivedPathOf(zkeyOf(name)))), await fileDigest(zkeyOf(name)));

for (const name of Object.keys(circuits)) {
  test(`${name}: the points that a trapdoor gives are those that the finished key gives without one`, async (t) => {
    const h = readSection(zkey(name).container, 9);
    const { points } = await derived(name);
    t.deepEqual(await derivePoints(h, typescriptKernels), points, 'typescript');
    for (const backend of backends) {
      t.deepEqual(
        Buffer.from(await derivePoints(h, nativeKernels(addon!, { backend }))),
        Buffer.from(points),
        backend,
      );
    }
    await deriveKey(zkeyOf(name), join(folder, `${name}.again`));
    t.deepEqual(contents(join(folder, `${name}.again`)), contents(derivedPathOf(zkeyOf(name))));
  });

  test(`${name}: with four transforms the twin and every native backend make the very proof that six make`, async (t) => {
    const circuit = circuits[name as keyof typeof circuits];
    const witness = circuit.witness(uniform);
    const [r, s] = [draw.scalar(Fr.ORDER), draw.scalar(Fr.ORDER)];
    const values = witnessValues(witness);
    const proof = proveWith(zkey(name), values, r, s);
    t.deepEqual(proveWith(zkey(name), values, r, s, await derived(name)), proof);
    t.true(await verify(zkey(name).verifyingKey, publicSignalsOf(witness, circuit.r1cs.publicCount), proof));
    const { small, largeWires, largeValues } = witness;
    const path = zkeyOf(name);
    const file = { path: derivedPathOf(path), zkeyDigest: await fileDigest(path) };
    for (const backend of backends) {
      for (const threads of [1, 3]) {
        const key = await addon!.loadKey(path, { backend, memoryBudgetBytes: 0, derived: file, threads })
          .promise;
        t.is(key.transforms, 4);
        const options = { blinding: encode([r, s]), threads };
        const job = addon!.prove(key.handle, small, largeWires, largeValues, options, undefined);
        t.deepEqual(Buffer.from(await job.promise), Buffer.from(encodeProof(proof)), backend);
        addon!.closeKey(key.handle);
      }
    }
  });
}

built('the file beside a key is used without being asked for, and can be left aside', async (t) => {
  const lone = join(folder, 'lone.zkey');
  copyFileSync(zkeyOf('bits'), lone);
  const transforms = async (path: string, derivedPath?: null): Promise<number> => {
    const key = await loadNativeKey(path, derivedPath === undefined ? {} : { derivedPath });
    await key.close();
    return key.transforms;
  };
  t.is(await transforms(zkeyOf('bits')), 4);
  t.is(await transforms(zkeyOf('bits'), null), 6);
  t.is(await transforms(lone), 6);
  const size = contents(derivedPathOf(zkeyOf('bits'))).length;
  for (const [memoryBudgetBytes, expected] of [
    [size - 1, 6],
    [size, 4],
  ]) {
    const key = await loadNativeKey(zkeyOf('bits'), { memoryBudgetBytes });
    t.is(key.transforms, expected);
    t.is(key.derivedRefusal === null, expected === 4);
    await key.close();
  }
});

/** Loads the bits key with these bytes as its derived file. */
async function loadWith(bytes: Uint8Array): Promise<LoadedNativeKey> {
  const derivedPath = join(folder, 'altered.derived');
  writeFileSync(derivedPath, bytes);
  return loadNativeKey(zkeyOf('bits'), { derivedPath });
}

built(
  'a file of another key, other points and every broken field are refused by name; the key then proves with six transforms',
  async (t) => {
    const good = contents(derivedPathOf(zkeyOf('bits')));
    const pointsAt = good.length - domainSizeFor(circuits.bits.r1cs) * g1Bytes;
    const changed = (at: number, bytes: ArrayLike<number>): Uint8Array => {
      const out = good.slice();
      out.set(bytes, at);
      return out;
    };
    const point = (at: number): Uint8Array =>
      good.slice(pointsAt + at * g1Bytes, pointsAt + (at + 1) * g1Bytes);
    const opposite = await typescriptKernels.multiplyEach(
      'g1',
      point(3),
      encode([Fr.ORDER - 1n]),
      encode([1n]),
    );
    const stranger = new Uint8Array(await nativeKernels(addon!).multiplyGenerator('g1', encode([77n])));
    const cases: [string, Uint8Array, RegExp][] = [
      ["another key's file", contents(derivedPathOf(zkeyOf('mixed'))), /zkey digest must be that of the key/],
      ['one bit of the digest', changed(24, [good[24] ^ 1]), /zkey digest/],
      ['another point of the curve', changed(pointsAt + 5 * g1Bytes, stranger), /D must be derived from/],
      ['a point negated', changed(pointsAt + 3 * g1Bytes, opposite), /D must be derived from/],
      ['two points exchanged', changed(pointsAt, [...point(1), ...point(0)]), /D must be derived from/],
      ['infinity', changed(pointsAt, new Uint8Array(g1Bytes)), /D must be without infinity/],
      ['off the curve', changed(pointsAt, [good[pointsAt] ^ 1]), /D must be on the curve/],
      ['not canonical', changed(pointsAt, new Uint8Array(32).fill(255)), /D must be coordinates below q/],
      ['a smaller domain', changed(24 + 32, [32, 0, 0, 0]), /domain size must be/],
      ['cut off', good.slice(0, -1), /section 2 size/],
      ['more than there should be', Uint8Array.of(...good, 0), /length/],
      ['magic', changed(0, [0x7a]), /magic must be derv/],
      ['version', changed(4, [2]), /version must be 1/],
      ['empty', new Uint8Array(0), /length must be at least 12/],
    ];
    const digest = await fileDigest(zkeyOf('bits'));
    const witness = circuits.bits.witness(uniform);
    const signals = publicSignalsOf(witness, circuits.bits.r1cs.publicCount);
    for (const [name, bytes, reason] of cases) {
      const key = await loadWith(bytes);
      t.is(key.transforms, 6, name);
      t.regex(key.derivedRefusal ?? '', reason, name);
      t.true(await verify(key.verifyingKey, signals, await key.prove(witness)), name);
      await key.close();
      // the twin checks everything but the fit
      if (!/derived from/.test(reason.source))
        t.throws(() => readDerived(memorySource(bytes), digest), { instanceOf: MalformedFile }, name);
    }
    const missing = await loadNativeKey(zkeyOf('bits'), { derivedPath: join(folder, 'nothing') });
    t.regex(missing.derivedRefusal ?? '', /readable file/);
  },
);

built('P11 with four transforms, too, a witness that violates a constraint yields no proof', async (t) => {
  const [four, six] = [
    await loadNativeKey(zkeyOf('mixed')),
    await loadNativeKey(zkeyOf('mixed'), { derivedPath: null }),
  ];
  t.deepEqual([four.transforms, six.transforms], [4, 6]);
  const outcome = (key: LoadedNativeKey, witness: CompactWitness): Promise<string> =>
    key.prove(witness).then(
      () => 'proof',
      (error: Error) => error.name,
    );
  let refusals = 0;
  for (let i = 0; i < 80; i++) {
    const witness = circuits.mixed.witness(uniform);
    // some wires of this circuit are free, so the other path says what is right
    witness.small[1 + draw.below(witness.small.length - 1)] += draw.pick([1, -1, 2, 1 << 20]);
    const expected = await outcome(six, witness);
    t.is(await outcome(four, witness), expected);
    refusals += expected === 'UnsatisfiedWitness' ? 1 : 0;
  }
  t.true(refusals > 20, `${refusals}`);
  await four.close();
  await six.close();
});

built(
  '10,000 damaged derived files are refused as what they are, or are the same file; 100,000 in the slow tier',
  async (t) => {
    const good = contents(derivedPathOf(zkeyOf('bits')));
    const mutator = new ContainerMutator(good);
    const zkeyDigest = await fileDigest(zkeyOf('bits'));
    const path = join(folder, 'mutant.derived');
    for (let i = 0; i < campaign(10_000, 100_000); i++) {
      const bytes = mutator.mutant(draw);
      const isSame = Buffer.compare(bytes, good) === 0;
      try {
        readDerived(memorySource(bytes), zkeyDigest);
      } catch (error) {
        if (isSame || !(error instanceof MalformedFile)) t.fail(`mutant ${i}: ${String(error)}`);
      }
      if (i % 8 !== 0) continue;
      writeFileSync(path, bytes);
      const backend = backends[(i / 8) % backends.length];
      const options = { backend, memoryBudgetBytes: 0, threads: 1, derived: { path, zkeyDigest } };
      try {
        addon!.closeKey((await addon!.loadKey(zkeyOf('bits'), options).promise).handle);
        if (!isSame) t.fail(`mutant ${i} was taken for the derived file`);
      } catch (error) {
        const { kind, where } = error as NativeFailure;
        if (isSame || kind !== 'malformed-file' || where !== derivedMagic)
          t.fail(`mutant ${i}: ${String(error)}`);
      }
    }
    t.pass();
  },
);

test('D is defined by the extension: for any c, Σ c·D = −Σ (E·c)·H', async (t) => {
  const h = await typescriptKernels.multiplyGenerator(
    'g1',
    encode(Array.from({ length: 8 }, () => draw.scalar(Fr.ORDER))),
  );
  const d = await derivePoints(h, typescriptKernels);
  const c = Array.from({ length: 8 }, () => draw.scalar(Fr.ORDER));
  const weighted = await typescriptKernels.weightedSum('g1', d, encode(c));
  const opposite = await typescriptKernels.weightedSum('g1', h, encode(extendToOddCoset(c)));
  const sum = await typescriptKernels.add('g1', weighted, opposite);
  t.true(sum.every((byte) => byte === 0));
});
