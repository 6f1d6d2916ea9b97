import test from 'ava';
import { bn254 } from '@noble/curves/bn254.js';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { groth16, powersOfTau, zKey } from 'snarkjs';
import { MalformedFile } from '../../circuits/errors.js';
import { decodeR1cs, encodeWitness } from '../../circuits/r1cs/file.js';
import { CeremonyRefused, InvalidCeremony } from '../../prover/ceremony-error.js';
import { verifyingKeyBytes, verifyingKeyToJson } from '../../prover/codec.js';
import { exportVerifyingKey } from '../../prover/export.js';
import { encodeContainer, memorySource, readContainer } from '../../prover/files/container.js';
import { readPtau } from '../../prover/files/ptau.js';
import { readZkey } from '../../prover/files/zkey.js';
import { UnsafeVerifyingKey } from '../../prover/key-check.js';
import type { G1Point } from '../../prover/keys.js';
import { nativeAvailability, nativeEngine } from '../../prover/native-engine.js';
import { initialKey, type InitialKey, newPhase2Key } from '../../prover/initial-key.js';
import { beaconKey, contributeKey } from '../../prover/phase2.js';
import { verifyContribution, verifyKey, verifyKeyFrom } from '../../prover/phase2-verify.js';
import { contributePtau, createPtau } from '../../prover/ptau.js';
import { verifyPtau } from '../../prover/ptau-verify.js';
import { snarkjsEngine } from '../../prover/snarkjs-engine.js';
import { registerModel } from '../../service/chain/registry.js';
import {
  beacon,
  smallCeremony,
  type SmallCeremony,
  uniform,
  withChangedCoefficient,
} from '../support/ceremony.js';
import { campaign } from '../support/campaign.js';
import { keyMutants, withContributions } from '../support/key-mutants.js';
import { random } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';

const silent = (): void => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const draw = random(13);

let small: SmallCeremony;
let initial: InitialKey;
let honest: string;
const file = (name: string): string => join(small.folder, name);
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

test.before(async () => {
  small = await smallCeremony();
  initial = await initialKey(small.r1cs, small.phase1);
  await contributeKey(small.initial, file('1.zkey'), { name: 'ours' });
  await zKey.contribute(file('1.zkey'), file('2.zkey'), 'with snarkjs alone', 'some entropy', logger);
  await contributeKey(file('2.zkey'), file('3.zkey'), { name: 'ours again', entropy: Buffer.from('dice') });
  await beaconKey(file('3.zkey'), file('final.zkey'), 'beacon', beacon);
  honest = file('final.zkey');
});
test.after.always(async () => {
  rmSync(small.folder, { recursive: true, force: true });
  await endSnarkjs();
});

test.serial('phase 1: snarkjs accepts our file, we accept a contribution that snarkjs made', async (t) => {
  t.true(await powersOfTau.verify(bytesOf(small.phase1), logger));
  await powersOfTau.contribute(file('closed.ptau'), file('theirs.ptau'), 'snarkjs', 'entropy', logger);
  const report = await verifyPtau(file('theirs.ptau'));
  t.deepEqual(
    report.contributions.map(({ name }) => name),
    ['first', 'beacon', 'snarkjs'],
  );
});

test.serial(
  'phase 2: the circuit hash is snarkjs’s, and both verifiers accept a mixed chain that proves',
  async (t) => {
    const theirs = await zKey.newZKey(small.r1csPath, small.phase1, file('theirs.zkey'), logger);
    t.deepEqual(Buffer.from(theirs), Buffer.from(initial.circuitHash));
    t.true(
      await zKey.verifyFromR1cs(bytesOf(small.r1csPath), bytesOf(small.phase1), bytesOf(honest), logger),
    );
    const { contributions, verifyingKey } = await verifyKey(small.r1cs, small.phase1, honest);
    t.deepEqual(
      contributions.map(({ name }) => name),
      ['ours', 'with snarkjs alone', 'ours again', 'beacon'],
    );
    const { proof, publicSignals } = await groth16.prove(
      bytesOf(honest),
      encodeWitness(small.witness(uniform)),
    );
    t.true(await groth16.verify(verifyingKeyToJson(verifyingKey), publicSignals, proof));
  },
);

