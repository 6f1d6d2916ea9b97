/** A request that is refused or replayed costs no run of its model. */
import test from 'ava';
import { startApi, type Api } from '../../service/api.js';
import type { ApiParts } from '../../service/api-parts.js';
import { createKey } from '../../service/keys.js';
import { call, sampleDigit, startTestService, type Json, type TestService } from '../support/service.js';

let service: TestService;
let api: Api;
let runs = 0;
let digit: number[];

test.before(async () => {
  digit = await sampleDigit();
  service = await startTestService({
    prover: false,
    environment: { VERINFER_REQUIRE_KEYS: 'true', VERINFER_MAX_QUEUE: '3' },
  });
  const { config, pool, databaseUrl, log } = service;
  api = await startApi({ config, pool, databaseUrl, log, extend: (_, parts) => countRuns(parts) });
});
test.after.always(async () => {
  await api?.stop();
  await service?.stop();
});

function countRuns({ models }: ApiParts): void {
  const session = models.session.bind(models);
  models.session = async (row) => {
    const opened = await session(row);
    return {
      ...opened,
      run: (inputs) => {
        runs++;
        return opened.run(inputs);
      },
    };
  };
}

async function client(tenantId: string, unitsPerDay: number | null) {
  const { text } = await createKey(service.pool, {
    ...{ tenantId, unitsPerDay, expiresAt: null },
    name: 'test',
    scopes: ['infer', 'read'],
  });
  const post = async (path: string, body: object, key?: string): Promise<{ reply: Json; ran: number }> => {
    const before = runs;
    const headers = { Authorization: `Bearer ${text}`, ...(key ? { 'Idempotency-Key': key } : {}) };
    const reply = await call(api.url, `/v1/models/digits8x8/${path}`, { body, headers });
    return { reply, ran: runs - before };
  };
  return post;
}

const input = (n: number): object => ({ input: { data: digit.map((x, i) => (i === 0 ? n / 1e6 : x)) } });

test.serial('Q05 a replayed request, and another body under its key, run no model', async (t) => {
  const post = await client('replaying', null);
  const first = await post('inferences', input(1), 'key-of-one');
  t.is(first.reply.status, 202);
  t.is(first.ran, 1);
  const again = await post('inferences', input(1), 'key-of-one');
  t.is(again.reply.body.id, first.reply.body.id);
  t.is(again.reply.headers.get('idempotency-replayed'), 'true');
  t.is(again.ran, 0);
  const other = await post('inferences', input(2), 'key-of-one');
  t.is(other.reply.body.code, 'idempotency-mismatch');
  t.is(other.ran, 0);
  const items = { items: [input(3), input(4)] };
  const batch = await post('batches', items, 'key-of-two');
  t.is(batch.reply.status, 202, JSON.stringify(batch.reply.body));
  t.is(batch.ran, 2);
  const replayed = await post('batches', items, 'key-of-two');
  t.is(replayed.reply.body.id, batch.reply.body.id);
  t.is(replayed.ran, 0);
});

test.serial('A06 what is over the quota of its key runs no model, one alone or in a batch', async (t) => {
  // Three units each.
  const post = await client('spending', 7);
  t.is((await post('inferences', input(10))).reply.status, 202);
  const tooMany = await post('batches', { items: [input(11), input(12)] });
  t.is(tooMany.reply.body.code, 'quota-exhausted');
  t.is(tooMany.ran, 0);
  t.is((await post('inferences', input(13))).reply.status, 202);
  const over = await post('inferences', input(14));
  t.is(over.reply.body.code, 'quota-exhausted');
  t.is(over.reply.status, 429);
  t.is(over.ran, 0);
});

test.serial('Q10 what does not fit in the queue of its tenant runs no model', async (t) => {
  const post = await client('queueing', null);
  const four = await post('batches', { items: [20, 21, 22, 23].map(input) });
  t.is(four.reply.body.code, 'queue-full');
  t.is(four.ran, 0);
  for (let n = 0; n < 3; n++) t.is((await post('inferences', input(30 + n))).reply.status, 202);
  const full = await post('inferences', input(40));
  t.is(full.reply.body.code, 'queue-full');
  t.is(full.reply.headers.get('retry-after'), '10');
  t.is(full.ran, 0);
});
