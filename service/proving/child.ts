/**
 * The host's end of a prover process: starts it, hands it tasks, watches deadline and memory, kills it when it must
 * and starts the next. Says of every task how it ended, and of a death whom it may be blamed on.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bareEnvironment, permissionFlags, withoutNetwork } from '../confinement.js';
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
  /** 0 to 19, as `nice` has it. */
  readonly niceness: number;
  /** All that the process may read besides our own code: where the models are. */
  readonly readableFolders: readonly string[];
}

interface Running {
  readonly done: (end: TaskEnd) => void;
  readonly onStage: (stage: string, wallMs: number) => void;
  timer: NodeJS.Timeout | undefined;
}

type KillReason = 'deadline' | 'memory' | 'recycle' | 'closing';

/** One process with the tasks in it; a successor has its own. */
interface Instance {
  readonly process: ChildProcess;
  readonly ready: Promise<void>;
  readonly running: Map<number, Running>;
  finishedCount: number;
  reason: KillReason | null;
}

export class ProverChild {
  /** The one that takes tasks. */
  private current: Instance | null = null;
  /** It, and those that end with their last task. */
  private readonly living = new Set<Instance>();
  private nextTask = 1;
  private readonly memoryTimer: NodeJS.Timeout;
  residentBytes = 0;
  peakBytes = 0;
  closed = false;

  constructor(
    private readonly threadModule: string,
    private readonly limits: ChildLimits,
    private readonly log: Logger,
    private readonly onMemory: (residentBytes: number) => void = () => undefined,
  ) {
    this.memoryTimer = setInterval(() => void this.watchMemory(), 250);
    this.memoryTimer.unref();
  }

  get inFlight(): number {
    return [...this.living].reduce((sum, { running }) => sum + running.size, 0);
  }

  get pid(): number | undefined {
    return this.current?.process.pid;
  }

  async run(
    task: ThreadTask,
    onStage: (stage: string, wallMs: number) => void = () => undefined,
  ): Promise<TaskEnd> {
    const instance = (this.current ??= this.start());
    const taskId = this.nextTask++;
    const end = new Promise<TaskEnd>((done) => {
      instance.running.set(taskId, { done, onStage, timer: undefined });
    });
    await instance.ready;
    instance.process.send({ type: 'task', taskId, task } satisfies ToProcess, (error) => {
      // Its exit event ends the task; a message that could not be sent says nothing more.
      if (error) this.log.debug({ reason: error.message }, 'prover process was gone');
    });
    return end;
  }

  private start(): Instance {
    const { threadCount } = this.limits;
    const [execPath, ...execArgv] = [
      ...withoutNetwork(),
      process.execPath,
      ...permissionFlags({ readable: this.limits.readableFolders, withThreadsAndAddons: true }),
      '--max-old-space-size=4096',
    ];
    const child = fork(
      fileURLToPath(new URL('./process.js', import.meta.url)),
      [this.threadModule, String(threadCount), String(this.limits.niceness)],
      {
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        ...{ execPath, execArgv },
        // Prover code needs no secret of ours and no address of a database.
        env: bareEnvironment,
      },
    );
    let isReady: () => void = () => undefined;
    const ready = new Promise<void>((done) => (isReady = done));
    const instance: Instance = { process: child, ready, running: new Map(), finishedCount: 0, reason: null };
    this.living.add(instance);
    child.on('message', (message: FromProcess) => {
      if (message.type === 'ready') isReady();
      else this.receive(instance, message);
    });
    child.once('error', (error) =>
      this.log.error({ reason: error.message }, 'prover process could not start'),
    );
    child.once('exit', (code, signal) => {
      // Tasks that wait for a process that never came up end like those inside it.
      isReady();
      this.died(instance, code, signal);
    });
    return instance;
  }

  private receive(instance: Instance, message: Exclude<FromProcess, { type: 'ready' }>): void {
    const { taskId } = message;
    const task = instance.running.get(taskId);
    if (!task) return;
    if (message.type === 'started')
      task.timer = setTimeout(() => this.expire(instance, taskId), this.limits.deadlineMs);
    else if (message.type === 'stage') task.onStage(message.stage, message.wallMs);
    else if (message.type === 'lost')
      this.finish(instance, taskId, { kind: 'died', alone: true, blamed: true, detail: message.detail });
    else this.finish(instance, taskId, message.result);
  }

  private finish(instance: Instance, taskId: number, end: TaskEnd): void {
    const task = instance.running.get(taskId);
    if (!task) return;
    clearTimeout(task.timer);
    instance.running.delete(taskId);
    task.done(end);
    if (++instance.finishedCount < this.limits.recycleAfter) return;
    // The next task goes to a fresh process; this one ends with its last.
    if (this.current === instance) this.current = null;
    if (instance.running.size === 0) this.kill(instance, 'recycle');
  }

  private expire(instance: Instance, taskId: number): void {
    this.finish(instance, taskId, { kind: 'timeout' });
    this.kill(instance, 'deadline');
  }

  private kill(instance: Instance, reason: KillReason): void {
    instance.reason ??= reason;
    this.log.info({ reason, pid: instance.process.pid }, 'prover process killed');
    instance.process.kill('SIGKILL');
    if (this.current === instance) this.current = null;
  }

  /** From outside: another process's kill -9, or the kernel's; by its own doing: a fault, an exit, our memory limit. */
  private died(instance: Instance, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.current === instance) this.current = null;
    this.living.delete(instance);
    const { running, reason } = instance;
    const alone = running.size === 1;
    const fromOutside = signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT';
    const blamed = reason === 'memory' || (reason === null && !fromOutside);
    const detail = reason === 'memory' ? 'memory limit' : (signal ?? `exit ${code}`);
    if (running.size > 0) this.log.warn({ detail, inFlight: running.size }, 'prover process died');
    for (const taskId of [...running.keys()])
      this.finish(instance, taskId, { kind: 'died', alone, blamed, detail });
  }

  private async watchMemory(): Promise<void> {
    let sum = 0;
    for (const instance of this.living) {
      const status = await readFile(`/proc/${instance.process.pid}/status`, 'utf8').catch(() => '');
      const bytes = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      if (bytes > this.limits.memoryBytes) this.kill(instance, 'memory');
      sum += bytes;
    }
    this.residentBytes = sum;
    this.peakBytes = Math.max(this.peakBytes, sum);
    this.onMemory(sum);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.memoryTimer);
    for (const instance of this.living) this.kill(instance, 'closing');
  }
}
