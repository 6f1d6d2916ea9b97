/** Files that decide what is proven, swapped on disk after they were made or installed. */
import test from 'ava';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openCeremony } from '../../service/ceremony/opening.js';
import { CeremonyRefused, InvalidCeremony } from '../../prover/ceremony-error.js';
import { ceremonyPaths } from '../../service/ceremony/folder.js';
import { readTranscript } from '../../service/ceremony/transcript.js';
import { verifyCeremony } from '../../service/ceremony/verify.js';
import { type InstalledModel, installModel } from '../../service/install.js';
import { ArtifactDamaged, ensureFolder } from '../../service/model-folder.js';
import { modelFiles } from '../../service/model-description.js';
import { pinnedFiles, requirePinned } from '../../service/pinned-packages.js';
import { loadProver } from '../../service/proving/loaded-prover.js';
import { smallCeremony } from '../support/ceremony.js';
import { takeTurns } from '../support/coordinator.js';
import { random, seedFrom } from '../support/random.js';

let folder: string;
let installed: InstalledModel;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verinfer-pinned-'));
  installed = await installModel(await readFile('models/digits8x8/model.onnx'), {
    ...{ name: 'digits', modelsFolder: join(folder, 'models') },
  });
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

async function flipOneBit(path: string, draw: ReturnType<typeof random>): Promise<void> {
  const bytes = await readFile(path);
  bytes[draw.below(bytes.length)]! ^= 1 << draw.below(8);
  await writeFile(path, bytes);
}

test('U04 one bit of any file of a model, and neither API nor prover uses it', async (t) => {
  const draw = random(seedFrom(t.log));
  const { description, files } = installed;
  const { modelId } = description;
  const models = join(folder, 'flipped');
  await cp(installed.folder, join(models, modelId), { recursive: true });
  await t.notThrowsAsync(ensureFolder(models, modelId, files, null));
  for (const name of modelFiles) {
    const path = join(models, modelId, name);
    await flipOneBit(path, draw);
    await t.throwsAsync(ensureFolder(models, modelId, files, null), { instanceOf: ArtifactDamaged }, name);
    await copyFile(join(installed.folder, name), path);
  }
  // What the prover reads it checks itself, in case the folder changed since.
  for (const name of ['model.onnx', 'key.zkey', 'identity.json', 'description.json']) {
    const path = join(models, modelId, name);
    await flipOneBit(path, draw);
    const load = loadProver(join(models, modelId), modelId, files, 'auto');
    await t.throwsAsync(load, { instanceOf: ArtifactDamaged, message: /sha256 must be/ }, name);
    await copyFile(join(installed.folder, name), path);
  }
});

test('U04 powers of tau and keys of a ceremony are pinned by its transcript', async (t) => {
  const draw = random(seedFrom(t.log));
  const small = await smallCeremony();
  t.teardown(() => rm(small.folder, { recursive: true, force: true }));
  const home = join(folder, 'ceremony');
  await openCeremony({ folder: home, r1csPath: small.r1csPath, phase1Path: small.phase1 });
  await takeTurns(home, ['ada']);
  await t.notThrowsAsync(verifyCeremony(home));
  const p = ceremonyPaths(home);
  const { head: final } = await readTranscript(p.transcript);
  await t.throwsAsync(
    openCeremony({
      ...{ folder: join(folder, 'other'), r1csPath: small.r1csPath, phase1Path: small.phase1 },
      phase1Hash: '0'.repeat(64),
    }),
    { instanceOf: CeremonyRefused, message: /SHA-256 must be 0000/ },
    'a downloaded file with another hash than was published',
  );
  for (const path of [p.phase1, p.r1cs, p.key(final)]) {
    const good = await readFile(path);
    await flipOneBit(path, draw);
    await t.throwsAsync(
      verifyCeremony(home),
      { instanceOf: InvalidCeremony, message: /SHA-256 must be/ },
      path,
    );
    await writeFile(path, good);
  }
});

test('U04 the pairing’s WASM and ONNX Runtime are the files pinned in the source', async (t) => {
  const draw = random(seedFrom(t.log));
  await t.notThrowsAsync(requirePinned());
  const files = pinnedFiles();
  t.true(files.some(({ path }) => path.endsWith('mcl_c.js')));
  for (const { path, sha256 } of files) {
    const copy = join(folder, basename(path));
    await copyFile(path, copy);
    await t.notThrowsAsync(requirePinned([{ path: copy, sha256 }]));
    await flipOneBit(copy, draw);
    await t.throwsAsync(requirePinned([{ path: copy, sha256 }]), { instanceOf: ArtifactDamaged }, path);
    await rm(copy);
  }
});
