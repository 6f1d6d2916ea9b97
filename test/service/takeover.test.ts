/** Two real prover hosts on one PostgreSQL; one is stopped in the middle of a proof and wakes when others have done its work. */
import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProverProcess, type ProverProcess } from '../support/prover-process.js';
import { call, sampleDigit } from '../support/service.js';
import { startWholeService, type WholeService } from '../support/whole-service.js';

const leaseMs = 2_000;
const backlog = 40;
let service: WholeService;
let awake: ProverProcess;
let stopped: ProverProcess;

test.before(async () => {
  service = await startWholeService({
    parts: ['settler', 'api'],
    environment: { VERINFER_LEASE_MS: String(leaseMs), VERINFER_PROVERS: '1' },
  });
});
test.after.always(async () => {
  stopped?.process.kill('SIGCONT');
  await Promise.all([awake?.stop(), stopped?.stop()]);
  await service?.stop();
});

interface Row {
  readonly state: string;
  readonly fence: number;
  readonly hostId: string | null;
  readonly digest: Buffer | null;
}

async function rowsOf(ids: readonly string[]): Promise<Row[]> {
  const { rows } = await service.pool.query<Row>(
    `select state, fence::int as fence, host_id as "hostId", digest from inferences i left join receipts r using (id)
     where id = any($1) order by id`,
    [ids],
  );
  return rows;
}

async function until(what: string, limitMs: number, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(25)) if (await holds()) return;
  throw new Error(`${what}: must be so within ${limitMs} ms`);
}

const outcomes = async (outcome: string): Promise<number> => {
  const { rows } = await service.pool.query<{ n: number }>(
    `select coalesce(sum(value), 0)::int as n from totals where series like $1`,
    [`proofs/${outcome}/%`],
  );
  return rows[0]!.n;
};

test('Q03 the jobs of a prover host that is stopped are taken over, and what it brings when it wakes is refused', async (t) => {
  t.timeout(240_000);
  stopped = await startProverProcess(service, 'stopped-host');
  const items = await Promise.all(
    Array.from({ length: backlog }, async (_, n) => ({
      input: { data: (await sampleDigit(n)).map((x, i) => (i === 0 ? n / 1e6 : x)) },
    })),
  );
  const { body } = await call(service.url, '/v1/models/digits8x8/batches', { body: { items } });
  const ids = (body.inferences as { id: string }[]).map(({ id }) => id);
  await until(
    'a few are proven',
    60_000,
    async () => (await rowsOf(ids)).filter(({ digest }) => digest).length > 3,
  );
  stopped.process.kill('SIGSTOP');
  const held = (await rowsOf(ids)).filter(({ state, digest }) => state === 'proving' && digest === null);
  t.true(held.length > 0, 'it was stopped with jobs at work');
  t.true(held.every(({ hostId }) => hostId === 'stopped-host'));

  awake = await startProverProcess(service, 'awake-host');
  await until('all are proven', 120_000, async () =>
    (await rowsOf(ids)).every(({ state }) => state === 'proven'),
  );
  const before = await rowsOf(ids);
  const takenOver = before.filter(({ fence }) => fence > 1);
  t.true(takenOver.length >= held.length, 'each was claimed again');
  t.true(takenOver.every(({ hostId }) => hostId === 'awake-host'));

  // It holds proofs that its process finished meanwhile, for claims that are no longer the latest.
  const stale = await outcomes('stale');
  stopped.process.kill('SIGCONT');
  await until('its late results are dropped', 60_000, async () => (await outcomes('stale')) > stale);
  await until('it is a host again', 60_000, async () => {
    const { rowCount } = await service.pool.query(`select 1 from hosts where id = 'stopped-host'`);
    return rowCount === 1;
  });
  t.deepEqual(await rowsOf(ids), before, 'nothing that was recorded has changed');
  await until('every proof is counted', 60_000, async () => (await outcomes('proven')) === backlog);
  const { rows } = await service.pool.query<{ open: number }>('select open_count as open from tenants');
  t.true(rows.every(({ open }) => open === 0));
});
