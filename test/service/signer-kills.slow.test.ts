/** R01, R02 with real processes: kill -9 at every failpoint, over PostgreSQL, while the chain loses blocks. */
import test from 'ava';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { encodeMove, marketAbi, type MarketTerms } from '../../service/chain/market.js';
import { createLog } from '../../service/log.js';
import { startPostgres } from '../../service/postgres.js';
import type { Intent } from '../../service/signer/ledger.js';
import { pgLedger } from '../../service/signer/pg-ledger.js';
import type { Failpoint } from '../../service/signer/signer.js';
import { migrate } from '../../service/store/migrations.js';
import { openPool } from '../../service/store/pool.js';
import { marketStatement } from '../support/market.js';
import { random, seedFrom } from '../support/random.js';
import { temporaryFolder } from '../support/service.js';
import type { SignerProcess } from '../support/signer-process.js';
import { signerWorld } from '../support/signing.js';

const failpoints: readonly Failpoint[] = [
  'before-sign',
  'before-persist',
  'before-broadcast',
  'before-mark-broadcast',
  'before-replace',
  'before-rebroadcast',
  'before-mark-mined',
  'before-mark-final',
];

/** True when it was killed, false when there was nothing left to do. */
function run(options: SignerProcess): Promise<boolean> {
  const file = fileURLToPath(new URL('../support/signer-process.js', import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`signer process: must be killed or end, got ${code}: ${said}`));
    });
  });
}

test('R01 R02 kill -9 at every failpoint while blocks are lost: no intent lost, no payment doubled', async (t) => {
  t.timeout(900_000);
  const postgres = await startPostgres(await temporaryFolder());
  const pool = openPool(postgres.url, createLog({ logLevel: 'silent' }, 'test'), 4);
  await migrate(pool);
  const world = await signerWorld({ noMining: false });
  const { chain, wallet } = world;
  const { provider, deployment } = chain;
  const draw = random(seedFrom(t.log));
  const ledger = pgLedger(pool, deployment.chainId, wallet.address);
  const selector = marketAbi().getFunction('request')!.selector;
  const calls = { ...world.policy.calls, [deployment.market]: [selector] };
  let mining = true;
  try {
    // Blocks come at their own pace, so that transactions wait, are replaced and are handed out again.
    await provider.send('evm_setAutomine', [false]);
    const mined = (async () => {
      while (mining) {
        await new Promise((resolve) => setTimeout(resolve, 150 + draw.below(400)));
        await provider.send('anvil_mine', ['0x1']);
        if (draw.below(12) === 0) await provider.send('anvil_reorg', [1 + draw.below(2), []]);
      }
    })();
    const killed = new Map<Failpoint, number>();
    const uris: string[] = [];
    let paidWei = 0n;
    const before = await provider.getBalance(deployment.market);
    for (let round = 0; round < 3; round++) {
      for (const failpoint of failpoints) {
        const uri = `${failpoint} ${round}`;
        uris.push(uri);
        const terms: MarketTerms = {
          ...(await marketStatement(chain, world.model, { nonce: BigInt(uris.length) })).terms,
          requester: wallet.address,
          feeWei: BigInt(1 + draw.below(1_000_000)),
        };
        paidWei += terms.feeWei;
        const payment: Intent = {
          id: `pay ${uri}`,
          chainId: deployment.chainId,
          to: deployment.market,
          data: encodeMove('request', terms),
          valueWei: terms.feeWei,
          notAfterS: null,
        };
        await ledger.enter(world.listing(uri));
        await ledger.enter(payment);
        const options = {
          rpcUrl: chain.anvil.rpcUrl,
          databaseUrl: postgres.url,
          privateKey: wallet.privateKey,
          chainId: deployment.chainId,
          calls,
          failpoint,
          spare: round === 0 ? 0 : draw.below(2),
        };
        // It starts again into the same failpoint, twice, before the next kind of death.
        for (let n = 0; n < 2; n++) {
          if (await run(options)) killed.set(failpoint, (killed.get(failpoint) ?? 0) + 1);
        }
      }
    }
    while (
      await run({
        ...nobody,
        rpcUrl: chain.anvil.rpcUrl,
        databaseUrl: postgres.url,
        privateKey: wallet.privateKey,
        chainId: deployment.chainId,
        calls,
      })
    );
    mining = false;
    await mined;
    t.log(Object.fromEntries(killed));
    for (const failpoint of failpoints)
      t.true((killed.get(failpoint) ?? 0) >= 1, `${failpoint} never came by`);
    for (const uri of uris) {
      t.is((await ledger.read(uri))!.state, 'final', uri);
      t.is((await ledger.read(`pay ${uri}`))!.state, 'final', uri);
      t.is(await world.timesListed(uri), 1, uri);
    }
    t.is((await provider.getBalance(deployment.market)) - before, paidWei);
  } finally {
    mining = false;
    await chain.stop();
    await pool.end();
    await postgres.stop();
  }
});

/** A failpoint that kills nobody. */
const nobody = { failpoint: 'before-sign', spare: Number.MAX_SAFE_INTEGER } as const;
