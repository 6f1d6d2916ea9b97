import { setTimeout as sleep } from 'node:timers/promises';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import type { PoolClient } from 'pg';
import { migrate, schemaVersion, SchemaTooNew } from '../../service/store/migrations.js';
import { openPool } from '../../service/store/pool.js';
import { Queue } from '../../service/queue.js';
import { createLog } from '../../service/log.js';
import { claimInference, completeProof } from '../../service/store/proofs.js';
import { repairQueues } from '../../service/store/jobs.js';
import { reapHosts } from '../../service/store/hosts.js';
import { ensureFolder, ArtifactDamaged } from '../../service/model-folder.js';
import { readModel } from '../../service/store/models.js';
import { startPostgres } from '../../service/postgres.js';
import { mischief } from '../support/fake-thread.js';
import { random, seedFrom } from '../support/random.js';
import { call, sampleDigit, startTestService, untilOver, type TestService } from '../support/service.js';

let service: TestService;
test.before(async () => {
  service = await startTestService({
    environment: {
      VERINFER_PROOF_TIMEOUT_MS: '1500',
      VERINFER_PROVER_MEMORY_MB: '700',
      VERINFER_LEASE_MS: '1000',
    },
  });
});
test.after.always(() => service?.stop());

/** Accepts one inference whose first input value tells the fake thread what to do. */
async function submit(
  first: number,
  headers: Record<string, string> = {},
  extra: object = {},
): Promise<string> {
  const data = await sampleDigit(first);
  data[0] = first;
  const reply = await call(service.url, '/v1/models/digits8x8/inferences', {
    body: { input: { data }, ...extra },
    headers,
  });
  if (reply.status !== 202) throw new Error(JSON.stringify(reply.body));
  return reply.body.id as string;
}

test.serial(
  'Q03 a result that comes after its lease was lost is discarded by its fencing token',
  async (t) => {
    await service.prover!.stop();
    const id = await submit(1);
    const first = (await claimInference(service.pool, id, 'slow host'))!;
    const second = (await claimInference(service.pool, id, 'fast host'))!;
    t.true(second.fence > first.fence);
    const result = {
      receipt: Buffer.from('{"by":"slow"}'),
      receiptDigest: Buffer.alloc(32),
      timings: {},
      operator: null,
    };
    t.false(await completeProof(service.pool, id, first.fence, result));
    t.true(
      await completeProof(service.pool, id, second.fence, {
        ...result,
        receipt: Buffer.from('{"by":"fast"}'),
      }),
    );
    t.false(await completeProof(service.pool, id, second.fence, result), 'nor is a result taken twice');
    t.deepEqual((await call(service.url, `/v1/receipts/${id}`)).body, { by: 'fast' });
    const { rows } = await service.pool.query('select count(*)::int as n from receipts where id = $1', [id]);
    t.is(rows[0].n, 1);
    service.prover = await service.startProver();
  },
);

test.serial('Q03 the jobs of a host that stopped renewing its lease are taken over', async (t) => {
  await service.prover!.stop();
  service.prover = null;
  const id = await submit(2);
  await service.pool.query(
    `insert into hosts (id, kind, name, worker_ids, beat_at) values ('gone', 'prover', 'gone', '{gone/0.0}', now() - interval '10 seconds')`,
  );
  await service.pool.query(
    `update graphile_worker._private_jobs set locked_at = now(), locked_by = 'gone/0.0' where key = $1`,
    [`prove:${id}`],
  );
  await claimInference(service.pool, id, 'gone');
  const started = Date.now();
  service.prover = await service.startProver();
  t.is((await untilOver(service.url, id)).state, 'proven');
  t.true(Date.now() - started < 5_000);
});

test.serial(
  'Q06 a job that kills its process three times alone is given up; its neighbours are proven',
  async (t) => {
    const good = await Promise.all([submit(10), submit(11)]);
    const bad = await submit(mischief.segfault);
    const more = await Promise.all([submit(12), submit(13), submit(14)]);
    for (const id of [...good, ...more]) t.is((await untilOver(service.url, id)).state, 'proven');
    const over = await untilOver(service.url, bad);
    t.is(over.state, 'failed');
    t.is(over.error.code, 'prover-crashed');
    const { rows } = await service.pool.query('select crash_count from inferences where id = $1', [bad]);
    t.is(rows[0].crash_count, 3);
  },
);

test.serial('Q07 the API answers while the prover process dies of a native fault', async (t) => {
  const bad = await submit(mischief.exit);
  for (let n = 0; n < 10; n++) {
    t.is((await call(service.url, '/healthz')).status, 200);
    t.is((await call(service.url, `/v1/inferences/${bad}`)).status, 200);
    await sleep(20);
  }
  t.is((await untilOver(service.url, bad)).error.code, 'prover-crashed');
});

