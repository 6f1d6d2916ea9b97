/** The signer against a real anvil that loses blocks, and against its own death at every point. */
import test from 'ava';
import { Transaction } from 'ethers';
import { encodeSettle } from '../../service/chain/settlement.js';
import { Signer, type Failpoint } from '../../service/signer/signer.js';
import { farDeadline, provenCall } from '../support/chain.js';
import { finish, gwei, newRun, signerWorld, type SignerWorld } from '../support/signing.js';

let world: SignerWorld;
test.before(async () => {
  world = await signerWorld();
});
test.after.always(() => world?.chain.stop());

class Killed extends Error {}
const killAt =
  (wanted: Failpoint): ((point: Failpoint) => void) =>
  (point) => {
    if (point === wanted) throw new Killed(point);
  };

/** Runs until the failpoint kills it; false when it never came by. */
async function killed(signer: Signer, rounds: number): Promise<boolean> {
  for (let i = 0; i < rounds; i++) {
    try {
      await signer.tick();
    } catch (error) {
      if (error instanceof Killed) return true;
      throw error;
    }
    await world.mine(5);
  }
  return false;
}

const failpoints: Failpoint[] = [
  'before-sign',
  'before-persist',
  'before-broadcast',
  'before-mark-broadcast',
  'before-mark-mined',
  'before-mark-final',
];

for (const point of failpoints) {
  test.serial(`R02 killed ${point}, the intent takes effect once`, async (t) => {
    const { ledger } = newRun();
    const uri = `kill ${point}`;
    const dying = world.signer(ledger, { failpoint: killAt(point) });
    await dying.submit(world.listing(uri));
    t.true(await killed(dying, 10), 'the failpoint was reached');
    const before = (await ledger.read(uri))!.attempts.map(({ raw }) => raw);
    await finish(world, world.signer(ledger), ledger);
    const entry = (await ledger.read(uri))!;
    t.is(entry.state, 'final');
    t.is(await world.timesListed(uri), 1);
    // What was signed before the kill is what was sent after it.
    t.deepEqual(entry.attempts.map(({ raw }) => raw).slice(0, before.length), before);
    t.is(entry.attempts.length, 1);
  });
}

test.serial('R02 killed while replacing or handing out again, the intent takes effect once', async (t) => {
  for (const point of ['before-replace', 'before-rebroadcast'] as const) {
    const { ledger } = newRun();
    const uri = `kill ${point}`;
    await world.chain.provider.send('evm_setAutomine', [false]);
    try {
      const dying = world.signer(ledger, { failpoint: killAt(point), bumpAfterTicks: 1 });
      await dying.submit(world.listing(uri));
      await dying.tick();
      await t.throwsAsync(dying.tick(), { instanceOf: Killed });
      await world.signer(ledger, { bumpAfterTicks: 1 }).tick();
    } finally {
      await world.chain.provider.send('evm_setAutomine', [true]);
    }
    await world.mine(1);
    await finish(world, world.signer(ledger), ledger);
    t.is(await world.timesListed(uri), 1);
    const { attempts } = (await ledger.read(uri))!;
    t.true(attempts.length >= 2);
  }
});

test.serial('the gas limit is half as much again as the estimate', async (t) => {
  const { ledger } = newRun();
  const { to, data } = world.listing('gas limit');
  const estimate = await world.chain.provider.estimateGas({ from: world.wallet.address, to, data });
  const signer = world.signer(ledger);
  await signer.submit(world.listing('gas limit'));
  await finish(world, signer, ledger);
  const [attempt] = (await ledger.read('gas limit'))!.attempts;
  t.is(Transaction.from(attempt!.raw).gasLimit, (estimate * 3n) / 2n);
});

for (const depth of [1, 4, 10]) {
  test.serial(`R01 a reorg ${depth} deep rolls back, resends once and is never final early`, async (t) => {
    for (const confirmations of new Set([0, depth - 1])) {
      const run = newRun();
      const uri = `reorg ${depth} after ${confirmations}`;
      const signer = world.signer(run.ledger, { onAlarm: (alarm) => run.alarms.push(alarm) });
      await signer.submit(world.listing(uri));
      await signer.tick();
      await signer.tick();
      if (confirmations > 0) await world.mine(confirmations);
      await signer.tick();
      t.is((await run.ledger.read(uri))!.state, 'mined');
      await world.chain.provider.send('anvil_reorg', [depth, []]);
      t.is(await world.timesListed(uri), 0, 'the chain dropped it');
      await signer.tick();
      t.true(run.alarms.some(({ what }) => what === 'reorg'));
      t.not((await run.ledger.read(uri))!.state, 'final');
      await finish(world, signer, run.ledger);
      t.is((await run.ledger.read(uri))!.state, 'final');
      t.is((await run.ledger.read(uri))!.attempts.length, 1);
      t.is(await world.timesListed(uri), 1);
    }
  });
}

