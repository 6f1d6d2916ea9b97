/** The whole service, every process of it, with real proofs and real settlements. */
import { open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { StoredRequest } from '../../service/statement.js';
import { call, sampleDigit, temporaryFolder, untilOver } from '../support/service.js';
import { startWholeService, type WholeService } from '../support/whole-service.js';

const folder = await temporaryFolder();
let service: WholeService;
let output: FileHandle;
const logPath = join(folder, 'service.log');

test.before(async () => {
  output = await open(logPath, 'a');
  service = await startWholeService({
    folder,
    environment: { VERINFER_LOG: 'trace', VERINFER_LEASE_MS: '1000', VERINFER_PROVERS: '1' },
    output: output.fd,
  });
});

test.after.always(async () => {
  await service?.stop();
  await output?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The value of a series, or NaN. */
const valueOf = (page: string, name: string): number =>
  Number(
    page
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? Number.NaN,
  );

test.serial(
  'A18 after one proven and settled inference the metrics count it, stage by stage, and the log names it without its input',
  async (t) => {
    const data = await sampleDigit(3);
    // Canaries: a number and a salt that occur nowhere else.
    data[0] = 0.8675309;
    const salt = `0x${'c0ffee'.repeat(10)}11`;
    const made = await call(service.url, '/v1/models/digits8x8/inferences', {
      body: { input: { data }, settlement: 'onchain', salt },
    });
    t.is(made.status, 202, JSON.stringify(made.body));
    const over = await untilOver(service.url, made.body.id as string, 60_000);
    t.is(over.state, 'settled');

    const counted = [
      'verinfer_settlement_gas_total',
      'verinfer_stage_seconds_count{stage="prove"}',
      'verinfer_stage_seconds_count{stage="answer"}',
    ];
    let page = '';
    for (let n = 0; n < 100; n++) {
      page = await (await fetch(`${service.url}/metrics`)).text();
      if (counted.every((name) => valueOf(page, name) > 0)) break;
      await sleep(200);
    }
    const proofs = ['native', 'snarkjs'].map((engine) =>
      valueOf(page, `verinfer_proofs_total{outcome="proven",engine="${engine}"}`),
    );
    t.is(proofs[0]! + proofs[1]!, 1);
    for (const stage of ['answer', 'witness', 'prove', 'receipt', 'settle']) {
      t.is(valueOf(page, `verinfer_stage_seconds_count{stage="${stage}"}`), 1, stage);
      t.is(valueOf(page, `verinfer_stage_seconds_bucket{stage="${stage}",le="+Inf"}`), 1, stage);
      t.true(valueOf(page, `verinfer_stage_seconds_sum{stage="${stage}"}`) > 0, stage);
    }
    const proveSeconds = valueOf(page, 'verinfer_stage_seconds_sum{stage="prove"}');
    t.true(
      Math.abs(proveSeconds - over.timings.prove / 1000) < 1e-6,
      'the histogram holds what the inference says',
    );
    t.is(valueOf(page, 'verinfer_settlements_total'), 1);
    t.is(valueOf(page, 'verinfer_settlement_gas_total'), over.settled.gasUsed);
    t.is(valueOf(page, 'verinfer_queue_depth{state="answered"}'), 0);
    t.is(valueOf(page, 'verinfer_queue_age_seconds'), 0);
    t.is(
      valueOf(page, 'verinfer_hosts{kind="prover",engine="native"}') ||
        valueOf(page, 'verinfer_hosts{kind="prover",engine="snarkjs"}'),
      1,
    );
    for (const kind of ['api', 'prover', 'settler'])
      t.true(valueOf(page, `verinfer_resident_bytes{kind="${kind}"}`) > 10_000_000, kind);

    const log = await readFile(logPath, 'utf8');
    const lines = log.split('\n').filter((line) => line.startsWith('{'));
    t.true(lines.length > 3);
    t.true(
      lines.every((line) => typeof JSON.parse(line).level === 'number'),
      'every line is JSON',
    );
    t.true(log.includes(made.body.id as string), 'jobs are logged by id');
    const bytes = Buffer.from(new Float32Array([data[0]]).buffer);
    for (const canary of ['0.8675309', 'c0ffee', bytes.toString('hex'), bytes.toString('base64').slice(0, 5)])
      t.false(log.includes(canary) || page.includes(canary), `private: ${canary}`);
    const password = new URL(service.databaseUrl).password;
    t.false(log.includes(password), 'nor does the log hold the password of the database');
  },
);

test.serial(
  'a batch settles in one transaction, when its last member is proven, cancelled ones left out',
  async (t) => {
    const items = await Promise.all(
      [4, 5, 6].map(async (n) => ({
        input: { data: (await sampleDigit(n)).map((x, i) => (i === 0 ? n / 10 : x)) },
      })),
    );
    const headers = { 'Idempotency-Key': 'a-batch' };
    const path = '/v1/models/digits8x8/batches';
    const made = await call(service.url, path, { body: { items, settlement: 'onchain' }, headers });
    t.is(made.status, 202, JSON.stringify(made.body));
    const again = await call(service.url, path, { body: { items, settlement: 'onchain' }, headers });
    t.is(again.headers.get('idempotency-replayed'), 'true');
    t.is(again.body.id, made.body.id);
    const ids = (made.body.inferences as { id: string }[]).map(({ id }) => id);
    t.deepEqual(
      (again.body.inferences as { id: string }[]).map(({ id }) => id),
      ids,
    );
    const last = await call(service.url, `/v1/inferences/${ids[2]}/cancel`, { method: 'POST' });
    const members = await Promise.all(ids.map((id) => untilOver(service.url, id, 60_000)));
    const settled = members.filter(({ state }) => state === 'settled');
    t.is(settled.length, last.status === 200 ? 2 : 3);
    t.is(new Set(settled.map((member) => member.settled.transactionHash as string)).size, 1);
    const read = await call(service.url, `/v1/batches/${made.body.id}`);
    t.deepEqual(
      (read.body.inferences as { id: string }[]).map(({ id }) => id),
      ids,
      'in the order of the items',
    );
    // finding-23 at the service: every nonce names the signer, so that nobody else can use up those that follow.
    const { rows } = await service.pool.query<{ request: StoredRequest }>(
      'select request from inferences where id = any($1)',
      [ids],
    );
    t.is(rows.length, 3);
    for (const { request } of rows)
      t.is(BigInt(request.terms!.nonce) >> 96n, BigInt(request.statement.operator));
  },
);

test.serial(
  'finding-60: a member whose time runs out while its batch waits fails alone, and nobody waits for a second try',
  async (t) => {
    const post = async (n: number, extra: object): Promise<string> => {
      const { body } = await call(service.url, '/v1/models/digits8x8/inferences', {
        body: { input: { data: await sampleDigit(n) }, settlement: 'batched', ...extra },
      });
      return body.id as string;
    };
    const late = await post(7, { deadline: Math.floor(Date.now() / 1000) + 4 });
    const good = await post(8, {});
    const failures = new Set<string>();
    const watch = setInterval(() => {
      void service.pool
        .query<{ error: string }>(
          'select last_error as error from errands._private_jobs where last_error is not null',
        )
        .then(({ rows }) => rows.forEach(({ error }) => failures.add(error)));
    }, 100);
    try {
      t.is((await untilOver(service.url, late, 60_000)).error.code, 'settlement-failed');
      t.is((await untilOver(service.url, good, 60_000)).state, 'settled');
    } finally {
      clearInterval(watch);
    }
    t.deepEqual([...failures], []);
  },
);

test.serial(
  'A20 a mix of attacks holds up the event loop of the API hardly more than honest load does',
  async (t) => {
    /** 99th percentile of the event loop's delay in the API process while `work` goes on in several clients. */
    const lagMs = async (work: (n: number) => Promise<unknown>): Promise<number> => {
      await fetch(`${service.url}/metrics`);
      await sleep(1_100);
      const end = Date.now() + 4_000;
      await Promise.all(
        [0, 1, 2, 3].map(async (client) => {
          for (let n = client; Date.now() < end; n += 4) {
            await work(n);
            await sleep(10);
          }
        }),
      );
      const page = await (await fetch(`${service.url}/metrics`)).text();
      return 1000 * valueOf(page, 'verinfer_nodejs_eventloop_lag_p99_seconds');
    };
    const digit = await sampleDigit(7);
    let asked = 0;
    const infer = async (): Promise<void> => {
      const data = digit.map((x, i) => (i === 0 ? ++asked / 1e6 : x));
      const { status } = await call(service.url, '/v1/models/digits8x8/inferences', {
        body: { input: { data } },
      });
      t.is(status, 202);
    };
    const path = '/v1/models/digits8x8/inferences';
    const junk = Buffer.alloc(3_000_000, 7);
    const attacks: (() => Promise<unknown>)[] = [
      () => call(service.url, path, { raw: '['.repeat(1_000_000), method: 'POST' }),
      () => call(service.url, path, { raw: `{"input":{"data":[${'9'.repeat(1_000_000)}]}}`, method: 'POST' }),
      () =>
        call(service.url, path, { raw: `{"input":{"base64":"${'A'.repeat(1_000_000)}"}}`, method: 'POST' }),
      () =>
        call(service.url, path, {
          raw: JSON.stringify({ input: { data: Array(400_000).fill(1) } }),
          method: 'POST',
        }),
      () =>
        call(service.url, path, {
          raw: `{${Array.from({ length: 50_000 }, (_, n) => `"k${n}":1`).join()}}`,
          method: 'POST',
        }),
      () =>
        fetch(`${service.url}/v1/models?name=junk`, {
          method: 'POST',
          body: junk,
          headers: { 'Content-Type': 'application/octet-stream' },
        }),
      () => call(service.url, `/v1/models/${'a'.repeat(8_000)}`),
      () => call(service.url, '/v1/inferences?limit=200'),
      () => call(service.url, '/v1/quotes', { body: { model: 'digits8x8', count: 100 } }),
    ];
    // Work of other processes can hold up one window; a loop that is blocked by a request is held up in every one.
    const rounds: string[] = [];
    let isWithin = false;
    while (!isWithin && rounds.length < 3) {
      const honest = await lagMs(infer);
      const attacked = await lagMs((n) =>
        Promise.all([infer(), attacks[n % attacks.length]!().catch(() => undefined)]),
      );
      rounds.push(`${honest.toFixed(1)} ms under honest load, ${attacked.toFixed(1)} ms under attack`);
      t.log(`p99 of the delay: ${rounds.at(-1)}`);
      // One megabyte of JSON, read and refused, is some milliseconds; compiling a model on this thread would be hundreds.
      isWithin = attacked <= 4 * honest + 10;
    }
    t.true(isWithin, rounds.join('; '));
    t.is((await call(service.url, '/readyz')).status, 200);
  },
);
