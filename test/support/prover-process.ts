/** A prover host as a process of its own, as `verinfer prover` on another machine would be. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Service } from '../../service/supervisor.js';

export interface ProverProcess {
  readonly id: string;
  readonly process: ChildProcess;
  /** In order: what it has begun is finished or given back. */
  stop(): Promise<void>;
}

/** Resolves when it is ready to prove. `core`: the only one it may run on. */
export async function startProverProcess(
  { pool, databaseUrl }: Pick<Service, 'pool' | 'databaseUrl'>,
  id: string,
  core?: number,
): Promise<ProverProcess> {
  const cli = fileURLToPath(new URL('../../service/cli.js', import.meta.url));
  const command = [process.execPath, cli, 'prover'];
  const [program, ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  const child = spawn(program!, args, {
    stdio: 'ignore',
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      VERINFER_PROVERS: '1',
      VERINFER_PROVER_NICE: '0',
      VERINFER_HOST_ID: id,
    },
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGTERM');
    await ended;
  };
  for (;;) {
    const { rowCount } = await pool.query(`select 1 from hosts where id = $1 and state = 'ready'`, [id]);
    if (rowCount === 1) return { id, process: child, stop };
    if (child.exitCode !== null)
      throw new Error(`prover host ${id}: must start, ended with ${child.exitCode}`);
    await sleep(50);
  }
}