test.serial('T01 a key without contributions passes snarkjs and forges; every door refuses it', async (t) => {
  t.true(
    await zKey.verifyFromR1cs(bytesOf(small.r1csPath), bytesOf(small.phase1), bytesOf(small.initial), logger),
  );
  const { verifyingKey: vk } = readZkey(memorySource(bytesOf(small.initial)));
  // A = α, B = β, C = −Σ xᵢ·ICᵢ: with γ = δ the equation holds for any signals.
  const signals = [123456789n, 987654321n];
  const sum = vk.ic
    .map(([x, y], i) => bn254.G1.Point.fromAffine({ x, y }).multiply(i === 0 ? 1n : signals[i - 1]))
    .reduce((a, b) => a.add(b));
  const { x, y } = sum.negate().toAffine();
  const json = (p: G1Point): string[] => [`${p[0]}`, `${p[1]}`, '1'];
  const [b0, b1] = vk.beta.map((c) => c.map(String));
  const forged = {
    pi_a: json(vk.alpha),
    pi_b: [b0, b1, ['1', '0']],
    pi_c: json([x, y]),
    protocol: 'groth16',
    curve: 'bn128',
  };
  t.true(await groth16.verify(verifyingKeyToJson(vk), signals.map(String), forged), 'the forgery is real');

  const refused = { instanceOf: UnsafeVerifyingKey };
  t.throws(() => exportVerifyingKey(small.initial), refused, 'export');
  await t.throwsAsync(
    registerModel(null as never, null as never, null as never, verifyingKeyBytes(vk)),
    refused,
    'registration',
  );
  await t.throwsAsync(snarkjsEngine.loadKey(small.initial), refused, 'service start, snarkjs');
  if (nativeAvailability().available) {
    const error = await t.throwsAsync(
      nativeEngine.loadKey(small.initial),
      undefined,
      'service start, native',
    );
    t.true(error instanceof MalformedFile || error instanceof UnsafeVerifyingKey);
  }
  await t.throwsAsync(
    verifyKey(small.r1cs, small.phase1, small.initial),
    { instanceOf: InvalidCeremony },
    'audit',
  );
});

