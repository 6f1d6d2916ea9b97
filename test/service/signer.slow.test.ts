/** R01 in full: every depth from 1 to 10 at every step of an intent's life. */
import test from 'ava';
import { finish, newRun, signerWorld, type Run, type SignerWorld } from '../support/signing.js';
import type { Signer } from '../../service/signer/signer.js';

type Step = (world: SignerWorld, signer: Signer, run: Run, uri: string) => Promise<void>;

const reach =
  (confirmations: number): Step =>
  async (world, signer) => {
    await signer.tick();
    await signer.tick();
    if (confirmations > 0) await world.mine(confirmations);
    await signer.tick();
  };

const killedBefore =
  (point: string): Step =>
  async (world, _, run) => {
    const dying = world.signer(run.ledger, {
      failpoint: (at) => {
        if (at === point) throw new Error('killed');
      },
    });
    await dying.tick().catch(() => undefined);
    await dying.tick().catch(() => undefined);
  };

const steps: Record<string, Step> = {
  queued: async () => undefined,
  signed: killedBefore('before-broadcast'),
  'sent and not marked': killedBefore('before-mark-broadcast'),
  'mined and not noticed': killedBefore('before-mark-mined'),
  mined: reach(0),
  'one confirmation': reach(1),
  'five confirmations': reach(5),
  'one short of final': reach(10),
};

test('R01 reorgs one to ten deep at eight steps: each intent takes effect once and is never final early', async (t) => {
  t.timeout(1_200_000);
  const world = await signerWorld();
  try {
    for (let depth = 1; depth <= 10; depth++) {
      for (const [name, step] of Object.entries(steps)) {
        const run = newRun();
        const uri = `${name}, ${depth} deep`;
        const signer = world.signer(run.ledger, { onAlarm: (alarm) => run.alarms.push(alarm) });
        await signer.submit(world.listing(uri));
        await step(world, signer, run, uri);
        t.not((await run.ledger.read(uri))!.state, 'final', uri);
        await world.chain.provider.send('anvil_reorg', [depth, []]);
        await finish(world, signer, run.ledger);
        t.is((await run.ledger.read(uri))!.state, 'final', uri);
        t.is(await world.timesListed(uri), 1, uri);
        const { nonce, attempts } = (await run.ledger.read(uri))!;
        t.true(attempts.length >= 1 && nonce !== null);
      }
    }
  } finally {
    await world.chain.stop();
  }
});
