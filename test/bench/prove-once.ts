/**
 * A process that does nothing but prove: `prove-once ENGINE ZKEY WITNESS RUNS`. Prints one line of JSON: seconds of
 * loading, of each run, stages of each run, peak resident memory. ENGINE is `native`, `native:BACKEND` or `snarkjs`;
 * BENCH_TRANSFORMS=6 leaves a derived file aside.
 */
import { readFileSync } from 'node:fs';
import type { ProveStage } from '../../prover/engine.js';
import { readCompactWitness } from './witness-file.js';

export interface ProveReport {
  readonly loadS: number;
  readonly tableMiB: number;
  readonly slices: number;
  readonly transforms: number;
  readonly runS: readonly number[];
  /** Processor seconds of each run, all threads together. */
  readonly cpuS: readonly number[];
  readonly stagesMs: readonly Partial<Record<ProveStage, number>>[];
  readonly peakMiB: number;
}

const [engine, zkeyPath, witnessPath, runs] = process.argv.slice(2);
const threads = process.env.BENCH_THREADS === undefined ? {} : { threads: Number(process.env.BENCH_THREADS) };
const witness = readCompactWitness(witnessPath);
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};
const cpuSeconds = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};
/** The most this process ever held, from the kernel. */
const peakMiB = (): number =>
  Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;

const report = engine === 'snarkjs' ? await runSnarkjs() : await runNative(engine.split(':')[1]);
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));

async function runNative(backend: string | undefined): Promise<ProveReport> {
  const { loadNativeKey } = await import('../../prover/native-engine.js');
  let key: Awaited<ReturnType<typeof loadNativeKey>> | undefined;
  const budget = process.env.BENCH_TABLES_MIB;
  const options = {
    ...(backend === undefined ? {} : { backend }),
    ...(process.env.BENCH_TRANSFORMS === '6' ? { derivedPath: null } : {}),
    ...(budget === undefined ? {} : { memoryBudgetBytes: Number(budget) * 2 ** 20 }),
  };
  const loadS = await seconds(async () => (key = await loadNativeKey(zkeyPath, options)));
  const runS: number[] = [];
  const cpuS: number[] = [];
  const stagesMs: Partial<Record<ProveStage, number>>[] = [];
  for (let i = 0; i < Number(runs); i++) {
    const stages: Partial<Record<ProveStage, number>> = {};
    cpuS.push(
      await cpuSeconds(async () =>
        runS.push(
          await seconds(() =>
            key!.prove(witness, { ...threads, onStage: (stage, ms) => (stages[stage] = ms) }),
          ),
        ),
      ),
    );
    stagesMs.push(stages);
  }
  return {
    loadS,
    tableMiB: key!.tableBytes / 2 ** 20,
    slices: key!.slices,
    transforms: key!.transforms,
    runS,
    cpuS,
    stagesMs,
    peakMiB: peakMiB(),
  };
}

async function runSnarkjs(): Promise<ProveReport> {
  const { groth16 } = await import('snarkjs');
  const { encodeWitness } = await import('../../circuits/r1cs/file.js');
  const file = readFileSync(zkeyPath);
  const zkey = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const encoded = encodeWitness(witness);
  const runS: number[] = [];
  const cpuS: number[] = [];
  for (let i = 0; i < Number(runs); i++) {
    cpuS.push(await cpuSeconds(async () => runS.push(await seconds(() => groth16.prove(zkey, encoded)))));
  }
  return { loadS: 0, tableMiB: 0, slices: 0, transforms: 0, runS, cpuS, stagesMs: [], peakMiB: peakMiB() };
}