test.serial(
  'T03 wrong circuit, powers, size; truncated and bit-flipped files: refused with a typed error',
  async (t) => {
    const typed = (error: unknown): boolean =>
      error instanceof MalformedFile ||
      error instanceof InvalidCeremony ||
      error instanceof UnsafeVerifyingKey;
    await t.throwsAsync(verifyKey(withChangedCoefficient(small.r1cs), small.phase1, honest), {
      instanceOf: InvalidCeremony,
    });
    await createPtau(4, file('short.ptau'));
    await t.throwsAsync(newPhase2Key(small.r1cs, file('short.ptau'), file('x.zkey')), {
      instanceOf: CeremonyRefused,
    });
    await t.throwsAsync(newPhase2Key(small.r1cs, file('closed.ptau'), file('x.zkey')), {
      instanceOf: CeremonyRefused,
    });
    await t.throwsAsync(verifyPtau(file('short.ptau')), { instanceOf: InvalidCeremony });
    await contributePtau(file('empty.ptau'), file('other.ptau'), { name: 'other' });
    t.false(existsSync(file('x.zkey')), 'nothing is left of what failed');

    // Formats: cheap, so many. A flip that leaves the format intact must be caught by what follows.
    const sources: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
      ['zkey', bytesOf(honest), (bytes) => readZkey(memorySource(bytes))],
      ['ptau', bytesOf(small.phase1), (bytes) => readPtau(memorySource(bytes))],
      ['r1cs', bytesOf(small.r1csPath), decodeR1cs],
    ];
    for (const [name, bytes, read] of sources) {
      for (let i = 0; i < 150; i++) {
        const cut = bytes.slice(0, draw.below(bytes.length));
        const error = t.throws(() => read(cut), undefined, `${name} cut to ${cut.length}`);
        t.true(error instanceof MalformedFile, `${name}: ${error}`);
      }
      const longer = new Uint8Array(bytes.length + 1);
      longer.set(bytes);
      t.throws(() => read(longer), { instanceOf: MalformedFile });
    }
    const key = bytesOf(honest);
    // A contributor's name is in no hash of this format: the ceremony's transcript binds it, with the whole file.
    const names = (await verifyKeyFrom(initial, honest)).contributions.map(({ name }) => {
      const start = Buffer.from(key).lastIndexOf(`${String.fromCharCode(name.length)}${name}`) + 1;
      t.true(start > 0, name);
      return { start, end: start + name.length };
    });
    for (let i = 0; i < campaign(60, 500); i++) {
      const flipped = key.slice();
      const at = draw.below(key.length);
      if (names.some(({ start, end }) => at >= start && at < end)) continue;
      flipped[at] ^= 1 << draw.below(8);
      writeFileSync(file('flipped.zkey'), flipped);
      const error = await t.throwsAsync(
        verifyKeyFrom(initial, file('flipped.zkey')),
        undefined,
        `zkey bit at ${at}`,
      );
      t.true(typed(error), `${error}`);
    }
    await t.notThrowsAsync(verifyKeyFrom(initial, honest), 'the honest one still passes');
    const powers = bytesOf(small.phase1);
    for (let i = 0; i < campaign(12, 60); i++) {
      const flipped = powers.slice();
      const at = draw.below(powers.length);
      flipped[at] ^= 1 << draw.below(8);
      writeFileSync(file('flipped.ptau'), flipped);
      const error = await t.throwsAsync(verifyPtau(file('flipped.ptau')), undefined, `ptau bit at ${at}`);
      t.true(typed(error), `${error}`);
    }
  },
);

test.serial(
  'T04 forged, replayed, skipped, reordered contributions and foreign points are refused',
  async (t) => {
    const mutants = keyMutants(bytesOf(honest));
    t.true(mutants.length >= 200);
    // A third of them in the fast tier; all of them, by snarkjs too, in the slow one.
    const [powers, unused] = [bytesOf(small.phase1), bytesOf(small.initial)];
    const theirs = (bytes: Uint8Array): Promise<boolean> =>
      zKey.verifyFromInit(unused, powers, bytes, logger).catch(() => false);
    t.true(await theirs(bytesOf(honest)));
    for (const [i, { name, bytes }] of mutants.entries()) {
      if (i % campaign(3, 1) !== 0) continue;
      if (campaign(0, 1) === 1) t.false(await theirs(bytes), `snarkjs: ${name}`);
      writeFileSync(file('mutant.zkey'), bytes);
      const error = await t.throwsAsync(verifyKeyFrom(initial, file('mutant.zkey')), undefined, name);
      const isTyped =
        error instanceof MalformedFile ||
        error instanceof InvalidCeremony ||
        error instanceof UnsafeVerifyingKey;
      t.true(isTyped, `${name}: ${error}`);
    }
    await t.notThrowsAsync(verifyKeyFrom(initial, honest), 'the honest one still passes');
    // On receipt: the same checks against the head.
    await t.notThrowsAsync(verifyContribution(file('2.zkey'), file('3.zkey')));
    await t.throwsAsync(
      verifyContribution(file('1.zkey'), file('3.zkey')),
      { instanceOf: InvalidCeremony },
      'skipped one',
    );
    await t.throwsAsync(
      verifyContribution(file('3.zkey'), file('3.zkey')),
      { instanceOf: InvalidCeremony },
      'nothing new',
    );
    await contributeKey(file('1.zkey'), file('fork.zkey'), { name: 'fork' });
    await contributeKey(file('fork.zkey'), file('fork2.zkey'), { name: 'fork' });
    await t.throwsAsync(
      verifyContribution(file('2.zkey'), file('fork2.zkey')),
      { instanceOf: InvalidCeremony },
      'another past',
    );
  },
);

