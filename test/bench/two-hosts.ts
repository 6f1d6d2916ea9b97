/**
 * One backlog on one prover host and on two, each held to a core of its own, over one PostgreSQL and TCP. On a machine of
 * two cores the second host gets the core on which PostgreSQL, settler and API ran: with p the CPU time of a proof on its
 * host and d what it costs elsewhere, two hosts are at most 2p/(p + d) times as fast as one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../service/supervisor.js';
import { cpuByPart } from '../support/process-cpu.js';
import { startProverProcess, type ProverProcess } from '../support/prover-process.js';

/** A backlog that takes longer than this was not measured. */
const limitS = 240;

export interface TwoHosts {
  /** Times as fast as one; NaN when it could not be measured. */
  readonly speedup: number;
  /** CPU milliseconds a proof, with one host: there, and in everything that hosts share. */
  readonly hostMs: number;
  readonly sharedMs: number;
}

interface Run {
  readonly seconds: number;
  readonly hostMs: number;
  readonly sharedMs: number;
}

/** `post` makes the backlog, all distinct, and tells its ids. */
export async function twoHosts(service: Service, post: () => Promise<string[]>): Promise<TwoHosts> {
  const one = await runWith(service, [1], post);
  const two = await runWith(service, [0, 1], post);
  return { speedup: one.seconds / two.seconds, hostMs: one.hostMs, sharedMs: one.sharedMs };
}

async function runWith(
  service: Service,
  cores: readonly number[],
  post: () => Promise<string[]>,
): Promise<Run> {
  const { pool } = service;
  const hosts: ProverProcess[] = [];
  try {
    for (const core of cores)
      hosts.push(await startProverProcess(service, `bench-${core}-${Date.now()}`, core));
    const ids = await post();
    const progress = async (): Promise<{ open: number; seconds: number }> => {
      // From the first claim to the last proof, by the database's clock.
      const { rows } = await pool.query<{ open: number; seconds: number }>(
        `select count(*) filter (where proven_at is null and failed_at is null)::int as open,
           extract(epoch from max(proven_at) - min(proving_at))::float8 as seconds from inferences where id = any($1)`,
        [ids],
      );
      return rows[0]!;
    };
    const [{ open: opened }, before] = [await progress(), await cpuByPart()];
    for (const end = Date.now() + limitS * 1000; Date.now() < end;) {
      const { open, seconds } = await progress();
      if (open === 0) {
        const after = await cpuByPart();
        const spentMs = (...parts: string[]): number =>
          parts.reduce((sum, part) => sum + (after.get(part) ?? 0) - (before.get(part) ?? 0), 0) / opened;
        return {
          seconds,
          hostMs: spentMs('prover host', 'prover'),
          sharedMs: spentMs('PostgreSQL', 'settler', 'API'),
        };
      }
      await sleep(250);
    }
    return { seconds: Number.NaN, hostMs: Number.NaN, sharedMs: Number.NaN };
  } finally {
    for (const host of hosts) await host.stop();
  }
}
