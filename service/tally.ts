/**
 * What a process counts between two beats of its lease, which adds it to the totals of the whole installation: any API
 * host can then tell what every prover and settler did, also before their last restart. Names and labels come from
 * closed sets: no ids, no names that a client chose.
 */
import type { Pool } from 'pg';
import { addTotals } from './store/totals.js';

export const stages = ['answer', 'witness', 'prove', 'receipt', 'settle'] as const;
export type Stage = (typeof stages)[number];
export const proofOutcomes = ['proven', 'refused', 'timeout', 'crashed', 'stale'] as const;
export type ProofOutcome = (typeof proofOutcomes)[number];
export const engines = ['native', 'snarkjs', 'none'] as const;
export type EngineName = (typeof engines)[number];

/** Upper bounds in seconds. */
export const stageBuckets = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, Infinity];

/** Keys of the totals. A bucket holds what fell into it alone; the page of metrics adds them up. */
export const series = {
  proofs: (outcome: ProofOutcome, engine: EngineName): string => `proofs/${outcome}/${engine}`,
  settlements: 'settlements',
  gas: 'gas',
  stageBucket: (stage: Stage, atMost: number): string => `stage/${stage}/${atMost}`,
  stageSeconds: (stage: Stage): string => `stage/${stage}/sum`,
} as const;

export class Tally {
  private counts = new Map<string, number>();

  add(name: string, value = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + value);
  }

  stage(stage: Stage, seconds: number): void {
    this.add(
      series.stageBucket(
        stage,
        stageBuckets.find((bound) => seconds <= bound)!,
      ),
    );
    this.add(series.stageSeconds(stage), seconds);
  }

  /** Adds what was counted to the totals; what cannot be added now stays for the next time. */
  async flush(pool: Pool): Promise<void> {
    const { counts } = this;
    if (counts.size === 0) return;
    this.counts = new Map();
    try {
      await addTotals(pool, counts);
    } catch (error) {
      for (const [name, value] of counts) this.add(name, value);
      throw error;
    }
  }
}
