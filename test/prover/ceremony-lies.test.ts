/** Cheats who recompute all that follows from their lie: one check is against each, and must be the one that finds it. */
import test from 'ava';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zKey } from 'snarkjs';
import { InvalidCeremony } from '../../prover/ceremony-error.js';
import { g1Generator } from '../../prover/curve.js';
import type { KeyContribution } from '../../prover/files/contribution.js';
import { initialKey, type InitialKey } from '../../prover/initial-key.js';
import { contributeKey } from '../../prover/phase2.js';
import { verifyContribution, verifyKeyFrom } from '../../prover/phase2-verify.js';
import { preparePtau } from '../../prover/ptau.js';
import { verifyPtau } from '../../prover/ptau-verify.js';
import { smallCeremony, type SmallCeremony } from '../support/ceremony.js';
import { forgeContribution, lies } from '../support/forged-contribution.js';
import { ptauLies } from '../support/forged-ptau.js';
import { endSnarkjs } from '../support/snarkjs.js';

const silent = (): void => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };

let small: SmallCeremony;
let initial: InitialKey;
const file = (name: string): string => join(small.folder, name);
const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

test.before(async () => {
  small = await smallCeremony();
  initial = await initialKey(small.r1cs, small.phase1);
  await contributeKey(small.initial, file('1.zkey'), { name: 'ada' });
  await contributeKey(file('1.zkey'), file('2.zkey'), { name: 'bob' });
});
test.after.always(async () => {
  rmSync(small.folder, { recursive: true, force: true });
  await endSnarkjs();
});

test.serial('T04 every careful lie is found by the one check that is against it', async (t) => {
  const forged = file('careful.zkey');
  await forgeContribution(file('2.zkey'), forged);
  await t.notThrowsAsync(verifyContribution(file('2.zkey'), forged), 'the tool itself: no lie');
  await t.notThrowsAsync(verifyKeyFrom(initial, forged));
  const [powers, unused] = [bytesOf(small.phase1), bytesOf(small.initial)];
  const theirs = (): Promise<boolean> =>
    zKey.verifyFromInit(unused, powers, bytesOf(forged), logger).catch(() => false);
  t.true(await theirs());
  const accepted: string[] = [];
  for (const { name, lie, found } of lies) {
    await forgeContribution(file('2.zkey'), forged, lie);
    for (const check of [
      () => verifyContribution(file('2.zkey'), forged),
      () => verifyKeyFrom(initial, forged),
    ])
      await t.throwsAsync(check(), { instanceOf: InvalidCeremony, message: found }, name);
    if (await theirs()) accepted.push(name);
  }
  t.deepEqual(accepted, ['a secret of 1'], 'what snarkjs has no check for');

  // The past, rewritten with all that follows from it: on receipt, only the comparison with the head is against it.
  const rewritten: Partial<KeyContribution>[] = [{ name: 'somebody else' }, { g1s: g1Generator }];
  for (const firstContributor of rewritten) {
    await forgeContribution(file('2.zkey'), forged, { firstContributor });
    await t.throwsAsync(verifyContribution(file('2.zkey'), forged), {
      instanceOf: InvalidCeremony,
      message: /contribution 1 must be that of the head/,
    });
  }
});

test.serial('T04 phase 1: every careful lie is found by the one check that is against it', async (t) => {
  await preparePtau(file('contributed.ptau'), file('one.ptau'));
  await t.notThrowsAsync(verifyPtau(file('one.ptau')));
  for (const { name, bytes, found } of await ptauLies(bytesOf(file('one.ptau')))) {
    writeFileSync(file('lie.ptau'), bytes);
    await t.throwsAsync(verifyPtau(file('lie.ptau')), { instanceOf: InvalidCeremony, message: found }, name);
  }
});