test.serial('finding-14: one initial key serves for any number of keys compared with it', async (t) => {
  // Its coefficients could be read once only: from the second key on, honest and forged alike were refused.
  for (let i = 0; i < 3; i++) await t.notThrowsAsync(verifyKeyFrom(initial, honest));
});

test.serial(
  'finding-31: a contribution may not say afterwards that an earlier one was a beacon',
  async (t) => {
    // Accepted on receipt, it would have failed the finished key: one upload, and a ceremony of any length is lost.
    const claimed = withContributions(bytesOf(file('3.zkey')), ([first, ...rest]) => [
      { ...first, beacon },
      ...rest,
    ]);
    writeFileSync(file('claimed.zkey'), claimed);
    const refused = { instanceOf: InvalidCeremony, message: /contribution 1 must be that of the head/ };
    await t.throwsAsync(verifyContribution(file('2.zkey'), file('claimed.zkey')), refused);
    await t.throwsAsync(verifyKeyFrom(initial, file('claimed.zkey')), { instanceOf: InvalidCeremony });
    // And back: a beacon that the head has is no longer one.
    await contributeKey(honest, file('after.zkey'), { name: 'after the beacon' });
    await t.notThrowsAsync(verifyContribution(honest, file('after.zkey')));
    const denied = withContributions(bytesOf(file('after.zkey')), (list) =>
      list.map((contribution) => ({ ...contribution, beacon: null })),
    );
    writeFileSync(file('denied.zkey'), denied);
    await t.throwsAsync(verifyContribution(honest, file('denied.zkey')), {
      instanceOf: InvalidCeremony,
      message: /contribution 4 must be that of the head/,
    });
  },
);

test.serial('T07 the same entropy twice gives two secrets, and leaves no trace in any file', async (t) => {
  const canary = Buffer.from('correct horse battery staple 4711');
  const hashes = [];
  for (const name of ['canary-1.zkey', 'canary-2.zkey']) {
    hashes.push(
      Buffer.from(
        await contributeKey(small.initial, file(name), { name: 'canary', entropy: canary }),
      ).toString('hex'),
    );
    t.false(readFileSync(file(name)).includes(canary));
  }
  t.not(hashes[0], hashes[1]);
  t.false([...process.argv, ...Object.values(process.env)].some((text) => text?.includes(canary.toString())));
});

test.serial('T10 files hold exactly the sections their format names', async (t) => {
  for (const [path, read] of [
    [honest, readZkey],
    [small.phase1, readPtau],
  ] as const) {
    const bytes = bytesOf(path);
    const more = new Uint8Array(bytes.length + 12 + 5);
    more.set(bytes);
    const view = new DataView(more.buffer);
    view.setUint32(8, view.getUint32(8, true) + 1, true);
    view.setUint32(bytes.length, 42, true);
    view.setBigUint64(bytes.length + 4, 5n, true);
    t.throws(() => read(memorySource(more)), { instanceOf: MalformedFile }, `${path}: an unknown section`);
    view.setUint32(bytes.length, 2, true);
    t.throws(() => read(memorySource(more)), { instanceOf: MalformedFile }, `${path}: a second section 2`);
  }
  // Where sections may be missing, an unknown one does not make the count too great.
  const format = { magic: 'test', versions: [1], required: [1], optional: [2, 3] };
  const sections = (ids: readonly number[]) =>
    memorySource(
      encodeContainer(
        'test',
        1,
        ids.map((id) => ({ id, pieces: [Uint8Array.of(id)] })),
      ),
    );
  t.notThrows(() => readContainer(sections([1, 3]), format));
  for (const ids of [
    [1, 4],
    [1, 42],
    [1, 2, 2],
    [2, 3],
  ])
    t.throws(() => readContainer(sections(ids), format), { instanceOf: MalformedFile }, ids.join());
});

test.serial('T11 a circuit that changed after the ceremony does not match the key', async (t) => {
  await t.throwsAsync(verifyKey(withChangedCoefficient(small.r1cs), small.phase1, honest), {
    instanceOf: InvalidCeremony,
    message: /circuit hash/,
  });
});
