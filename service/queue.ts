/**
 * graphile-worker, run so that a lost database only pauses it. One of its workers gives up for good when it cannot
 * report a job's end, and its runner goes on with one fewer: such a runner is retired. What the worker held is unlocked
 * under its id, a fresh runner starts at once, and the retired one ends with the jobs it still has.
 */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, type Runner, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { Pool } from 'pg';
import type { Logger } from './log.js';
import { queues, unlockWorkers, type QueueName } from './store/jobs.js';
import { quietLogger } from './store/migrations.js';

export interface QueueOptions {
  readonly pool: Pool;
  readonly queue: QueueName;
  readonly tasks: TaskList;
  /** Jobs at a time; more for a while when a runner was retired with jobs at work. */
  readonly slots: number;
  /** How often every idle slot looks for what is due later; what is due now comes with a notice. Default: a second. */
  readonly pollMs?: number;
  readonly log: Logger;
}

export class Queue {
  private closed = false;
  private readonly ids = new Set<string>();
  private readonly runners = new Set<Runner>();
  private readonly endings = new Set<Promise<void>>();
  private loop: Promise<void> = Promise.resolve();

  constructor(private readonly options: QueueOptions) {}

  /** Ids under which jobs may be locked now; the lease publishes them. */
  get workerIds(): readonly string[] {
    return [...this.ids];
  }

  start(): void {
    this.loop = this.keepRunning();
  }

  private async keepRunning(): Promise<void> {
    while (!this.closed) {
      try {
        await this.runOnce();
      } catch (error) {
        this.options.log.debug({ reason: (error as Error).message }, 'queue waits for the database');
      }
      if (!this.closed) await sleep(250);
    }
  }

  /** Until a worker gives up, or we are closed. */
  private async runOnce(): Promise<void> {
    const { pool, queue, tasks, slots, pollMs = 1_000 } = this.options;
    const workers: string[] = [];
    const events = new EventEmitter() as WorkerEvents;
    events.on('worker:create', ({ worker }) => {
      workers.push(worker.workerId);
      this.ids.add(worker.workerId);
    });
    const gaveUp = new Promise<void>((done) => {
      events.on('worker:fatalError', ({ worker }) => {
        this.end(this.unlock([worker.workerId]));
        done();
      });
    });
    let runner: Runner;
    try {
      runner = await run({
        pgPool: unheard(pool),
        schema: queues[queue],
        taskList: tasks,
        concurrency: slots,
        noHandleSignals: true,
        pollInterval: pollMs,
        logger: quietLogger,
        events,
      });
    } catch (error) {
      workers.forEach((id) => this.ids.delete(id));
      throw error;
    }
    this.runners.add(runner);
    const ended = runner.promise.catch(() => undefined);
    // Closed while it was starting: nobody else knows this runner.
    if (!this.closed) await Promise.race([gaveUp, ended]);
    this.end(
      (async () => {
        if (this.runners.delete(runner)) await runner.stop().catch(() => undefined);
        await ended;
        await this.unlock(workers);
      })(),
    );
  }

  private end(ending: Promise<void>): void {
    this.endings.add(ending);
    void ending.finally(() => this.endings.delete(ending));
  }

  /** Tries until the database answers; after that the ids are nobody's. */
  private async unlock(workers: readonly string[]): Promise<void> {
    for (;;) {
      try {
        await unlockWorkers(this.options.pool, workers);
        break;
      } catch {
        if (this.closed) return;
        await sleep(250);
      }
    }
    workers.forEach((id) => this.ids.delete(id));
  }

  /** Takes no new job and waits for those at work. */
  async stop(): Promise<void> {
    this.closed = true;
    await Promise.all(
      [...this.runners].map((runner) => {
        this.runners.delete(runner);
        return runner.stop().catch(() => undefined);
      }),
    );
    await this.loop;
    while (this.endings.size > 0) await Promise.all(this.endings);
  }
}

/**
 * The pool as a runner gets it: its listeners go nowhere. Each runner puts its own on the pool and on every connection,
 * and one that dies with the database leaves them behind; openPool listens once for all of them.
 */
const unheard = (pool: Pool): Pool =>
  new Proxy(pool, {
    get(target, name) {
      if (name === 'on' || name === 'removeListener') return () => target;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
