/**
 * `make bench-prover`: bit-heavy circuits of 2^14 … 2^20 rows and the LeNet, proved by the native engine and by
 * snarkjs in turn with the same key and witness, each in a process of its own, and by rapidsnark where the environment
 * variable RAPIDSNARK names a binary. Medians; snarkjs warm (its first run is dropped), up to 2^18. The native time runs
 * from the compact witness to the self-verified proof: with the standard key alone, and with the file derived from it.
 * Last line: one JSON object; what could not be measured is null, and then the exit code is 1.
 *
 * BENCH_SIZES="14 16" chooses sizes, BENCH_BACKEND=adx other kernels than the best. Keys are kept in .data/bench for
 * the next run and never committed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../circuits/index.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import type { CompactWitness, R1cs } from '../../circuits/r1cs/r1cs.js';
import { encodeWitness, r1csDigest } from '../../circuits/r1cs/file.js';
import { deriveKey } from '../../prover/derive.js';
import type { ProveStage } from '../../prover/engine.js';
import { loadAddon } from '../../prover/native-addon.js';
import { loadNativeKey } from '../../prover/native-engine.js';
import { setupDevelopment } from '../../prover/setup.js';
import { bitNetwork } from './bit-network.js';
import type { ProveReport } from './prove-once.js';
import { writeCompactWitness } from './witness-file.js';

const folder = join(process.cwd(), '.data', 'bench');
mkdirSync(folder, { recursive: true });
const child = fileURLToPath(new URL('./prove-once.js', import.meta.url));
const sizes = (process.env.BENCH_SIZES ?? '14 16 18 20').split(/[ ,]+/).map(Number);
const rapidsnark = process.env.RAPIDSNARK;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const addon = loadAddon();
if (addon === undefined) {
  say('bench-prover: the native engine is not built');
  process.exit(1);
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
};
const prove = (engine: string, stem: string, runs: number, transforms = '4'): ProveReport =>
  JSON.parse(
    execFileSync(process.execPath, [child, engine, `${stem}.zkey`, `${stem}.witness`, String(runs)], {
      maxBuffer: 1 << 24,
      env: { ...process.env, BENCH_TRANSFORMS: transforms },
    }).toString(),
  ) as ProveReport;
const stageNames: readonly ProveStage[] = ['abc', 'ntt', 'msm-witness', 'msm-h', 'verify'];
const stageMedians = ({ stagesMs }: ProveReport): string =>
  stageNames.map((stage) => `${stage} ${median(stagesMs.map((s) => s[stage] ?? 0)).toFixed(1)}`).join(' · ');

/** The key and the witness files of a circuit, made once. */
async function prepared(name: string, make: () => { r1cs: R1cs; witness: CompactWitness }): Promise<string> {
  const stem = join(folder, name);
  if (!['zkey', 'zkey.derived', 'witness'].every((kind) => existsSync(`${stem}.${kind}`))) {
    const { r1cs, witness } = make();
    const started = performance.now();
    let keyWritten = started;
    await setupDevelopment(r1cs, `${stem}.new`, {
      derivedPath: `${stem}.zkey.derived`,
      onProgress: (share) => (keyWritten = share < 1 ? performance.now() : keyWritten),
    });
    const inSeconds = (ms: number): string => (ms / 1000).toFixed(1);
    say(
      `${name}: development setup ${inSeconds(keyWritten - started)} s, derived file ` +
        `${inSeconds(performance.now() - keyWritten)} s more, ${r1cs.constraintCount} rows`,
    );
    writeCompactWitness(`${stem}.witness`, witness);
    if (rapidsnark !== undefined) writeFileSync(`${stem}.wtns`, encodeWitness(witness));
    renameSync(`${stem}.new`, `${stem}.zkey`);
  }
  return stem;
}

const load = (): string => readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
const { cpuFeatures, backends } = addon.doctor();
say(
  `${cpus()[0].model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; ` +
    `kernels ${backends[0]} (${cpuFeatures.join(' ')}); load ${load()}`,
);
say('');
say(
  '| domain | native s | derived s | native cpu s | derived cpu s | snarkjs s (warm) | snarkjs cpu s | ratio | rapidsnark s | peak MiB | key load s | with derived s | tables MiB | slices |',
);
say(`|${' ---: |'.repeat(14)}`);

interface SizeResult {
  readonly nativeS: number;
  readonly derivedS: number;
  readonly snarkjsS?: number;
  readonly ratio?: number;
  readonly rapidsnarkS?: number;
  readonly rssMiB: number;
}
const results: Record<string, SizeResult | null> = {};
const splits: string[] = [];
let hMsmS: number | null = null;
for (const size of sizes) {
  results[String(2 ** size)] = await measured(`2^${size}`, () => timeSize(size));
}
say('');
say('stages, medians:');
splits.forEach(say);

const derive = await measured('derived file without the trapdoor', timeDerivation);
if (derive !== null)
  say(`derived file of 2^14 rows from the key alone, as a ceremony's is: ${derive.toFixed(1)} s`);
const lenetS = await measured('LeNet', timeLenet);
const nttS = await measured('transform', async () => median(Array.from({ length: 3 }, () => oneTransform())));
if (nttS !== null) say(`one NTT of 2^18: ${(nttS * 1000).toFixed(1)} ms of processor time; load ${load()}`);
const fields = { sizes: results, lenetS, nttS, hMsmS };
if ([lenetS, nttS, hMsmS, ...Object.values(results)].includes(null)) process.exitCode = 1;
say(JSON.stringify(fields));

