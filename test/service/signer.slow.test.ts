/** R01 in full: every depth from 1 to 10 at every step of an intent's life, whatever becomes of its transaction. */
import test from 'ava';
import { random, seedFrom, type Random } from '../support/random.js';
import { finish, newRun, signerWorld, type Run, type SignerWorld } from '../support/signing.js';
import type { Signer } from '../../service/signer/signer.js';

type Step = (world: SignerWorld, signer: Signer, run: Run) => Promise<void>;

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

/** What the new branch of the chain holds of the old one's transactions. */
const fates = ['dropped', 'kept', 'moved', 'conflicting'] as const;
type Fate = (typeof fates)[number];

/** Loses `depth` blocks. Transactions of the ledger that were in them meet their fate in the branch that replaces them. */
async function reorganize(world: SignerWorld, run: Run, depth: number, fate: Fate): Promise<void> {
  const { provider } = world.chain;
  const head = await provider.getBlockNumber();
  const lost: { raw: string; nonce: number }[] = [];
  for (const { attempts, nonce } of run.ledger.entries.values()) {
    for (const { hash, raw } of attempts) {
      const receipt = await provider.getTransactionReceipt(hash);
      if (receipt !== null && receipt.blockNumber > head - depth) lost.push({ raw, nonce: nonce! });
    }
  }
  lost.sort((a, b) => a.nonce - b.nonce);
  const place = fate === 'moved' ? depth - 1 : 0;
  const again = fate === 'conflicting' ? lost.slice(0, 1) : lost;
  const pairs: [string, number][] = [];
  for (const { raw, nonce } of fate === 'dropped' ? [] : again) {
    pairs.push([fate === 'conflicting' ? await elsewhere(world, nonce) : raw, place]);
  }
  await provider.send('anvil_reorg', [depth, pairs]);
}

/** The same nonce spent on something else, by somebody who has the key. */
async function elsewhere({ wallet, chain }: SignerWorld, nonce: number): Promise<string> {
  return wallet.signTransaction({
    type: 2,
    to: wallet.address,
    nonce,
    chainId: chain.anvil.chainId,
    gasLimit: 21_000n,
    maxFeePerGas: 100n * 10n ** 9n,
    maxPriorityFeePerGas: 10n ** 9n,
  });
}

test('R01 reorgs one to ten deep at eight steps, four fates: each intent takes effect once and is never final early', async (t) => {
  t.timeout(1_200_000);
  const world = await signerWorld();
  try {
    for (let depth = 1; depth <= 10; depth++) {
      for (const [name, step] of Object.entries(steps)) {
        for (const fate of fates) {
          const run = newRun();
          const uri = `${name}, ${depth} deep, ${fate}`;
          const signer = world.signer(run.ledger, { onAlarm: (alarm) => run.alarms.push(alarm) });
          await signer.submit(world.listing(uri));
          await step(world, signer, run);
          t.not((await run.ledger.read(uri))!.state, 'final', uri);
          await reorganize(world, run, depth, fate);
          await finish(world, signer, run.ledger);
          t.is((await run.ledger.read(uri))!.state, 'final', uri);
          t.is(await world.timesListed(uri), 1, uri);
        }
      }
    }
  } finally {
    await world.chain.stop();
  }
});

/** Five intents while the chain changes its mind at random, a few times, up to as deep as the signer waits. */
async function restless(world: SignerWorld, draw: Random, name: string): Promise<readonly string[]> {
  const run = newRun();
  const uris = Array.from({ length: 5 }, (_, i) => `${name}/${i}`);
  const signer = world.signer(run.ledger, { finalityDepth: 65 });
  for (const uri of uris) {
    await signer.submit(world.listing(uri));
    for (let n = draw.below(3); n > 0; n--) await signer.tick();
    if (draw.below(2) === 0) await world.mine(1 + draw.below(8));
    if (draw.below(2) === 0) await reorganize(world, run, 1 + draw.below(64), draw.pick([...fates]));
  }
  await finish(world, signer, run.ledger, 120);
  // A branch without the first listing makes the next one dearer than its gas limit: it ends as reverted, and whoever asked
  // asks again, as SettlingSigner and Operator do.
  const reverted = [...run.ledger.entries.values()].filter(({ state }) => state === 'reverted');
  for (const { id } of reverted) await signer.submit({ ...world.listing(id), id: `${id}, again` });
  await finish(world, signer, run.ledger, 120);
  const wrong: string[] = [];
  for (const uri of uris) {
    const times = await world.timesListed(uri);
    const { state } = (await run.ledger.read(`${uri}, again`)) ?? (await run.ledger.read(uri))!;
    if (times !== 1 || state !== 'final') wrong.push(`${uri}: ${state}, ${times} times`);
  }
  return wrong;
}

test('R01 five hundred intents, random reorgs up to 64 deep: none lost, none doubled', async (t) => {
  t.timeout(1_200_000);
  const draw = random(seedFrom(t.log));
  const wrong: string[] = [];
  // anvil forgets old states, contracts and all, when it is reorganized often: a fresh one every now and then.
  for (let chain = 0; chain < 20; chain++) {
    const world = await signerWorld();
    try {
      await world.mine(100);
      for (let n = 0; n < 5; n++) wrong.push(...(await restless(world, draw, `chain ${chain}, run ${n}`)));
      t.not(await world.chain.provider.getCode(world.chain.deployment.registry), '0x');
    } finally {
      await world.chain.stop();
    }
  }
  t.deepEqual(wrong, []);
});
