/**
 * The host's end of a prover process: starts it, hands it tasks, watches deadline and memory, kills it when it must
 * and starts the next. Says of every task how it ended, and of a death whom it may be blamed on.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../log.js';
import type { FromProcess, Loaded, Proven, Refused, ThreadTask, ToProcess } from './protocol.js';

export type TaskEnd =
  | Proven
  | Refused
  | Loaded
  | { readonly kind: 'timeout' }
  /** The process died with this task in it. `alone`: with no other. `blamed`: by its own doing, not from outside. */
  | { readonly kind: 'died'; readonly alone: boolean; readonly blamed: boolean; readonly detail: string };

export interface ChildLimits {
  readonly threadCount: number;
  readonly memoryBytes: number;
  readonly deadlineMs: number;
  readonly recycleAfter: number;
}

interface Running {
  readonly done: (end: TaskEnd) => void;
  readonly onStage: (stage: string, wallMs: number) => void;
  timer: NodeJS.Timeout | undefined;
}

type KillReason = 'deadline' | 'memory' | 'recycle' | 'closing';

export class ProverChild {
  private child: ChildProcess | null = null;
  private starting: Promise<ChildProcess> | null = null;
  private readonly running = new Map<number, Running>();
  private nextTask = 1;
  private finishedCount = 0;
  private reason: KillReason | null = null;
  private readonly memoryTimer: NodeJS.Timeout;
  residentBytes = 0;
  peakBytes = 0;
  closed = false;

  constructor(
    private readonly threadModule: string,
    private readonly limits: ChildLimits,
    private readonly log: Logger,
  ) {
    this.memoryTimer = setInterval(() => void this.watchMemory(), 500);
    this.memoryTimer.unref();
  }

  get inFlight(): number {
    return this.running.size;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async run(
    task: ThreadTask,
    onStage: (stage: string, wallMs: number) => void = () => undefined,
  ): Promise<TaskEnd> {
    const child = await this.start();
    const taskId = this.nextTask++;
    return new Promise((done) => {
      this.running.set(taskId, { done, onStage, timer: undefined });
      child.send({ type: 'task', taskId, task } satisfies ToProcess, (error) => {
        if (error)
          this.finish(taskId, {
            kind: 'died',
            alone: false,
            blamed: false,
            detail: 'the prover process was gone',
          });
      });
    });
  }

  private start(): Promise<ChildProcess> {
    if (this.child) return Promise.resolve(this.child);
    this.starting ??= new Promise<ChildProcess>((done, fail) => {
      const child = fork(
        fileURLToPath(new URL('./process.js', import.meta.url)),
        [this.threadModule, String(this.limits.threadCount)],
        {
          serialization: 'advanced',
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          // Prover code needs no secret of ours and no address of a database.
          env: {
            PATH: process.env['PATH'],
            HOME: process.env['HOME'],
            NODE_OPTIONS: '--max-old-space-size=4096',
          },
        },
      );
      this.reason = null;
      this.finishedCount = 0;
      child.on('message', (message: FromProcess) => {
        if (message.type === 'ready') {
          this.child = child;
          this.starting = null;
          done(child);
        } else this.receive(message);
      });
      child.once('error', fail);
      child.once('exit', (code, signal) => {
        this.died(code, signal);
        fail(new Error(`prover process ended with ${signal ?? code} before it was ready`));
      });
    }).catch((error: unknown) => {
      this.starting = null;
      throw error;
    });
    return this.starting;
  }

  private receive(message: Exclude<FromProcess, { type: 'ready' }>): void {
    const task = this.running.get(message.taskId);
    if (!task) return;
    if (message.type === 'started')
      task.timer = setTimeout(() => this.expire(message.taskId), this.limits.deadlineMs);
    else if (message.type === 'stage') task.onStage(message.stage, message.wallMs);
    else if (message.type === 'lost')
      this.finish(message.taskId, { kind: 'died', alone: true, blamed: true, detail: message.detail });
    else this.finish(message.taskId, message.result);
  }

  private finish(taskId: number, end: TaskEnd): void {
    const task = this.running.get(taskId);
    if (!task) return;
    clearTimeout(task.timer);
    this.running.delete(taskId);
    task.done(end);
    if (++this.finishedCount >= this.limits.recycleAfter && this.running.size === 0) this.kill('recycle');
  }

  private expire(taskId: number): void {
    this.finish(taskId, { kind: 'timeout' });
    this.kill('deadline');
  }

  private kill(reason: KillReason): void {
    this.reason ??= reason;
    this.log.info({ reason, pid: this.child?.pid }, 'prover process killed');
    this.child?.kill('SIGKILL');
    this.child = null;
  }

  /** From outside: another process's kill -9, or the kernel's; by its own doing: a fault, an exit, our memory limit. */
  private died(code: number | null, signal: NodeJS.Signals | null): void {
    this.child = null;
    this.starting = null;
    const alone = this.running.size === 1;
    const blamed =
      this.reason === 'memory' ||
      (this.reason === null && signal !== 'SIGKILL' && signal !== 'SIGTERM' && signal !== 'SIGINT');
    const detail = this.reason === 'memory' ? 'memory limit' : `${signal ?? `exit ${code}`}`;
    if (this.running.size > 0) this.log.warn({ detail, inFlight: this.running.size }, 'prover process died');
    for (const taskId of [...this.running.keys()])
      this.finish(taskId, { kind: 'died', alone, blamed, detail });
  }

  private async watchMemory(): Promise<void> {
    const pid = this.child?.pid;
    if (!pid) return;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    this.residentBytes = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    this.peakBytes = Math.max(this.peakBytes, this.residentBytes);
    if (this.residentBytes > this.limits.memoryBytes) this.kill('memory');
  }

  close(): void {
    this.closed = true;
    clearInterval(this.memoryTimer);
    this.kill('closing');
  }
}
