/**
 * graphile-worker, run so that a lost database only pauses it. Its worker gives up for good when it cannot report a
 * job's end, so every slot is a runner of its own with an id we chose: when one gives up, what it holds is unlocked
 * under that id and the next runner starts.
 */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, type Runner, type RunnerOptions, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { Pool } from 'pg';
import type { Logger } from './log.js';
import { unlockWorkers } from './store/hosts.js';
import { quietLogger } from './store/migrations.js';

export interface QueueOptions {
  readonly pool: Pool;
  readonly tasks: TaskList;
  /** Jobs at a time. */
  readonly slots: number;
  readonly hostId: string;
  readonly log: Logger;
}

export class Queue {
  private closed = false;
  private readonly ids = new Set<string>();
  private readonly runners = new Set<Runner>();
  private loops: Promise<void>[] = [];

  constructor(private readonly options: QueueOptions) {}

  /** Ids under which jobs may be locked now; the lease publishes them. */
  get workerIds(): readonly string[] {
    return [...this.ids];
  }

  start(): void {
    // Each slot's runner listens on the pool and on every connection of it; Node would take that for a leak.
    this.options.pool.setMaxListeners(0);
    this.options.pool.on('connect', (client) => void (client as unknown as EventEmitter).setMaxListeners(0));
    this.loops = Array.from({ length: this.options.slots }, (_, slot) => this.keepRunning(slot));
  }

  private async keepRunning(slot: number): Promise<void> {
    const { pool, tasks, hostId, log } = this.options;
    for (let generation = 0; !this.closed; generation++) {
      const workerId = `${hostId}/${slot}.${generation}`;
      this.ids.add(workerId);
      const events = new EventEmitter() as WorkerEvents;
      const gaveUp = new Promise<void>((done) => void events.on('worker:fatalError', () => done()));
      try {
        const runner = await run({
          pgPool: unheard(pool),
          taskList: tasks,
          concurrency: 1,
          noHandleSignals: true,
          pollInterval: 1000,
          logger: quietLogger,
          events,
          workerId,
        } as RunnerOptions);
        this.runners.add(runner);
        // Stopped while it was starting: nobody else knows this runner.
        if (this.closed) await runner.stop().catch(() => undefined);
        await Promise.race([gaveUp, runner.promise]);
        this.runners.delete(runner);
        if (this.closed) return;
        await runner.stop().catch(() => undefined);
      } catch (error) {
        log.debug({ reason: (error as Error).message }, 'queue slot could not start');
      }
      while (!this.closed) {
        await sleep(250);
        try {
          await unlockWorkers(pool, [workerId]);
          this.ids.delete(workerId);
          break;
        } catch {
          log.debug('queue slot waits for the database');
        }
      }
    }
  }

  /** Takes no new job and waits for those at work. */
  async stop(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.runners].map((runner) => runner.stop().catch(() => undefined)));
    await Promise.all(this.loops);
  }
}

/**
 * The pool as a runner gets it: its listeners go nowhere. Sixteen runners would put sixteen on the pool and on each
 * connection, and one that dies with the database leaves its own behind; openPool listens once for all of them.
 */
const unheard = (pool: Pool): Pool =>
  new Proxy(pool, {
    get(target, name) {
      if (name === 'on' || name === 'removeListener') return () => target;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
