/** The queue at the counts of the attack catalogue. */
import '../support/slow.js';
import test from 'ava';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from '../../service/queue.js';
import { AcceptQueue, type AcceptedInference, type AcceptOutcome } from '../../service/store/accept.js';
import { openPool } from '../../service/store/pool.js';
import { simulate } from '../support/job-simulation.js';
import { random, seedFrom } from '../support/random.js';
import { call, sampleDigit, startTestService, untilOver, type TestService } from '../support/service.js';

let service: TestService;
test.before(async () => {
  // An hour: no host keeps house in the middle of a count.
  service = await startTestService({ prover: false, environment: { VERINFER_LEASE_MS: '3600000' } });
});
test.after.always(() => service?.stop());

const inference = (tenantId: string, more: Partial<AcceptedInference> = {}): AcceptedInference => ({
  ...{ id: `inf_${randomUUID().replaceAll('-', '')}`, tenantId, modelId: service.modelId, batchId: null },
  ...{ settlement: 'none', units: 1, retentionMs: 3_600_000, dayLimit: null, timings: {} },
  ...{ request: { statement: { operator: `0x${'0'.repeat(40)}` }, oracle: {} }, outputs: { tensors: [] } },
  ...{ tensors: Buffer.alloc(256), salt: null, ...more },
});

const addTenant = (id: string): Promise<unknown> =>
  service.pool.query('insert into tenants (id) values ($1)', [id]);

test.serial(
  'Q13 300 seeded schedules of crashes, late results, lost jobs and lost answers of the chain',
  async (t) => {
    t.timeout(900_000);
    await simulate(t, service, 300);
  },
);

test.serial('Q05 10,000 races of two hosts for one Idempotency-Key: one winner each', async (t) => {
  t.timeout(900_000);
  const draw = random(seedFrom(t.log.bind(t)));
  await addTenant('racing');
  const second = openPool(service.databaseUrl, service.log, 4);
  const hosts = [new AcceptQueue(service.pool, 1e6), new AcceptQueue(second, 1e6)] as const;
  /** Digests of the bodies that come under one key: mostly the same, now and then another. */
  const race = async (key: string, ways: number): Promise<string | null> => {
    const digests = Array.from({ length: ways }, () => (draw.below(4) === 0 ? 'bb' : 'aa'));
    const outcomes = await Promise.all(
      digests.map((bodyDigest, n) =>
        hosts[n % 2]!.accept(inference('racing', { idempotencyKey: key, bodyDigest })),
      ),
    );
    return unfair(digests, outcomes);
  };
  try {
    for (let done = 0; done < 10_000; done += 250) {
      const wave = Array.from({ length: 250 }, (_, n) => race(`race-${done + n}`, n === 0 ? 100 : 4));
      t.deepEqual(
        (await Promise.all(wave)).filter((found) => found !== null),
        [],
      );
    }
  } finally {
    await second.end();
  }
  const { rows } = await service.pool.query(
    `select count(*)::int as n from inferences where tenant_id = 'racing'`,
  );
  t.is(rows[0].n, 10_000);
  await service.pool.query('truncate graphile_worker._private_jobs');
});

function unfair(digests: readonly string[], outcomes: readonly AcceptOutcome[]): string | null {
  const winner = outcomes.findIndex(({ outcome }) => outcome === 'accepted');
  const isFair = outcomes.every(({ outcome, resourceId }, i) => {
    if (i === winner) return true;
    if (resourceId !== outcomes[winner]?.resourceId) return false;
    return outcome === (digests[i] === digests[winner] ? 'duplicate' : 'mismatch');
  });
  return isFair ? null : JSON.stringify(outcomes);
}

