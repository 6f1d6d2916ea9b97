/** One backlog on one prover host and on two, each held to a core of its own, over one PostgreSQL and TCP. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Service } from '../../service/supervisor.js';

/** A backlog that takes longer than this was not measured. */
const limitS = 120;

/** Times as fast as one; NaN when it could not be measured. `post` makes the backlog, all distinct, and tells its ids. */
export async function twoHostSpeedup(service: Service, post: () => Promise<string[]>): Promise<number> {
  const one = await secondsWith(service, [1], post);
  const two = await secondsWith(service, [0, 1], post);
  return one / two;
}

async function secondsWith(
  { pool, databaseUrl }: Service,
  cores: readonly number[],
  post: () => Promise<string[]>,
): Promise<number> {
  const hosts: ChildProcess[] = [];
  try {
    for (const core of cores) {
      const id = `bench-${core}-${Date.now()}`;
      hosts.push(startHost(core, id, databaseUrl));
      for (;;) {
        const { rowCount } = await pool.query(`select 1 from hosts where id = $1 and state = 'ready'`, [id]);
        if (rowCount === 1) break;
        await sleep(50);
      }
    }
    const ids = await post();
    for (const end = Date.now() + limitS * 1000; Date.now() < end;) {
      // From the first claim to the last proof, by the database's clock.
      const { rows } = await pool.query<{ open: number; seconds: number }>(
        `select count(*) filter (where proven_at is null and failed_at is null)::int as open,
           extract(epoch from max(proven_at) - min(proving_at))::float8 as seconds from inferences where id = any($1)`,
        [ids],
      );
      if (rows[0]!.open === 0) return rows[0]!.seconds;
      await sleep(100);
    }
    return Number.NaN;
  } finally {
    for (const host of hosts) {
      host.kill('SIGTERM');
      if (host.exitCode === null) await new Promise((done) => host.once('exit', done));
    }
  }
}

function startHost(core: number, id: string, databaseUrl: string): ChildProcess {
  const cli = fileURLToPath(new URL('../../service/cli.js', import.meta.url));
  return spawn('taskset', ['-c', String(core), process.execPath, cli, 'prover'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      VERINFER_PROVERS: '1',
      VERINFER_PROVER_NICE: '0',
      VERINFER_HOST_ID: id,
    },
  });
}
