/**
 * A signer as a process of its own that kills itself with SIGKILL at a failpoint: what it leaves is what PostgreSQL and the
 * chain have. Arguments: one JSON with the fields of SignerProcess.
 */
import { Wallet } from 'ethers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../service/log.js';
import type { Policy } from '../../service/signer/policy.js';
import { pgLedger } from '../../service/signer/pg-ledger.js';
import { chainView } from '../../service/signer/quorum.js';
import { endpoint } from '../../service/signer/rpc.js';
import { Signer, type Failpoint } from '../../service/signer/signer.js';
import { openPool } from '../../service/store/pool.js';

export interface SignerProcess {
  readonly rpcUrl: string;
  readonly databaseUrl: string;
  readonly privateKey: string;
  readonly chainId: number;
  /** Contract → selectors. */
  readonly calls: Policy['calls'];
  readonly failpoint: Failpoint;
  /** How often the failpoint is passed before it kills. */
  readonly spare: number;
}

const made = JSON.parse(process.argv[2]!) as SignerProcess;
const pool = openPool(made.databaseUrl, createLog({ logLevel: 'silent' }, 'test'), 2);
const wallet = new Wallet(made.privateKey);
const ledger = pgLedger(pool, made.chainId, wallet.address);
let passed = 0;
const signer = new Signer({
  wallet,
  ledger,
  chain: chainView(made.chainId, [endpoint(made.rpcUrl)]),
  finalityDepth: 3,
  bumpAfterTicks: 1,
  policy: {
    chainId: made.chainId,
    calls: made.calls,
    maxValueWei: 10n ** 18n,
    maxValuePerHourWei: 10n ** 20n,
    maxPerHour: 10_000,
    maxFeePerGasWei: 10n ** 13n,
    maxGas: 5_000_000n,
  },
  failpoint: (point) => {
    if (point === made.failpoint && passed++ >= made.spare) process.kill(process.pid, 'SIGKILL');
  },
});
while ((await ledger.open()).length > 0) {
  await signer.tick();
  await sleep(50);
}
await pool.end();
