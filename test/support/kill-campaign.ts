/**
 * kill -9 of processes at random moments with jobs in flight. What counts as accepted is what was answered with 2xx;
 * inputs are distinct; afterwards every accepted job must be proven, settled once where it settles, and nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { settlementOf } from '../../service/chain/settlement.js';
import type { DevelopmentChain } from '../../service/development-chain.js';
import type { Service } from '../../service/supervisor.js';
import type { Random } from './random.js';
import { call, sampleDigit } from './service.js';
import { startWholeService } from './whole-service.js';

export type Victim = 'api' | 'prover' | 'settler' | 'postgres';
const victims: readonly Victim[] = ['api', 'prover', 'settler', 'postgres'];

export interface CampaignResult {
  readonly kills: Readonly<Record<Victim, number>>;
  readonly accepted: number;
  /** Accepted inferences that did not end proven (or settled), with what they are instead. */
  readonly lost: readonly string[];
  /** Idempotency keys that made two inferences. */
  readonly doubled: number;
  /** On-chain settlements beyond one an inference. */
  readonly doubleSettled: number;
  readonly slowestRestartMs: Readonly<Record<Victim, number>>;
}

/** Posts, kills and waits; the service is started on a fresh folder and stopped at the end. */
export async function killCampaign(draw: Random, kills: number): Promise<CampaignResult> {
  const service = await startWholeService({
    environment: {
      VERINFER_LOG: process.env['VERINFER_LOG'] ?? 'silent',
      VERINFER_PROVERS: '1',
      VERINFER_LEASE_MS: '4000',
    },
  });
  const accepted = new Map<string, string>();
  let posting = true;
  const poster = (async () => {
    for (let n = 0; posting; n++) {
      await postUntilAccepted(service, n, accepted);
      await sleep(40 + draw.below(120));
    }
  })();
  const slowest: Record<Victim, number> = { api: 0, prover: 0, settler: 0, postgres: 0 };
  const count: Record<Victim, number> = { api: 0, prover: 0, settler: 0, postgres: 0 };
  try {
    for (let n = 0; n < kills;) {
      await sleep(draw.below(900));
      const victim = victims[draw.below(victims.length)]!;
      const pid = victim === 'postgres' ? await service.postgres!.pid() : service.pidOf(victim);
      if (!pid || !isAlive(pid)) continue;
      process.kill(pid, 'SIGKILL');
      count[victim]++;
      n++;
      const started = Date.now();
      const isBack = async (): Promise<boolean> =>
        (victim === 'postgres' || ![undefined, pid].includes(service.pidOf(victim))) && isReady(service);
      while (!(await isBack())) {
        if (Date.now() - started > 60_000) throw new Error(`${victim}: must be back within 60 s`);
        await sleep(25);
      }
      slowest[victim] = Math.max(slowest[victim], Date.now() - started);
    }
    posting = false;
    await poster;
    const lost = await waitForAll(service, accepted);
    const settlements = await settlementsOnChain(service.chain!);
    return {
      kills: count,
      accepted: accepted.size,
      lost,
      doubled: accepted.size - new Set(accepted.values()).size,
      doubleSettled: settlements.length - new Set(settlements).size,
      slowestRestartMs: slowest,
    };
  } finally {
    posting = false;
    await poster.catch(() => undefined);
    await service.stop();
  }
}

/** The request id of every settlement event there is. */
async function settlementsOnChain({ wallet, deployment }: DevelopmentChain): Promise<string[]> {
  const logs = await wallet.provider!.getLogs({
    address: deployment.settlement,
    fromBlock: deployment.blockNumber,
  });
  return logs.map((log) => settlementOf(log)?.requestId).filter((id) => id !== undefined);
}

async function isReady(service: Service): Promise<boolean> {
  return call(service.url, '/readyz').then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** A client as it should be: the same key and body until an answer comes. */
async function postUntilAccepted(service: Service, n: number, accepted: Map<string, string>): Promise<void> {
  const data = await sampleDigit(n);
  data[0] = n / 1_000_000;
  const body = { input: { data }, settlement: n % 3 === 0 ? 'onchain' : n % 3 === 1 ? 'batched' : 'none' };
  for (let attempt = 0; attempt < 600; attempt++) {
    const reply = await call(service.url, '/v1/models/digits8x8/inferences', {
      body,
      headers: { 'Idempotency-Key': `key-${n}` },
    }).catch(() => null);
    if (reply?.status === 202) {
      accepted.set(`key-${n}`, reply.body.id as string);
      return;
    }
    if (reply && reply.status < 500)
      throw new Error(`inference ${n}: must be accepted, got ${JSON.stringify(reply.body)}`);
    await sleep(100);
  }
  throw new Error(`inference ${n}: must be accepted within a minute`);
}

/** A process that ended may keep its place until its parent has heard of it. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function waitForAll(service: Service, accepted: Map<string, string>): Promise<string[]> {
  const ids = [...accepted.values()];
  const end = Date.now() + 60_000 + ids.length * 1_500;
  for (;;) {
    const { rows } = await service.pool.query<{ id: string }>(
      `select id from inferences where id = any($1) and (state = 'settled' or (state = 'proven' and settlement = 'none'))`,
      [ids],
    );
    if (rows.length === ids.length) return [];
    if (Date.now() > end) {
      const open = await service.pool.query(
        `select id, state, settlement, error from inferences where id = any($1) and not (state = 'settled' or (state = 'proven' and settlement = 'none'))`,
        [ids],
      );
      const found = new Set(
        (
          await service.pool.query<{ id: string }>('select id from inferences where id = any($1)', [ids])
        ).rows.map(({ id }) => id),
      );
      return [...open.rows.map((row) => JSON.stringify(row)), ...ids.filter((id) => !found.has(id))];
    }
    await sleep(200);
  }
}
