/**
 * Tells those who follow an inference which stages its proof has passed: together, and not more often than `everyMs`. A
 * small model passes eight stages in twenty milliseconds, and each notice alone is a transaction.
 */
import type { Pool } from 'pg';
import { notifyAll } from '../store/notices.js';

export class StageNotices {
  private waiting: { stage: string; wallMs: number }[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly id: string,
    private readonly everyMs = 200,
  ) {}

  add(stage: string, wallMs: number): void {
    this.waiting.push({ stage, wallMs });
    this.timer ??= setTimeout(() => this.tell(), this.everyMs);
  }

  /** The proof has ended: its state says the rest. */
  end(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
  }

  private tell(): void {
    this.timer = null;
    const told = this.waiting.splice(0);
    // A notice is a convenience: without the database there is nobody to tell.
    void notifyAll(this.pool, this.id, 'stage', told).catch(() => undefined);
  }
}