for (const kind of ['buffers', 'wasm', 'heap'] as const)
  test.serial(
    `Q08 a job that hogs ${kind} ends at the memory limit; only its process is killed`,
    async (t) => {
      const id = await submit(mischief[kind]);
      const over = await untilOver(service.url, id, 90_000);
      t.is(over.state, 'failed', JSON.stringify(over.error));
      t.true(['prover-crashed', 'proof-timeout'].includes(over.error.code));
      t.is((await call(service.url, '/healthz')).status, 200);
      t.is((await untilOver(service.url, await submit(20))).state, 'proven');
    },
  );

test.serial(
  'Q08 the prover process is replaced after its number of proofs, also under a backlog',
  async (t) => {
    await service.prover!.stop();
    service.prover = await service.startProver({ proverRecycle: 6 });
    const pids = new Set<number>();
    const watch = setInterval(() => {
      const { pid } = service.prover!.child;
      if (pid !== undefined) pids.add(pid);
    }, 5);
    const ids = await Promise.all(Array.from({ length: 40 }, (_, n) => submit(700 + n)));
    for (const id of ids) t.is((await untilOver(service.url, id)).state, 'proven');
    clearInterval(watch);
    t.true(pids.size >= 4, `processes: ${pids.size}`);
    await service.prover!.stop();
    service.prover = await service.startProver();
  },
);

test.serial('Q09 a proof that never ends is killed at its deadline and fails', async (t) => {
  const started = Date.now();
  const over = await untilOver(service.url, await submit(mischief.loop));
  t.is(over.error.code, 'proof-timeout');
  t.true(Date.now() - started < 10_000);
  t.is((await untilOver(service.url, await submit(21))).state, 'proven');
});

test.serial('an answer that the integer reference contradicts fails, naming the element', async (t) => {
  const over = await untilOver(service.url, await submit(mischief.mismatch));
  t.is(over.error.code, 'answer-mismatch');
  t.regex(over.error.detail, /element 0/);
});

test.serial(
  'Q05 one Idempotency-Key: same body gives the same inference, another body 422, another tenant its own',
  async (t) => {
    const key = { 'Idempotency-Key': 'once' };
    const [first, ...others] = await Promise.all(Array.from({ length: 100 }, () => submit(30, key)));
    t.true(
      others.every((id) => id === first),
      'a hundred at once make one',
    );
    const data = await sampleDigit(31);
    const mismatch = await call(service.url, '/v1/models/digits8x8/inferences', {
      body: { input: { data } },
      headers: key,
    });
    t.is(mismatch.status, 422);
    t.is(mismatch.body.code, 'idempotency-mismatch');
    const replayed = await call(service.url, '/v1/models/digits8x8/inferences', {
      body: { input: { data: await withFirst(30) } },
      headers: key,
    });
    t.is(replayed.headers.get('idempotency-replayed'), 'true');
    await service.pool.query(
      `update idempotency_keys set created_at = now() - interval '25 hours' where key = 'once'`,
    );
    t.not(await submit(30, key), first, 'after a day the key is new');
    await service.pool.query(`insert into tenants (id) values ('other')`);
    const { rows } = await service.pool.query(
      `select outcome from accept_inference(jsonb_build_object('id', 'inf_x', 'tenantId', 'other', 'modelId', $1::text, 'idempotencyKey', 'once', 'bodyDigest', 'aa', 'settlement', 'none',
       'units', 1, 'retentionMs', 1000, 'request', '{"statement":{"operator":"0x0"}}'::jsonb, 'outputs', '{"tensors":[]}'::jsonb, 'timings', '{}'::jsonb), ''::bytea, null, null, 10)`,
      [service.modelId],
    );
    t.is(rows[0].outcome, 'accepted');
  },
);

async function withFirst(first: number): Promise<number[]> {
  const data = await sampleDigit(first);
  data[0] = first;
  return data;
}

