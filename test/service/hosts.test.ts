/** Several hosts on one database: they find each other's artifacts there, and what nothing names is removed. */
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { artifactPeers, reachableUrl } from '../../service/artifact-peers.js';
import { uploadPath } from '../../service/installs.js';
import {
  ArtifactDamaged,
  ensureFolder,
  fetchFromPeers,
  tableOf,
  unnamedArtifacts,
} from '../../service/model-folder.js';
import {
  addInstall,
  failAbandonedInstalls,
  readInstall,
  waitingUploads,
} from '../../service/store/installs.js';
import { modelIdsInUse, readModel } from '../../service/store/models.js';
import { addFakeModel, call, startTestService, type TestService } from '../support/service.js';

let service: TestService;
let elsewhere: string;
test.before(async () => {
  service = await startTestService({ environment: { VERINFER_REQUIRE_KEYS: 'true' }, prover: false });
  elsewhere = await mkdtemp(join(tmpdir(), 'verinfer-host-'));
});
test.after.always(async () => {
  await service?.stop();
  await rm(elsewhere, { recursive: true, force: true });
});

test.serial(
  'F11 a host with nothing but the database fetches a model from any API host, by hash, with a key of its own',
  async (t) => {
    await service.pool.query(`insert into tenants (id) values ('alice')`);
    const modelId = await addFakeModel(service.pool, service.config.modelsFolder, 'alice', 'private-model');
    const { files } = (await readModel(service.pool, modelId))!;
    const peers = artifactPeers(service.pool, service.config, 'prover-elsewhere');
    const folder = await ensureFolder(elsewhere, modelId, files, peers);
    t.deepEqual(await tableOf(folder), files);
    await writeFile(join(folder, 'key.zkey'), 'damaged');
    await ensureFolder(elsewhere, modelId, files, peers);
    t.deepEqual(await tableOf(folder), files, 'what is damaged is fetched again');

    const { rows } = await service.pool.query(
      `select octet_length(secret_digest) as bytes, expires_at - now() < interval '11 minutes' as short from api_keys where tenant_id = 'hosts'`,
    );
    t.deepEqual(rows, [{ bytes: 32, short: true }], 'one key, hashed, for minutes');
    const alone = artifactPeers(service.pool, { ...service.config, leaseMs: 0 }, 'prover-elsewhere');
    await rm(join(folder, 'vk.json'));
    await t.throwsAsync(ensureFolder(elsewhere, modelId, files, alone), {
      instanceOf: ArtifactDamaged,
      message: /no peer/,
    });
  },
);

test.serial('an upload is fetched by the host that took the job, and by no tenant', async (t) => {
  const bytes = Buffer.from('not a model');
  const modelHash = createHash('sha256').update(bytes).digest('hex');
  const id = `ins_${'a'.repeat(24)}`;
  await mkdir(join(service.config.modelsFolder, 'uploads'), { recursive: true });
  await writeFile(uploadPath(service.config.modelsFolder, id), bytes);
  await service.pool.query(`insert into tenants (id) values ('uploader') on conflict do nothing`);
  const options = { inputMode: 'committed', outputMode: 'packed' } as const;
  const install = {
    id,
    tenantId: 'uploader',
    name: 'x',
    modelHash,
    sizeBytes: bytes.length,
    options,
  };
  await addInstall(service.pool, install);
  t.is((await call(service.url, `/v1/artifacts/${modelHash}`)).status, 401);
  const path = join(elsewhere, 'upload.onnx');
  await fetchFromPeers(
    path,
    { sha256: modelHash, sizeBytes: bytes.length },
    artifactPeers(service.pool, service.config, 'b'),
  );
  t.is((await stat(path)).size, bytes.length);

  // Its job tried as often as it may be, and still unfinished: it ends as failed instead of standing for ever.
  await service.pool.query(`delete from errands._private_jobs where key = $1`, [`install:${install.id}`]);
  await service.pool.query(
    `update model_installs set state = 'compiling', updated_at = now() - interval '5 minutes' where id = $1`,
    [install.id],
  );
  await failAbandonedInstalls(service.pool);
  t.is((await readInstall(service.pool, install.id, 'uploader'))!.state, 'failed');
});

test.serial('gc removes what nothing names, and spares what is young or in use', async (t) => {
  const { modelsFolder } = service.config;
  const make = async (path: string, ageMs: number): Promise<void> => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'f'), 'x');
    const then = new Date(Date.now() - ageMs);
    for (const each of [join(path, 'f'), path]) await utimes(each, then, then);
  };
  const old = join(modelsFolder, `0x${'ee'.repeat(32)}`);
  await make(old, 7_200_000);
  await make(join(modelsFolder, 'partial-now'), 0);
  const upload = uploadPath(modelsFolder, `ins_${'f'.repeat(24)}`);
  await writeFile(upload, 'left behind');
  await utimes(upload, new Date(0), new Date(0));
  const named = { modelIds: await modelIdsInUse(service.pool), uploads: await waitingUploads(service.pool) };
  t.true(named.modelIds.has(service.modelId));
  const found = await unnamedArtifacts(modelsFolder, named, 3_600_000);
  t.deepEqual(found.map(({ path }) => path).sort(), [old, upload].sort());
  t.true((await readdir(modelsFolder)).includes(service.modelId));
});

test('an API that listens everywhere tells others its name', (t) => {
  t.is(reachableUrl({ host: '10.1.2.3', port: 80 }), 'http://10.1.2.3:80');
  t.is(reachableUrl({ host: '::1', port: 80 }), 'http://[::1]:80');
  t.notRegex(reachableUrl({ host: '0.0.0.0', port: 80 }), /0\.0\.0\.0/);
});