test.serial(
  'R03 a nonce that the key used elsewhere goes to nobody twice, and rings the alarm',
  async (t) => {
    const run = newRun();
    const uri = 'stolen nonce';
    const dying = world.signer(run.ledger, { failpoint: killAt('before-broadcast') });
    await dying.submit(world.listing(uri));
    await t.throwsAsync(dying.tick(), { instanceOf: Killed });
    const { nonce } = (await run.ledger.read(uri))!;
    const elsewhere = world.wallet.connect(world.chain.provider);
    await (await elsewhere.sendTransaction({ to: world.wallet.address, nonce: nonce! })).wait();
    const signer = world.signer(run.ledger, { onAlarm: (alarm) => run.alarms.push(alarm) });
    await signer.tick();
    t.is((await run.ledger.read(uri))!.nonce, nonce, 'not given up before finality');
    await finish(world, signer, run.ledger);
    t.true(run.alarms.some(({ what }) => what === 'stolen-nonce'));
    t.is((await run.ledger.read(uri))!.nonce, nonce! + 1);
    t.is(await world.timesListed(uri), 1);
  },
);

test.serial('R07 an intent whose time passed while it was queued is not sent', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger);
  const head = await world.chain.provider.getBlock('latest');
  await signer.submit({ ...world.listing('late'), notAfterS: head!.timestamp - 1 });
  const nonce = await world.chain.provider.getTransactionCount(world.wallet.address);
  await signer.tick();
  t.is((await ledger.read('late'))!.state, 'expired');
  t.is(await world.chain.provider.getTransactionCount(world.wallet.address), nonce);
});

const settlement = (nonce: bigint) => {
  const [, operator, payee, requester] = world.chain.addresses as [string, string, string, string];
  const call = provenCall(
    world.chain,
    world.model,
    { requester, nonce, operator, payee, deadline: farDeadline },
    [1n << 250n, 5n],
  );
  const { settlement: to, chainId } = world.chain.deployment;
  return { id: `settle ${nonce}`, chainId, to, data: encodeSettle(call), valueWei: 0n, notAfterS: null };
};

test.serial('R08 what passes simulation and fails in the block ends as reverted, once', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger);
  await world.chain.provider.send('evm_setAutomine', [false]);
  try {
    await signer.submit(settlement(8n));
    await signer.submit({ ...settlement(8n), id: 'its twin' });
    await signer.tick();
  } finally {
    await world.chain.provider.send('evm_setAutomine', [true]);
  }
  await world.mine(1);
  await finish(world, signer, ledger);
  t.is((await ledger.read('settle 8'))!.state, 'final');
  const twin = (await ledger.read('its twin'))!;
  t.is(twin.state, 'reverted');
  t.is(twin.attempts.length, 1);
});

test.serial('R08 what fails simulation is tried a bounded number of times and never sent', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger);
  const intent = settlement(8n);
  await signer.submit({ ...intent, id: 'a third' });
  for (let i = 0; i < 5; i++) await signer.tick();
  const entry = (await ledger.read('a third'))!;
  t.is(entry.state, 'refused');
  t.is(entry.failures, 3);
  t.is(entry.attempts.length, 0);
});

test.serial('R09 with too little money it holds, says so, and goes on when there is more', async (t) => {
  const run = newRun();
  const signer = world.signer(run.ledger, { onAlarm: (alarm) => run.alarms.push(alarm) });
  const { provider } = world.chain;
  const had = await provider.getBalance(world.wallet.address);
  await provider.send('anvil_setBalance', [world.wallet.address, '0x1']);
  await signer.submit(world.listing('poor'));
  await signer.tick();
  t.deepEqual(
    run.alarms.map(({ what }) => what),
    ['balance'],
  );
  t.is((await run.ledger.read('poor'))!.state, 'queued');
  await provider.send('anvil_setBalance', [world.wallet.address, `0x${had.toString(16)}`]);
  await finish(world, signer, run.ledger);
  t.is(await world.timesListed('poor'), 1);
});

