/** One model compiled in a process of its own: `node compile-once.js model.onnx`. One line of JSON. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { importModel } from '../../circuits/import/import.js';
import { compile } from '../../circuits/index.js';

const WARM_WITNESSES = 9;

const bytes = readFileSync(process.argv[2]!);
const seconds = (): number => performance.now() / 1000;
const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const before = { rss: process.resourceUsage().maxRSS, wall: seconds(), cpu: cpuSeconds() };
const { graph } = importModel(bytes);
const imported = seconds();
const compiled = compile(graph);
const after = { rss: process.resourceUsage().maxRSS, wall: seconds(), cpu: cpuSeconds() };
const { r1cs } = compiled;
const nonzeros = [r1cs.a, r1cs.b, r1cs.c].reduce((sum, { wires }) => sum + wires.length, 0);

const given = Object.fromEntries(
  compiled.manifest.inputs.map(({ name, shape }) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return [name, Array.from({ length: count }, (_, i) => (i * 37) % 64)];
  }),
);
const inputs = compiled.quantizeInput(given);
const witnessMs: number[] = [];
for (let i = 0; i <= WARM_WITNESSES; i++) {
  const started = performance.now();
  compiled.computeWitness({ inputs, ctx: BigInt(i + 1), salt: 5n });
  witnessMs.push(performance.now() - started);
}
const warm = witnessMs.slice(1).sort((a, b) => a - b);

process.stdout.write(
  `${JSON.stringify({
    rows: r1cs.constraintCount,
    wires: r1cs.wireCount,
    nonzeros,
    importSeconds: imported - before.wall,
    compileSeconds: after.wall - imported,
    cpuSeconds: after.cpu - before.cpu,
    peakBytes: after.rss * 1024,
    grownBytes: (after.rss - before.rss) * 1024,
    coldWitnessMs: witnessMs[0],
    warmWitnessMs: warm[warm.length >> 1],
  })}\n`,
);
