/**
 * `make bench-prover`: bit-heavy circuits of 2^14 … 2^20 rows and the LeNet, proved by the native engine and by
 * snarkjs in turn with the same key and witness, each in a process of its own, and by rapidsnark where the environment
 * variable RAPIDSNARK names a binary. Medians; snarkjs warm (its first run is dropped), up to 2^18. The native time runs
 * from the compact witness to the self-verified proof. Last line: one JSON object.
 *
 * BENCH_SIZES="14 16" chooses sizes. Keys are kept in .data/bench for the next run and never committed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../circuits/index.js';
import { loadGraph } from '../../circuits/onnx/load.js';
import type { CompactWitness, R1cs } from '../../circuits/r1cs/r1cs.js';
import { encodeWitness, r1csDigest } from '../../circuits/r1cs/file.js';
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
const prove = (engine: string, zkey: string, witness: string, runs: number): ProveReport =>
  JSON.parse(
    execFileSync(process.execPath, [child, engine, zkey, witness, String(runs)], {
      maxBuffer: 1 << 24,
    }).toString(),
  ) as ProveReport;
const stageNames: readonly ProveStage[] = ['abc', 'ntt', 'msm-witness', 'msm-h', 'verify'];
const stageMedians = ({ stagesMs }: ProveReport): string =>
  stageNames.map((stage) => `${stage} ${median(stagesMs.map((s) => s[stage] ?? 0)).toFixed(1)}`).join(' · ');

/** The key and the witness files of a circuit, made once. */
async function prepared(name: string, make: () => { r1cs: R1cs; witness: CompactWitness }): Promise<string> {
  const stem = join(folder, name);
  if (!existsSync(`${stem}.zkey`) || !existsSync(`${stem}.witness`)) {
    const { r1cs, witness } = make();
    const started = performance.now();
    await setupDevelopment(r1cs, `${stem}.new`);
    say(
      `${name}: development setup ${((performance.now() - started) / 1000).toFixed(1)} s, ${r1cs.constraintCount} rows`,
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
  '| domain | native s | native cpu s | snarkjs s (warm) | snarkjs cpu s | ratio | rapidsnark s | peak MiB | key load s | tables MiB | slices |',
);
say('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');

const results: Record<
  string,
  { nativeS: number; snarkjsS?: number; ratio?: number; rapidsnarkS?: number; rssMiB: number }
> = {};
const splits: string[] = [];
let hMsmS = 0;
for (const size of sizes) {
  const stem = await prepared(`bits-${size}`, () => bitNetwork(size));
  const [zkey, witness] = [`${stem}.zkey`, `${stem}.witness`];
  const runs = size <= 16 ? 15 : size <= 18 ? 9 : 5;
  // in turn, so that a slow minute of the machine touches both
  const first = prove('native', zkey, witness, runs);
  const reference = size <= 18 ? prove('snarkjs', zkey, witness, size <= 16 ? 4 : 3) : undefined;
  const second = prove('native', zkey, witness, runs);
  const nativeS = median([...first.runS, ...second.runS]);
  const snarkjsS = reference === undefined ? undefined : median(reference.runS.slice(1));
  const rapidsnarkS = rapidsnark === undefined ? undefined : timeRapidsnark(rapidsnark, stem);
  const rssMiB = Math.max(first.peakMiB, second.peakMiB);
  const stages = median(second.stagesMs.map((s) => s['msm-h'] ?? 0)) / 1000;
  if (size === 18) hMsmS = stages;
  results[String(2 ** size)] = {
    nativeS,
    ...(snarkjsS === undefined ? {} : { snarkjsS, ratio: snarkjsS / nativeS }),
    ...(rapidsnarkS === undefined ? {} : { rapidsnarkS }),
    rssMiB,
  };
  const text = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '–';
  say(
    `| 2^${size} | ${text(nativeS, 3)} | ${text(median(second.cpuS), 3)} | ${text(snarkjsS, 2)} | ${text(reference && median(reference.cpuS.slice(1)), 2)} | ${text(snarkjsS && snarkjsS / nativeS, 1)} | ` +
      `${text(rapidsnarkS, 3)} | ${text(rssMiB, 0)} | ${text(second.loadS, 2)} | ${text(second.tableMiB, 0)} | ${second.slices} |`,
  );
  splits.push(`2^${size}: ${stageMedians(second)} ms`);
}
say('');
say('stages, medians:');
splits.forEach(say);

const lenetS = await timeLenet();
const nttS = median(Array.from({ length: 3 }, () => oneTransform()));
say(`one NTT of 2^18: ${(nttS * 1000).toFixed(1)} ms of processor time; load ${load()}`);
say(JSON.stringify({ sizes: results, lenetS, nttS, hMsmS }));

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
      `${median(witnessTimes).toFixed(3)} s; ${split} ms; tables ${(key.tableBytes / 2 ** 20).toFixed(0)} MiB`,
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