test.serial(
  'R12 a ledger from an old backup is brought in line with the chain before anything is sent',
  async (t) => {
    const { ledger } = newRun();
    const signer = world.signer(ledger);
    await signer.submit(settlement(12n));
    const backup = ledger.snapshot();
    await finish(world, signer, ledger);
    ledger.restore(backup);
    const nonce = await world.chain.provider.getTransactionCount(world.wallet.address);
    const restored = world.signer(ledger);
    for (let i = 0; i < 4; i++) await restored.tick();
    const entry = (await ledger.read('settle 12'))!;
    t.is(entry.state, 'refused');
    t.regex(entry.reason!, /^revert 0x/);
    t.is(await world.chain.provider.getTransactionCount(world.wallet.address), nonce, 'nothing was sent');
    await restored.submit(world.listing('after the restore'));
    await finish(world, restored, ledger);
    t.is((await ledger.read('after the restore'))!.nonce, nonce);
  },
);

test.serial('R13 the machine clock decides nothing', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger);
  const real = Date.now;
  const head = (await world.chain.provider.getBlock('latest'))!;
  try {
    for (const [i, offsetMs] of [3_600_000, -3_600_000, 86_400_000 * 365].entries()) {
      Date.now = () => real() + offsetMs;
      const soon = { ...world.listing(`clock ${i}`), notAfterS: head.timestamp + 100_000 };
      await signer.submit(soon);
      await signer.tick();
      t.not((await ledger.read(soon.id))!.state, 'expired');
      Date.now = real;
    }
  } finally {
    Date.now = real;
  }
  await finish(world, signer, ledger);
  t.is(await world.timesListed('clock 2'), 1);
});

test.serial('sixteen intents in flight keep their order and their nonces', async (t) => {
  const { ledger } = newRun();
  const signer = world.signer(ledger, { maxInFlight: 4 });
  const uris = Array.from({ length: 16 }, (_, i) => `many ${i}`);
  for (const uri of uris) await signer.submit(world.listing(uri));
  await finish(world, signer, ledger, 80);
  const nonces = await Promise.all(uris.map(async (uri) => (await ledger.read(uri))!.nonce!));
  t.deepEqual(
    nonces,
    nonces.map((_, i) => nonces[0]! + i),
  );
  for (const uri of uris) t.is(await world.timesListed(uri), 1);
});

test.serial(
  'R04 a stuck transaction is replaced by the same payload at a higher fee, and held at the cap',
  async (t) => {
    const run = newRun();
    const { provider } = world.chain;
    await provider.send('evm_setAutomine', [false]);
    const signer = world.signer(run.ledger, {
      bumpAfterTicks: 2,
      policy: { ...world.policy, maxFeePerGasWei: 12n * gwei },
      onAlarm: (alarm) => run.alarms.push(alarm),
    });
    try {
      await signer.submit(world.listing('stuck'));
      for (let i = 0; i < 60; i++) await signer.tick();
      const { attempts, nonce } = (await run.ledger.read('stuck'))!;
      t.true(attempts.length >= 3);
      t.true(run.alarms.some(({ what }) => what === 'fee-cap'));
      for (const [i, attempt] of attempts.entries()) {
        t.true(attempt.maxFeePerGasWei <= 12n * gwei);
        const last = attempts[i - 1];
        if (last === undefined) continue;
        t.true(attempt.maxFeePerGasWei * 8n >= last.maxFeePerGasWei * 9n);
        t.true(attempt.maxPriorityFeePerGasWei * 8n >= last.maxPriorityFeePerGasWei * 9n);
      }
      const pending = await provider.send('eth_getTransactionByHash', [attempts.at(-1)!.hash]);
      t.is(Number(pending.nonce), nonce!);
      t.is(pending.input, world.listing('stuck').data);
    } finally {
      await provider.send('evm_setAutomine', [true]);
    }
    await world.mine(1);
    await finish(world, signer, run.ledger);
    t.is(await world.timesListed('stuck'), 1);
  },
);