/** Null, with the reason said, where a measurement fails: the others still count. */
async function measured<T>(what: string, run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    say(`${what}: not measured: ${(error as Error).message}`);
    return null;
  }
}

async function timeSize(size: number): Promise<SizeResult> {
  const stem = await prepared(`bits-${size}`, () => bitNetwork(size));
  const engine = process.env.BENCH_BACKEND === undefined ? 'native' : `native:${process.env.BENCH_BACKEND}`;
  const runs = size <= 16 ? 11 : size <= 18 ? 7 : 3;
  // in turn, so that a slow minute of the machine touches all
  const standard = [prove(engine, stem, runs, '6')];
  const derived = [prove(engine, stem, runs)];
  const reference = size <= 18 ? prove('snarkjs', stem, size <= 16 ? 4 : 3) : undefined;
  standard.push(prove(engine, stem, runs, '6'));
  derived.push(prove(engine, stem, runs));
  if (standard.some((r) => r.transforms !== 6) || derived.some((r) => r.transforms !== 4))
    throw new Error('the derived file was not used as asked');
  const [nativeS, derivedS] = [standard, derived].map((reports) => median(reports.flatMap((r) => r.runS)));
  const [nativeCpuS, derivedCpuS] = [standard, derived].map((reports) =>
    median(reports.flatMap((r) => r.cpuS)),
  );
  const snarkjsS = reference && median(reference.runS.slice(1));
  const rapidsnarkS = rapidsnark === undefined ? undefined : timeRapidsnark(rapidsnark, stem);
  const rssMiB = Math.max(...standard.map((r) => r.peakMiB));
  if (size === 18) hMsmS = median(standard.flatMap((r) => r.stagesMs.map((s) => s['msm-h']!))) / 1000;
  const text = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '–';
  const cells = [
    ...[nativeS, derivedS, nativeCpuS, derivedCpuS].map((value) => text(value, 3)),
    ...[snarkjsS, reference && median(reference.cpuS.slice(1))].map((value) => text(value, 2)),
    ...[text(snarkjsS && snarkjsS / nativeS, 1), text(rapidsnarkS, 3), text(rssMiB, 0)],
    ...[text(standard[1].loadS, 2), text(derived[1].loadS, 2), text(standard[1].tableMiB, 0)],
    standard[1].slices,
  ];
  say(`| 2^${size} | ${cells.join(' | ')} |`);
  splits.push(
    `2^${size}: ${stageMedians(standard[1])} ms`,
    `2^${size} derived: ${stageMedians(derived[1])} ms`,
  );
  return {
    ...{ nativeS, derivedS },
    ...(snarkjsS === undefined ? {} : { snarkjsS, ratio: snarkjsS / nativeS }),
    ...(rapidsnarkS === undefined ? {} : { rapidsnarkS }),
    rssMiB,
  };
}

async function timeDerivation(): Promise<number> {
  const stem = await prepared('bits-14', () => bitNetwork(14));
  const started = performance.now();
  await deriveKey(`${stem}.zkey`, `${stem}.derived-again`);
  rmSync(`${stem}.derived-again`);
  return (performance.now() - started) / 1000;
}

function oneTransform(): number {
  const bytes = addon!.kernel(undefined, 'ntt.time', new Uint8Array(32 * 2 ** 18).fill(7));
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
}

/** Whole inferences: quantized digit to witness to self-verified proof. */
async function timeLenet(): Promise<number> {
  const graph = loadGraph(readFileSync('models/lenet5/model.onnx'));
  const model = compile(graph);
  const { samples } = JSON.parse(readFileSync('models/lenet5/samples.json', 'utf8')) as {
    samples: { x: number[] }[];
  };
  const inputs = samples.map(({ x }) =>
    model.quantizeInput({ [graph.inputs[0].name]: Float32Array.from(x) }),
  );
  const witnessOf = (i: number): CompactWitness =>
    model.computeWitness({ inputs: inputs[i % inputs.length], ctx: 12345n + BigInt(i), salt: 678n }).witness;
  const stem = await prepared(`lenet5-${r1csDigest(model.r1cs).slice(0, 12)}`, () => ({
    r1cs: model.r1cs,
    witness: witnessOf(0),
  }));
  const key = await loadNativeKey(`${stem}.zkey`);
  const times: number[] = [];
  const witnessTimes: number[] = [];
  const stagesMs: Partial<Record<ProveStage, number>>[] = [];
  for (let i = 0; i < 12; i++) {
    const stages: Partial<Record<ProveStage, number>> = {};
    const started = performance.now();
    const witness = witnessOf(i);
    witnessTimes.push((performance.now() - started) / 1000);
    await key.prove(witness, { onStage: (stage, ms) => (stages[stage] = ms) });
    times.push((performance.now() - started) / 1000);
    stagesMs.push(stages);
  }
  const split = stageMedians({ stagesMs } as unknown as ProveReport);
  say(
    `LeNet-5, ${model.r1cs.constraintCount} rows: ${median(times).toFixed(3)} s, of it the witness ` +
      `${median(witnessTimes).toFixed(3)} s; ${key.transforms} transforms; ${split} ms; tables ${(key.tableBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  await key.close();
  return median(times);
}

/** Wall seconds of the whole process, which is all that it offers. */
function timeRapidsnark(binary: string, stem: string): number {
  return median(
    Array.from({ length: 5 }, () => {
      const started = performance.now();
      execFileSync(binary, [`${stem}.zkey`, `${stem}.wtns`, `${stem}.proof.json`, `${stem}.public.json`]);
      return (performance.now() - started) / 1000;
    }),
  );
}
