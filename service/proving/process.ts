/**
 * The prover process: a Piscina pool of proving threads, alone in a process, because a fault in native code or memory
 * outside V8 takes the whole process and nothing inside can stop it. The host (host.ts) watches it from outside.
 */
import { setPriority } from 'node:os';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { FromProcess, Loaded, Proven, Refused, ToProcess } from './protocol.js';

const [threadModule, threadCount, niceness] = process.argv.slice(2);
if (!process.send || !threadModule)
  throw new Error('prover process: is started by the prover host, not by hand');

// Answers and the database go before proofs on a full machine. Threads made from here on inherit it.
setPriority(Number(niceness));

const pool = new Piscina({
  filename: threadModule,
  minThreads: Number(threadCount),
  maxThreads: Number(threadCount),
  idleTimeout: Infinity,
  // snarkjs' web-worker crashes on import in a worker thread without this.
  workerData: {},
});

/** A host that was killed cannot be told anything: nobody waits for this process any more. */
const tell = (message: FromProcess): void =>
  void process.send!(message, undefined, undefined, (error) => {
    if (error) process.exit(0);
  });

process.on('message', (message: ToProcess) => void run(message));
process.once('disconnect', () => process.exit(0));
tell({ type: 'ready' });

async function run({ taskId, task }: ToProcess): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  port1.on('message', (news: { stage: string; wallMs: number } | 'started') => {
    tell(news === 'started' ? { type: 'started', taskId } : { type: 'stage', taskId, ...news });
  });
  try {
    const result = (await pool.run({ task, port: port2 }, { transferList: [port2] })) as
      Proven | Refused | Loaded;
    tell({ type: 'result', taskId, result });
  } catch (error) {
    tell({ type: 'lost', taskId, detail: (error as Error).message });
  } finally {
    port1.close();
  }
}
