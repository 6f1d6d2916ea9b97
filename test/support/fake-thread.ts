/**
 * A proving thread that proves nothing: for tests of everything around the proof. The first input value chooses what
 * it does; see `mischief`.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Proven, Refused, Loaded, ThreadTask } from '../../service/proving/protocol.js';

/** Input values that make the thread misbehave, each in one way of SECURITY Q06–Q09. */
export const mischief = {
  segfault: 901,
  loop: 902,
  buffers: 903,
  wasm: 904,
  heap: 905,
  exit: 906,
  mismatch: 907,
  slow: 908,
  throws: 909,
} as const;

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export default async function run({
  task,
  port,
}: {
  task: ThreadTask;
  port: MessagePort;
}): Promise<Proven | Refused | Loaded> {
  port.postMessage('started');
  if (task.type === 'load') return { kind: 'loaded', engine: 'fake', reason: 'a test' };
  const { job } = task;
  const view = new DataView(job.tensors.buffer, job.tensors.byteOffset);
  await misbehave(Math.round(view.getFloat32(0, true)));
  await sleep(15);
  port.postMessage({ stage: 'witness', wallMs: 1 });
  if (Math.round(view.getFloat32(0, true)) === mischief.mismatch)
    return { kind: 'refused', code: 'answer-mismatch', detail: 'output "y" element 0: must be 1, got 2' };
  return {
    kind: 'proven',
    receipt: JSON.stringify({ fake: true, inference: job.inferenceId }),
    engine: 'fake',
    timings: { witness: 1, prove: 2 },
  };
}

async function misbehave(kind: number): Promise<void> {
  const hoard: unknown[] = [];
  if (kind === mischief.segfault) process.kill(process.pid, 'SIGSEGV');
  if (kind === mischief.exit) process.kill(process.pid, 'SIGABRT');
  if (kind === mischief.slow) await sleep(3_000);
  if (kind === mischief.throws) throw new Error('a thread that throws');
  while (kind === mischief.loop) hoard.length = 0;
  while (kind === mischief.buffers) {
    hoard.push(Buffer.alloc(64 << 20, 1));
    await sleep(5);
  }
  while (kind === mischief.wasm) {
    const memory = new WebAssembly.Memory({ initial: 1024 });
    new Uint8Array(memory.buffer).fill(1);
    hoard.push(memory);
    await sleep(5);
  }
  while (kind === mischief.heap) hoard.push(Array.from({ length: 1e6 }, (_, i) => ({ i })));
}
