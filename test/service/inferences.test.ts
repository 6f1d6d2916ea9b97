import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { createKey } from '../../service/keys.js';
import {
  addFakeModel,
  call,
  sampleDigit,
  startTestService,
  untilOver,
  type TestService,
} from '../support/service.js';

let service: TestService;
test.before(async () => {
  service = await startTestService();
});
test.after.always(() => service?.stop());

test.serial('an inference is answered at once and proven behind', async (t) => {
  const data = await sampleDigit();
  const made = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { data } } });
  t.is(made.status, 202, JSON.stringify(made.body));
  t.is(made.body.state, 'answered');
  t.regex(made.body.salt, /^0x[0-9a-f]{62}$/);
  t.is(made.headers.get('location'), `/v1/inferences/${made.body.id}`);
  const proven = made.body.outputs.filter((o: { proven: boolean }) => o.proven);
  t.is(proven.length, 1);
  t.is(proven[0].data.length, 10);
  const over = await untilOver(service.url, made.body.id);
  t.is(over.state, 'proven');
  t.is(over.salt, undefined, 'the salt is returned once');
  const receipt = await call(service.url, `/v1/receipts/${made.body.id}`);
  t.is(receipt.status, 200);
});

test.serial('base64 bytes and numbers give the same answer', async (t) => {
  const data = await sampleDigit(3);
  const base64 = Buffer.from(new Float32Array(data).buffer).toString('base64');
  const one = await call(service.url, '/v1/models/digits8x8/inferences', {
    body: { input: { data, shape: [1, 1, 8, 8], dtype: 'float32' } },
  });
  const two = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { base64 } } });
  t.is(one.status, 202, JSON.stringify(one.body));
  t.deepEqual(one.body.outputs, two.body.outputs);
});

test.serial('events end with the last state', async (t) => {
  const data = await sampleDigit(1);
  const made = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { data } } });
  const response = await fetch(`${service.url}/v1/inferences/${made.body.id}/events`);
  const text = await response.text();
  t.regex(text, /event: state\ndata: .*"state":"proven"/);
});