test.serial(
  'Q10 one tenant cannot starve another: a late job of a small tenant overtakes a backlog',
  async (t) => {
    await service.prover!.stop();
    service.prover = null;
    const backlog = await Promise.all(Array.from({ length: 40 }, (_, n) => submit(100 + n)));
    await service.pool.query(`insert into tenants (id) values ('small')`);
    await service.pool.query(`update tenants set last_ticket = 0 where id = 'small'`);
    const accept = `select * from accept_inference(jsonb_build_object('id', $2::text, 'tenantId', 'small', 'modelId', $1::text, 'settlement', 'none', 'units', 1, 'retentionMs', 60000,
      'request', (select request from inferences limit 1), 'outputs', (select outputs from inferences limit 1), 'timings', '{}'::jsonb), (select tensors from private_inputs limit 1), null, null, 10)`;
    await service.pool.query(accept, [service.modelId, `inf_${'0'.repeat(32)}`]);
    service.prover = await service.startProver();
    for (const id of backlog) await untilOver(service.url, id);
    const { rows } = await service.pool.query(
      `select count(*)::int as before from inferences where tenant_id = 'development' and id = any($1) and proven_at < (select proven_at from inferences where id = $2)`,
      [backlog, `inf_${'0'.repeat(32)}`],
    );
    t.true(rows[0].before <= 10, `proven before it: ${rows[0].before} of 40`);
  },
);

test.serial('Q10 a full queue answers 429 with Retry-After, and nothing of it is kept', async (t) => {
  const { rows } = await service.pool.query(
    `select outcome from accept_inference(jsonb_build_object('id', 'inf_y', 'tenantId', 'other', 'modelId', $1::text, 'idempotencyKey', 'full', 'bodyDigest', 'aa', 'settlement', 'none',
       'units', 1, 'retentionMs', 1000, 'request', '{}'::jsonb, 'outputs', '{}'::jsonb, 'timings', '{}'::jsonb), ''::bytea, null, null, 0)`,
    [service.modelId],
  );
  t.is(rows[0].outcome, 'full');
  t.is((await service.pool.query(`select 1 from idempotency_keys where key = 'full'`)).rowCount, 0);
});

test.serial('Q12 a rolling restart of the prover host loses nothing', async (t) => {
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    ids.push(...(await Promise.all(Array.from({ length: 6 }, (_, n) => submit(200 + 10 * round + n)))));
    await sleep(20);
    await service.prover!.stop();
    service.prover = await service.startProver();
  }
  for (const id of ids) t.is((await untilOver(service.url, id)).state, 'proven');
});

test.serial('Q11 a schema of a newer release is refused', async (t) => {
  await service.pool.query('insert into schema_steps (number) values ($1)', [schemaVersion + 1]);
  await t.throwsAsync(migrate(service.pool), { instanceOf: SchemaTooNew, message: /must be at most/ });
  await service.pool.query('delete from schema_steps where number = $1', [schemaVersion + 1]);
  await t.notThrowsAsync(migrate(service.pool));
});

test.serial('Q11 flipped bits in stored rows are found by page checksums, never read as data', async (t) => {
  const draw = random(seedFrom(t.log.bind(t)));
  const { rows } = await service.pool.query(
    `select pg_relation_filepath('inferences') as path, current_setting('data_directory') as folder, current_setting('data_checksums') as on`,
  );
  t.is(rows[0].on, 'on');
  await service.pool.query('checkpoint');
  const path = join(rows[0].folder, rows[0].path);
  const copy = await readFile(path);
  const pages = Math.floor(copy.length / 8192);
  let found = 0;
  for (let n = 0; n < 200; n++) {
    const at = draw.below(pages) * 8192 + draw.below(8192);
    const bytes = Buffer.from(copy);
    bytes[at]! ^= 1 << draw.below(8);
    if (!pageHolds(bytes.subarray(at - (at % 8192), at - (at % 8192) + 8192), Math.floor(at / 8192))) found++;
  }
  t.is(found, 200);
});

test.serial('Q14 a stored artifact that was altered, cut or removed is refused by its hash', async (t) => {
  const model = (await readModel(service.pool, service.modelId))!;
  const folder = join(service.config.modelsFolder, service.modelId);
  const path = join(folder, 'executed.onnx');
  const good = await readFile(path);
  const draw = random(seedFrom(t.log.bind(t)));
  for (let n = 0; n < 60; n++) {
    const bytes = Buffer.from(good);
    const cut = n % 3 === 0 ? bytes.subarray(0, draw.below(bytes.length)) : bytes;
    if (cut === bytes) bytes[draw.below(bytes.length)]! ^= 1 << draw.below(8);
    await writeFile(path, cut);
    await t.throwsAsync(ensureFolder(service.config.modelsFolder, service.modelId, model.files, null), {
      instanceOf: ArtifactDamaged,
    });
  }
  await promisify(execFile)('rm', [path]);
  await t.throwsAsync(ensureFolder(service.config.modelsFolder, service.modelId, model.files, null), {
    instanceOf: ArtifactDamaged,
  });
  // With an API host to ask, it is fetched; here the host itself lacks it, so that fails too, and then it is put back.
  await writeFile(path, good);
  await t.notThrowsAsync(ensureFolder(service.config.modelsFolder, service.modelId, model.files, null));
});

