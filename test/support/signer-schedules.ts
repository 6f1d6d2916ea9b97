/** Random schedules of everything that can go wrong between a signer, its ledger and its chain, at once. */
import { Wallet, zeroPadValue, toBeHex } from 'ethers';
import type { Intent, Ledger } from '../../service/signer/ledger.js';
import { Signer, type Alarm, type Failpoint } from '../../service/signer/signer.js';
import { memoryLedger } from './memory-ledger.js';
import type { Random } from './random.js';
import { ScriptedChain } from './scripted-chain.js';
import { gwei } from './signing.js';

export interface ScheduleTally {
  readonly kills: Map<Failpoint, number>;
  schedules: number;
  intents: number;
  thefts: number;
  reorgs: number;
  feeJumps: number;
  faults: number;
  expired: number;
  reverted: number;
  refused: number;
  droughts: number;
  clockJumps: number;
  /** What must never be. */
  readonly wrong: string[];
}

export const newTally = (): ScheduleTally => ({
  kills: new Map(),
  ...{ schedules: 0, intents: 0, thefts: 0, reorgs: 0, feeJumps: 0, faults: 0 },
  ...{ expired: 0, reverted: 0, refused: 0, droughts: 0, clockJumps: 0 },
  wrong: [],
});

const failpoints: readonly Failpoint[] = [
  ...(['before-sign', 'before-persist', 'before-broadcast', 'before-mark-broadcast'] as const),
  ...(['before-mark-mined', 'before-mark-final', 'before-replace', 'before-rebroadcast'] as const),
];
const wallet = new Wallet(`0x${'5e'.repeat(32)}`);
const to = `0x${'11'.repeat(20)}`;
const finalityDepth = 4;
const capWei = 400n * gwei;

type Kind = 'plain' | 'late' | 'reverting' | 'refused';
const endOf: Record<Kind, string> = {
  ...{ plain: 'final', late: 'expired', reverting: 'reverted', refused: 'refused' },
};

export const intentOf = (data: string): Intent => ({
  ...{ id: data, chainId: 1, to, data, valueWei: 0n, notAfterS: null },
});

export const signerOver = (
  chain: ScriptedChain,
  ledger: Ledger,
  failpoint?: (point: Failpoint) => void,
  onAlarm: (alarm: Alarm) => void = () => undefined,
): Signer =>
  new Signer({
    ...{ wallet, chain, ledger, finalityDepth, bumpAfterTicks: 2, maxInFlight: 4 },
    ...(failpoint && { failpoint }),
    onAlarm,
    policy: {
      ...{ chainId: 1, calls: { [to]: ['0xc0ffee00'] }, maxPerHour: 1e6, maxGas: 10n ** 7n },
      ...{ maxValueWei: 0n, maxValuePerHourWei: 0n, maxFeePerGasWei: capWei },
    },
  });

class Killed extends Error {}

/** One schedule: sixty steps of trouble, then a chain that behaves, until every intent is closed. */
export async function runSchedule(draw: Random, tally: ScheduleTally): Promise<void> {
  const chain = new ScriptedChain(draw);
  const ledger = memoryLedger();
  const kinds = new Map<string, Kind>();
  const realNow = Date.now;
  let doomed: Failpoint | null = null;
  const failpoint = (point: Failpoint): void => {
    if (point !== doomed) return;
    doomed = null;
    tally.kills.set(point, (tally.kills.get(point) ?? 0) + 1);
    throw new Killed(point);
  };
  const born = (): Signer => signerOver(chain, ledger, failpoint);
  let signer = born();
  const tick = async (): Promise<void> => {
    try {
      await signer.tick();
    } catch (error) {
      if (error instanceof Killed) signer = born();
      else if ((error as Error).name !== 'RpcUnavailable') throw error;
    }
  };
  const submit = async (): Promise<void> => {
    const kind = draw.pick<Kind>(['plain', 'plain', 'plain', 'late', 'reverting', 'refused']);
    const data = `0xc0ffee00${zeroPadValue(toBeHex(kinds.size + 1), 32).slice(2)}`;
    kinds.set(data, kind);
    if (kind === 'reverting') chain.reverting.add(data);
    if (kind === 'refused') chain.refused.add(data);
    const notAfterS = kind === 'late' ? chain.genesisS - 1 : null; // no reorg brings that time back
    await signer.submit({ ...intentOf(data), notAfterS });
  };
  const steps: readonly (() => unknown)[] = [
    ...[submit, tick, tick, tick, tick, tick, tick],
    () => chain.mine(1),
    () => chain.mine(1 + draw.below(4)),
    () => chain.mine(1 + draw.below(4)),
    () => (doomed = draw.pick(failpoints)),
    () => {
      chain.steal();
      tally.thefts += 1;
    },
    () => {
      chain.reorg(1 + draw.below(finalityDepth - 1), chain.highest - finalityDepth);
      tally.reorgs += 1;
    },
    () => {
      chain.baseFeeWei = (gwei * BigInt(1 + draw.below(80))) / 4n;
      tally.feeJumps += 1;
    },
    () => (chain.faultEvery = draw.pick([0, 3, 10])),
    () => {
      chain.balanceWei = draw.pick([0n, 1n, 10n ** 20n]);
      if (chain.balanceWei < 2n) tally.droughts += 1;
    },
    () => {
      const offsetMs = (draw.below(7_200) - 3_600) * 1000;
      Date.now = () => realNow() + offsetMs;
      tally.clockJumps += 1;
    },
  ];
  try {
    await submit();
    for (let i = 0; i < 60; i++) await draw.pick(steps)();
  } finally {
    Date.now = realNow;
  }
  doomed = null;
  Object.assign(chain, { faultEvery: 0, baseFeeWei: gwei, balanceWei: 10n ** 20n });
  for (let i = 0; i < 200 && (await ledger.open()).length > 0; i++) {
    await tick();
    chain.mine(1);
  }
  for (const [data, kind] of kinds) {
    const { state, attempts } = (await ledger.read(data))!;
    const times = chain.timesIncluded(data);
    const expected = kind === 'plain' || kind === 'reverting' ? 1 : 0;
    if (state !== endOf[kind] || times !== expected)
      tally.wrong.push(`seed ${draw.seed}, ${kind}: ${state}, included ${times} times`);
    if (expected === 0 && attempts.length > 0) tally.wrong.push(`seed ${draw.seed}, ${kind}: was signed`);
    if (attempts.some(({ maxFeePerGasWei }) => maxFeePerGasWei > capWei)) tally.wrong.push('above the cap');
    if (state === 'expired') tally.expired += 1;
    if (state === 'reverted') tally.reverted += 1;
    if (state === 'refused') tally.refused += 1;
  }
  for (const [nonce, payloads] of chain.payloads)
    if (payloads.size > 1) tally.wrong.push(`seed ${draw.seed}: nonce ${nonce} carried two payloads`);
  tally.schedules += 1;
  tally.intents += kinds.size;
  tally.faults += chain.faults;
}