test.serial('private inputs are erased from PostgreSQL after the proof', async (t) => {
  const data = (await sampleDigit(2)).map((x, i) => (i === 0 ? 0.123456789 : x));
  const canary = Buffer.from(new Float32Array([0.123456789]).buffer).toString('hex');
  const holds = async (): Promise<boolean> => {
    const { rows } = await service.pool.query(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables where table_schema in ('public', 'graphile_worker', 'errands')`,
    );
    for (const { name } of rows as { name: string }[]) {
      const found = await service.pool
        .query(`select 1 from ${name} t where t::text like $1 limit 1`, [`%${canary}%`])
        .catch(() => ({ rowCount: 0 }));
      if (found.rowCount) return true;
    }
    return false;
  };
  await service.prover!.stop();
  const made = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { data } } });
  t.true(await holds(), 'the canary is found while the proof is outstanding');
  service.prover = await service.startProver();
  t.is((await untilOver(service.url, made.body.id)).state, 'proven');
  t.false(await holds());
});

test.serial('private inputs are erased after retentionMs when no proof was made', async (t) => {
  await service.prover!.stop();
  const made = await call(service.url, '/v1/models/digits8x8/inferences', {
    body: { input: { data: await sampleDigit(4) }, retentionMs: 1000 },
  });
  service.prover = null;
  await service.pool.query(
    `update private_inputs set expires_at = now() - interval '1 second' where inference_id = $1`,
    [made.body.id],
  );
  service.prover = await service.startProver();
  const over = await untilOver(service.url, made.body.id);
  t.is(over.state, 'failed');
  t.is(over.error.code, 'input-expired');
  const { rowCount } = await service.pool.query('select 1 from private_inputs where inference_id = $1', [
    made.body.id,
  ]);
  t.is(rowCount, 0);
});

test.serial('bad input is refused with the field named, and nothing is queued', async (t) => {
  const data = await sampleDigit();
  const before = await service.pool.query('select count(*)::int as n from inferences');
  const post = (body: unknown) => call(service.url, '/v1/models/digits8x8/inferences', { body });
  const cases: [unknown, number, RegExp][] = [
    [{ input: { data: data.slice(1) } }, 422, /body\.input\.data/],
    [{ input: { data, shape: [8, 8] } }, 422, /body\.input\.shape/],
    [{ input: { data, dtype: 'int8' } }, 422, /body\.input\.dtype/],
    [{ input: { data: data.map((x, i) => (i === 7 ? 1e39 : x)) } }, 422, /body\.input\.data\[7\]/],
    [
      { input: { base64: Buffer.from(new Float32Array(64).fill(NaN).buffer).toString('base64') } },
      422,
      /base64\[0\]/,
    ],
    [{ input: { base64: 'AAAA' } }, 422, /body\.input\.base64/],
    [{ input: { base64: '!!!!' } }, 422, /body\.input\.base64/],
    [{}, 422, /body\.input/],
    [{ inputs: { nonsense: { data } } }, 422, /body\.inputs/],
    [{ input: { data }, colour: 1 }, 400, /body\.colour/],
    [{ input: { data }, settlement: 'maybe' }, 400, /body\.settlement/],
    [{ input: { data }, salt: '0x12' }, 400, /body\.salt/],
    [{ input: { data }, minimumSetupClass: 'ceremony' }, 422, /minimumSetupClass/],
  ];
  for (const [body, status, field] of cases) {
    const reply = await post(body);
    t.is(reply.status, status, JSON.stringify(reply.body));
    t.regex(JSON.stringify(reply.body.issues), field);
    t.is(reply.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  }
  t.is((await call(service.url, '/v1/models/unknown/inferences', { body: { input: { data } } })).status, 404);
  t.is((await call(service.url, '/v1/models/digits8x8/inferences', { raw: '{"input":' })).status, 400);
  t.is(
    (await call(service.url, '/v1/models/digits8x8/inferences', { raw: '{"input":{"data":[NaN]}}' })).status,
    400,
  );
  t.is(
    (await call(service.url, '/v1/models/digits8x8/inferences', { raw: `{"a":"${'x'.repeat(1_100_000)}"}` }))
      .status,
    413,
  );
  const after = await service.pool.query('select count(*)::int as n from inferences');
  t.deepEqual(after.rows, before.rows);
});

test.serial(
  'a model that every prover refuses is refused before anything is queued, and the service says it is not ready',
  async (t) => {
    const lame = await addFakeModel(service.pool, service.config.modelsFolder, null, 'lame');
    // Its own alone: a file that another model shares would be fetched by its hash.
    await writeFile(join(service.config.modelsFolder, lame, 'description.json'), 'damaged');
    let ready = 200;
    for (let n = 0; n < 100 && ready === 200; n++) {
      ready = (await call(service.url, '/readyz')).status;
      await new Promise((done) => setTimeout(done, 100));
    }
    t.is(ready, 503);
    let reply = await call(service.url, '/v1/models/lame/inferences', {
      body: { input: { data: await sampleDigit() } },
    });
    for (let n = 0; n < 100 && reply.status !== 503; n++) {
      reply = await call(service.url, '/v1/models/lame/inferences', {
        body: { input: { data: await sampleDigit() } },
      });
      await new Promise((done) => setTimeout(done, 100));
    }
    t.is(reply.status, 503);
    t.is(reply.body.code, 'not-ready');
    await service.pool.query('update models set removed_at = now() where id = $1', [lame]);
    t.is((await call(service.url, '/readyz')).status, 200);
  },
);

test.serial('a batch is accepted whole or not at all', async (t) => {
  const count = async (): Promise<number> =>
    (await service.pool.query('select count(*)::int as n from inferences')).rows[0].n as number;
  const { text } = await createKey(service.pool, {
    tenantId: 'batcher',
    name: 'of seven units',
    scopes: ['infer', 'read'],
    unitsPerDay: 7,
    expiresAt: null,
  });
  const headers = { Authorization: `Bearer ${text}`, 'Idempotency-Key': 'too-many' };
  const items = await Promise.all([1, 2, 3].map(async (n) => ({ input: { data: await sampleDigit(n) } })));
  const before = await count();
  const refused = await call(service.url, '/v1/models/digits8x8/batches', { body: { items }, headers });
  t.is(refused.status, 429, JSON.stringify(refused.body));
  t.is(await count(), before, 'three units each: the third did not fit, so none was taken');
  const smaller = await call(service.url, '/v1/models/digits8x8/batches', {
    body: { items: items.slice(0, 2) },
    headers,
  });
  t.is(smaller.status, 202, 'neither the units nor the key were spent');
  const bad = await call(service.url, '/v1/models/digits8x8/batches', {
    body: { items: [items[0], { input: { data: [1] } }] },
  });
  t.is(bad.body.issues[0].field, 'body.items.1.input.data');
});