test.serial(
  'Q10 with 100,000 jobs of one tenant waiting, another is served next and taking a job reads no more',
  async (t) => {
    t.timeout(900_000);
    const flood = 100_000;
    await addTenant('flooding');
    await addTenant('small');
    const queue = new AcceptQueue(service.pool, flood);
    for (let n = 0; n < flood; n += 2_000)
      await Promise.all(Array.from({ length: 2_000 }, () => queue.accept(inference('flooding'))));
    t.is((await queue.accept(inference('flooding'))).outcome, 'full');
    t.is((await queue.foresee({ tenantId: 'flooding', count: 1, units: 1, dayLimit: null })).outcome, 'full');
    const small = await Promise.all(Array.from({ length: 20 }, () => queue.accept(inference('small'))));
    await service.pool.query('analyze graphile_worker._private_jobs');

    service.prover = await service.startProver();
    for (const { resourceId } of small) await untilProven(resourceId!);
    const { rows } = await service.pool.query<{ flooding: number }>(
      `select count(*)::int as flooding from inferences where tenant_id = 'flooding' and proving_at is not null
       and proving_at < (select max(proving_at) from inferences where tenant_id = 'small')`,
    );
    await service.prover.stop();
    t.true(rows[0]!.flooding <= 30, `of the flood, ${rows[0]!.flooding} went before the last of twenty`);
    const each = await rowsReadByAJob(300);
    t.log(`${each.toFixed(1)} rows of the queue read for each job`);
    t.true(each < 20);
    await service.pool.query('truncate graphile_worker._private_jobs');
  },
);

/** Taken, done and crossed off by the queue alone: no host that keeps house meanwhile. */
async function rowsReadByAJob(count: number): Promise<number> {
  const read = async (): Promise<number> => {
    await sleep(1_500); // statistics come late
    const { rows } = await service.pool.query<{ n: number }>(
      `select (seq_tup_read + idx_tup_fetch)::int as n from pg_stat_user_tables
       where schemaname = 'graphile_worker' and relname = '_private_jobs'`,
    );
    return rows[0]!.n;
  };
  let done = 0;
  let limit = 50;
  /** Holds the slots once so many jobs are done: what is read at the start and the end is not a job's. */
  const prove = async (): Promise<void> => {
    while (done >= limit) await sleep(10);
    done++;
  };
  const { pool, log } = service;
  const queue = new Queue({ pool, log, queue: 'proofs', slots: 2, tasks: { prove } });
  queue.start();
  while (done < limit) await sleep(10);
  const before = await read();
  limit += count;
  while (done < limit) await sleep(10);
  const each = ((await read()) - before) / count;
  limit = Infinity;
  await queue.stop();
  return each;
}

async function untilProven(id: string): Promise<void> {
  for (let attempt = 0; attempt < 1_200; attempt++) {
    const { rows } = await service.pool.query<{ state: string }>(
      'select state from inferences where id = $1',
      [id],
    );
    if (rows[0]!.state === 'proven') return;
    await sleep(50);
  }
  throw new Error(`${id}: must be proven within a minute`);
}

test.serial('Q12 fifty restarts of the prover host under load lose nothing', async (t) => {
  t.timeout(900_000);
  const draw = random(seedFrom(t.log.bind(t)));
  service.prover = await service.startProver();
  const ids: string[] = [];
  for (let round = 0; round < 50; round++) {
    for (let n = 0; n < 4; n++) {
      const data = (await sampleDigit(n)).map((x, i) => (i === 0 ? (4 * round + n) / 1e6 : x));
      const reply = await call(service.url, '/v1/models/digits8x8/inferences', { body: { input: { data } } });
      t.is(reply.status, 202);
      ids.push(reply.body.id as string);
    }
    await sleep(draw.below(120));
    await service.prover.stop();
    service.prover = await service.startProver();
  }
  for (const id of ids) t.is((await untilOver(service.url, id)).state, 'proven');
  const { rows } = await service.pool.query('select count(*)::int as n from receipts where id = any($1)', [
    ids,
  ]);
  t.is(rows[0].n, ids.length);
});
