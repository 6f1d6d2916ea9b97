/** R02 to R13 at once, in random order, against a chain in memory; the slow tier runs the catalogue's counts. */
import test from 'ava';
import { campaign } from '../support/campaign.js';
import { random, seedFrom } from '../support/random.js';
import { memoryLedger, type MemoryLedger } from '../support/memory-ledger.js';
import { ScriptedChain } from '../support/scripted-chain.js';
import { intentOf, newTally, runSchedule, signerOver } from '../support/signer-schedules.js';

test('R02 R03 R04 R06 R07 R08 R09 R13 under any mix of deaths, thefts, fees, faults, droughts and clocks each intent ends once, as it must', async (t) => {
  t.timeout(600_000);
  const seed = seedFrom(t.log);
  const tally = newTally();
  const count = campaign(160, 1_200);
  for (let i = 0; i < count; i++) await runSchedule(random(seed + i), tally);
  const { wrong, kills, ...counts } = tally;
  t.log({ ...counts, kills: Object.fromEntries(kills) });
  t.deepEqual(wrong, []);
  // The catalogue's counts, and their share of them in a fast run.
  const least = (slow: number): number => campaign(Math.ceil(slow / 40), slow);
  t.is(kills.size, 8, 'every failpoint came by');
  for (const [point, times] of kills) t.true(times >= campaign(1, 50), `${point}: ${times} kills`);
  t.true(counts.thefts >= least(1_000), `${counts.thefts} nonces spent elsewhere`);
  t.true(counts.feeJumps >= least(200), `${counts.feeJumps} jumps of the base fee`);
  t.true(counts.faults >= least(500), `${counts.faults} calls that failed`);
  t.true(counts.expired >= least(100), `${counts.expired} out of time`);
  t.true(counts.reverted >= least(100), `${counts.reverted} refused by the block`);
  t.true(counts.droughts >= least(20), `${counts.droughts} empty accounts`);
  t.true(counts.clockJumps >= least(50), `${counts.clockJumps} jumps of the clock`);
});

test('finding-28: a gap below held nonces is filled by one intent, and the rest wait their turn without an error', async (t) => {
  const chain = new ScriptedChain(random(1));
  const ledger = memoryLedger();
  const signer = signerOver(chain, ledger);
  const intents = ['01', '02', '03', '04'].map((n) => intentOf(`0xc0ffee00${n}`));
  await signer.submit(intents[0]!);
  await signer.submit(intents[1]!);
  await signer.tick(); // nonces 0 and 1 are out
  chain.steal();
  chain.mine(6);
  for (let i = 0; i < 4; i++) await signer.tick(); // the theft of nonce 0 counts as final
  chain.loseThefts(); // and the chain takes it back, deeper than finality
  chain.reorg(6);
  await signer.submit(intents[2]!);
  await signer.submit(intents[3]!);
  for (let i = 0; i < 8; i++) {
    await t.notThrowsAsync(signer.tick());
    chain.mine(2);
  }
  for (const { id, data } of intents) {
    t.is((await ledger.read(id))!.state, 'final');
    t.is(chain.timesIncluded(data), 1);
  }
});

test('R03 finding-29: a nonce that a reorg left to nobody is filled when nothing else is due, and the alarm rings', async (t) => {
  const chain = new ScriptedChain(random(2));
  const ledger = memoryLedger();
  const alarms: string[] = [];
  const signer = signerOver(chain, ledger, undefined, ({ what }) => alarms.push(what));
  chain.steal();
  chain.mine(1); // nonce 0, made elsewhere with this key
  const waiting = intentOf('0xc0ffee0001');
  await signer.submit(waiting);
  await signer.tick();
  t.is((await ledger.read(waiting.id))!.nonce, 1);
  chain.loseThefts();
  chain.reorg(1);
  for (let i = 0; i < 12; i++) {
    await signer.tick();
    chain.mine(1);
  }
  t.is((await ledger.read(waiting.id))!.state, 'final');
  t.is(chain.timesIncluded(waiting.data), 1);
  t.deepEqual(alarms, ['nonce-gap']);
});

test('R04 bytes that are out already are handed out again without a word in the ledger', async (t) => {
  const chain = new ScriptedChain(random(3));
  const ledger = memoryLedger();
  const states: string[] = [];
  const watched: MemoryLedger = {
    ...ledger,
    change: async (id, change) => {
      if (change.state !== undefined) states.push(change.state);
      await ledger.change(id, change);
    },
  };
  const signer = signerOver(chain, watched);
  await signer.submit(intentOf('0xc0ffee0001'));
  for (let i = 0; i < 6; i++) await signer.tick();
  t.deepEqual(states, ['broadcast'], 'marked once, with its first bytes');
  t.true((await ledger.read('0xc0ffee0001'))!.attempts.length > 1, 'and replaced meanwhile');
});

test('R12 from a backup of any age the signer is in line with the chain before it sends, and nothing takes effect twice', async (t) => {
  const seed = seedFrom(t.log);
  for (let run = 0; run < campaign(40, 400); run++) {
    const draw = random(seed + run);
    const chain = new ScriptedChain(draw);
    chain.isOnce = true;
    const ledger = memoryLedger();
    const intents = Array.from({ length: 5 }, (_, i) => intentOf(`0xc0ffee000${i}`));
    let backup = ledger.snapshot();
    for (const intent of intents) {
      const signer = signerOver(chain, ledger);
      await signer.submit(intent);
      for (let n = draw.below(4); n > 0; n--) await signer.tick();
      if (draw.below(2) === 0) chain.mine(1 + draw.below(3));
      if (draw.below(3) === 0) backup = ledger.snapshot();
    }
    await closeAll(chain, ledger);
    ledger.restore(backup);
    // Whoever asked asks again for what the backup does not know.
    for (const intent of intents) await signerOver(chain, ledger).submit(intent);
    await closeAll(chain, ledger);
    for (const { id, data } of intents) {
      t.is(chain.timesIncluded(data), 1, `seed ${seed + run}`);
      t.true(['final', 'refused'].includes((await ledger.read(id))!.state), `seed ${seed + run}`);
    }
  }
});

async function closeAll(chain: ScriptedChain, ledger: MemoryLedger): Promise<void> {
  const signer = signerOver(chain, ledger);
  for (let i = 0; i < 60 && (await ledger.open()).length > 0; i++) {
    await signer.tick();
    chain.mine(1);
  }
}