test.serial('Q01 an open inference without a job gets one again', async (t) => {
  await service.prover!.stop();
  service.prover = null;
  const id = await submit(40);
  await service.pool.query(`delete from graphile_worker._private_jobs where key = $1`, [`prove:${id}`]);
  t.is((await repairQueues(service.pool, 60_000)).requeued, 1);
  await reapHosts(service.pool, 1000);
  service.prover = await service.startProver();
  t.is((await untilOver(service.url, id)).state, 'proven');
});

test.serial(
  'Q02 what was accepted was flushed: the server runs with fsync and synchronous commits',
  async (t) => {
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) {
      const { rows } = await service.pool.query(`select current_setting($1) as value`, [name]);
      t.is(rows[0].value, 'on', name);
    }
  },
);

test.serial('Q04 a database that cannot write refuses intake with 503 and goes on when it can', async (t) => {
  await service.pool.query(`alter system set default_transaction_read_only = on`);
  await service.pool.query('select pg_reload_conf()');
  await sleep(300);
  const data = await sampleDigit(50);
  const refused = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { data } } });
  t.is(refused.status, 503);
  t.is(refused.body.code, 'unavailable');
  const client = openPool(service.databaseUrl, service.log, 1);
  await client.query('set default_transaction_read_only = off');
  await client.query('alter system reset default_transaction_read_only');
  await client.query('select pg_reload_conf()');
  await client.end();
  await sleep(500);
  t.is((await untilOver(service.url, await submit(51))).state, 'proven');
});

test.serial(
  'Q01 PostgreSQL killed with -9 comes back on its port with every accepted inference',
  async (t) => {
    const ids = await Promise.all(Array.from({ length: 5 }, (_, n) => submit(300 + n)));
    const pid = (await service.postgres.pid())!;
    process.kill(pid, 'SIGKILL');
    const started = Date.now();
    for (;;) {
      const ready = await call(service.url, '/readyz').catch(() => null);
      if (ready?.status === 200 && (await service.postgres.pid()) !== pid) break;
      if (Date.now() - started > 20_000) throw new Error('must be back within 20 s');
      await sleep(50);
    }
    t.log(`back after ${Date.now() - started} ms`);
    for (const id of ids) t.is((await untilOver(service.url, id, 60_000)).state, 'proven');
    const attached = await startPostgres(service.config.dataFolder, { keep: false });
    t.false(attached.started, 'a second start attaches through postmaster.pid');
  },
);

/** pg_checksum_page: FNV-1a in 32 lanes over the page with its checksum field zeroed, folded with the block number. */
function pageHolds(page: Buffer, block: number): boolean {
  const offsets = [
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
    0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
    0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
    0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
  ];
  if (page.every((byte) => byte === 0)) return true;
  const stored = page.readUInt16LE(8);
  const copy = Buffer.from(page);
  copy.writeUInt16LE(0, 8);
  const sums = Uint32Array.from(offsets);
  const step = (lane: number, value: number): void => {
    const mixed = (sums[lane]! ^ value) >>> 0;
    sums[lane] = (Math.imul(mixed, 16777619) ^ (mixed >>> 17)) >>> 0;
  };
  for (let at = 0; at < 8192; at += 128)
    for (let lane = 0; lane < 32; lane++) step(lane, copy.readUInt32LE(at + 4 * lane));
  for (let round = 0; round < 2; round++) for (let lane = 0; lane < 32; lane++) step(lane, 0);
  const folded = (sums.reduce((all, sum) => (all ^ sum) >>> 0, 0) ^ block) >>> 0;
  return (folded % 65535) + 1 === stored;
}

test.serial(
  'sixteen queue slots share a pool without adding a listener to it or to a connection',
  async (t) => {
    const log = createLog({ logLevel: 'silent' }, 'test');
    const pool = openPool(service.databaseUrl, log, 20);
    const connections: PoolClient[] = [];
    pool.on('connect', (client) => connections.push(client));
    const heard = (): readonly number[] => [pool.listenerCount('error'), pool.listenerCount('connect')];
    const before = heard();
    const done = new Set<number>();
    const tasks = { 'count-me': async (payload: unknown) => void done.add(payload as number) };
    const queue = new Queue({ pool, log, queue: 'proofs', slots: 16, tasks });
    queue.start();
    try {
      for (let n = 0; n < 40; n++)
        await pool.query(`select graphile_worker.add_job('count-me', $1::json)`, [n]);
      while (done.size < 40) await sleep(20);
      t.deepEqual(heard(), before);
      t.true(connections.length > 1);
      for (const client of connections) t.true(client.listenerCount('error') <= 10);
    } finally {
      await queue.stop();
      await pool.end();
    }
  },
);
