/**
 * Child process of the sanitizer test: `sanitized-run ADDON`. Drives the raw addon through every backend: kernels,
 * proofs, unsatisfied witnesses, forged and damaged keys, cancellation. A sanitizer report ends the process.
 */
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeAddon } from '../../prover/native-addon.js';
import { typescriptKernels } from '../../prover/kernels.js';
import { derivedPathOf, fileDigest } from '../../prover/files/derived.js';
import { setupDevelopment } from '../../prover/setup.js';
import { ContainerMutator } from './container-mutator.js';
import { mixedCircuit } from './mixed-circuit.js';
import { encode, g1, g2, u32 } from './native-operands.js';
import { random } from './random.js';
import { ZkeyMutator } from './zkey-mutator.js';

const addon = createRequire(import.meta.url)(process.argv[2]) as NativeAddon;
const share = Number(process.env.VERINFER_SLOW_SHARE ?? 1);
const draw = random(67);
const uniform = (): number => draw.uint32() / 2 ** 32;
const folder = mkdtempSync(join(tmpdir(), 'verinfer-sanitized-'));
const circuit = mixedCircuit(6);
const path = join(folder, 'key.zkey');
const derivedPath = derivedPathOf(path);
await setupDevelopment(circuit.r1cs, path, { kernels: typescriptKernels, derivedPath });
const derived = { path: derivedPath, zkeyDigest: await fileDigest(path) };
const derivedMutator = new ContainerMutator(readFileSync(derivedPath));
const mutator = new ZkeyMutator(readFileSync(path));

for (const backend of addon.doctor().backends) {
  for (const group of [g1, g2] as const) {
    const points = Array.from({ length: 70 }, (_, i) =>
      group.Point.BASE.multiplyUnsafe(BigInt((i % 50) + 1)),
    );
    const bytes = (group as typeof g1).encode(points as never);
    const scalars = encode(points.map(() => draw.scalar(1n << 253n)));
    for (const settings of [u32(1, 1, 0), u32(3, 4, 9), u32(2, 1, 13)]) {
      addon.kernel(backend, `${group.name}.msm`, bytes, scalars, settings);
    }
    const refs = Array.from({ length: 100 }, () => draw.below(70));
    addon.kernel(backend, `${group.name}.add-pairs`, bytes, u32(...refs));
    const small = Int32Array.from(points, () => draw.uint32() >> draw.below(32));
    addon.kernel(backend, `${group.name}.msm-small`, bytes, new Uint8Array(small.buffer));
  }
  for (const k of [0, 3, 8, 9, 12, 13]) {
    const values = encode(Array.from({ length: 2 ** k }, () => draw.scalar(1n << 253n)));
    addon.kernel(backend, 'ntt.inverse', values);
    addon.kernel(backend, 'ntt.extend', values, u32(3));
  }
  const options = { backend, memoryBudgetBytes: 1 << 20 };
  const keys = [
    await addon.loadKey(path, options).promise,
    await addon.loadKey(path, { ...options, derived }).promise,
  ];
  for (let i = 0; i < 12; i++) {
    const { small, largeWires, largeValues } = circuit.witness(uniform);
    if (i % 3 === 2) small[1 + draw.below(small.length - 1)] ^= 1;
    const job = addon.prove(
      keys[i % 2].handle,
      small,
      largeWires,
      largeValues,
      { threads: 1 + (i % 3) },
      () => undefined,
    );
    if (i === 4 || i === 5) job.cancel();
    await job.promise.catch(() => undefined);
  }
  const damaged = join(folder, 'damaged.zkey');
  const load = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(damaged, bytes);
    const options = { backend, memoryBudgetBytes: 0, threads: 1 };
    await addon.loadKey(damaged, options).promise.catch(() => undefined);
  };
  for (const { bytes } of mutator.forgeries()) await load(bytes);
  for (let i = 0; i < 3000 * share; i++) await load(mutator.mutant(draw));
  for (let i = 0; i < 1000 * share; i++) {
    writeFileSync(damaged, derivedMutator.mutant(draw));
    const request = { backend, memoryBudgetBytes: 0, threads: 1, derived: { ...derived, path: damaged } };
    await addon.loadKey(path, request).promise.catch(() => undefined);
  }
  process.stdout.write(`${backend}: clean\n`);
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write('sanitized run: done\n', () => process.exit(0));
