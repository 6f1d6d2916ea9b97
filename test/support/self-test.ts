/**
 * Operands and expected results for the native kernels on a machine without Node (prover/native/self-test.cpp), and the
 * run of that program for arm64 under an emulator. Every expectation comes from a TypeScript twin.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fp2 } from '@noble/curves/abstract/tower.js';
import { encodeProof } from '../../prover/codec.js';
import { memorySource } from '../../prover/files/container.js';
import { readZkey } from '../../prover/files/zkey.js';
import { type Group, type Kernels, pointBytes, typescriptKernels } from '../../prover/kernels.js';
import { msm } from '../../prover/msm.js';
import { nativeKernels } from '../../prover/native-kernels.js';
import { bitReversed, extendToOddCoset, interpolate } from '../../prover/ntt.js';
import { proveWith } from '../../prover/prove.js';
import { setupDevelopment } from '../../prover/setup.js';
import { mixedCircuit } from './mixed-circuit.js';
import {
  encode,
  encodeFq2,
  Fp,
  Fq2,
  Fr,
  g1,
  g2,
  type TestGroup,
  type TestPoint,
  u32,
} from './native-operands.js';
import { random } from './random.js';
import { witnessValues } from './witness-values.js';

const draw = random(64);

/** The vectors file: length-prefixed strings, in the order the program reads them. */
class Vectors {
  readonly #parts: Uint8Array[] = [];
  call(name: string, operands: readonly Uint8Array[], expected: Uint8Array): void {
    this.#string(new TextEncoder().encode(name));
    this.#parts.push(u32(operands.length));
    for (const operand of [...operands, expected]) this.#string(operand);
  }
  #string(bytes: Uint8Array): void {
    this.#parts.push(u32(bytes.length), bytes);
  }
  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

/** Fills `folder` with vectors and the key that one of them proves with. */
export async function writeSelfTest(folder: string): Promise<void> {
  const vectors = new Vectors();
  fields(vectors);
  group(vectors, g1);
  group(vectors, g2);
  transforms(vectors);
  for (const name of ['g1', 'g2'] as const) await setupKernels(vectors, name);
  await proof(vectors, join(folder, 'key.zkey'));
  writeFileSync(join(folder, 'vectors'), vectors.bytes());
}

function fields(vectors: Vectors): void {
  for (const [name, field] of [
    ['fr', Fr],
    ['fq', Fp],
  ] as const) {
    const p = field.ORDER;
    const a = [0n, 1n, p - 1n, (p - 1n) / 2n, ...Array.from({ length: 40 }, () => draw.scalar(p))];
    const b = a.map((_, i) => a[(7 * i + 3) % a.length]);
    const both = [encode(a), encode(b)];
    vectors.call(`${name}.add`, both, encode(a.map((x, i) => field.add(x, b[i]))));
    vectors.call(`${name}.subtract`, both, encode(a.map((x, i) => field.sub(x, b[i]))));
    vectors.call(`${name}.multiply`, both, encode(a.map((x, i) => field.mul(x, b[i]))));
    const inverses = encode(a.map((x) => (x === 0n ? 0n : field.inv(x))));
    for (const op of ['inverse', 'batch-inverse']) vectors.call(`${name}.${op}`, [both[0]], inverses);
  }
  const a: Fp2[] = Array.from({ length: 20 }, () => ({
    c0: draw.scalar(Fp.ORDER),
    c1: draw.scalar(Fp.ORDER),
  }));
  vectors.call('fq2.square', [encodeFq2(a)], encodeFq2(a.map((x) => Fq2.sqr(x))));
  vectors.call('fq2.inverse', [encodeFq2(a)], encodeFq2(a.map((x) => Fq2.inv(x))));
}

function group<P extends TestPoint<P>>(
  vectors: Vectors,
  { name, Point, encode: points }: TestGroup<P>,
): void {
  const some = Array.from({ length: 40 }, (_, i) =>
    i % 13 === 6 ? Point.ZERO : Point.BASE.multiplyUnsafe(BigInt(3 * i + 1)),
  );
  const scalars = some.map((_, i) => [0n, 1n, Fr.ORDER - 1n][i] ?? draw.scalar(Fr.ORDER));
  const sum = points([msm(some, scalars, Point.ZERO)]);
  for (const settings of [u32(1, 1, 0), u32(2, 3, 9)])
    vectors.call(`${name}.msm`, [points(some), encode(scalars), settings], sum);
  const small = Int32Array.from(some, (_, i) => [0, 1, -1, 127, -65_536][i % 5]);
  const signed = some.map((p, i) => (small[i] < 0 ? p.negate() : p));
  const magnitudes = Array.from(small, (v) => BigInt(Math.abs(v)));
  vectors.call(
    `${name}.msm-small`,
    [points(some), new Uint8Array(small.buffer)],
    points([msm(signed, magnitudes, Point.ZERO)]),
  );
  const refs = Array.from({ length: 38 }, () => draw.below(40) + (draw.below(2) === 0 ? 0 : 2 ** 31));
  const at = (ref: number): P => (ref >= 2 ** 31 ? some[ref - 2 ** 31].negate() : some[ref]);
  const pairs = Array.from({ length: 19 }, (_, i) => at(refs[2 * i]).add(at(refs[2 * i + 1])));
  vectors.call(`${name}.add-pairs`, [points(some), u32(...refs)], points(pairs));
}

function transforms(vectors: Vectors): void {
  for (let k = 0; k <= 12; k += 1) {
    const n = 2 ** k;
    const values = Array.from({ length: n }, () => draw.scalar(Fr.ORDER));
    const scaled = (list: readonly bigint[]): Uint8Array => encode(list.map((v) => Fr.mul(v, BigInt(n))));
    vectors.call('ntt.inverse', [encode(values)], scaled(bitReversed(interpolate(values))));
    vectors.call('ntt.extend', [encode(values), u32(2)], scaled(extendToOddCoset(values)));
  }
}

/** The calls of native-kernels.ts, recorded while the twin answers them. */
async function setupKernels(vectors: Vectors, name: Group): Promise<void> {
  const record = async (ask: (kernels: Kernels) => Promise<Uint8Array>): Promise<Uint8Array> => {
    const expected = await ask(typescriptKernels);
    await ask(
      nativeKernels({
        runKernel: (kernel, inputs) => {
          vectors.call(`!${kernel}`, inputs, expected);
          return { promise: Promise.resolve(), cancel: () => undefined };
        },
      }),
    );
    return expected;
  };
  const scalars = encode([0n, 1n, Fr.ORDER - 1n, ...Array.from({ length: 13 }, () => draw.scalar(Fr.ORDER))]);
  const ratio = encode([draw.scalar(Fr.ORDER)]);
  const points = await record((k) => k.multiplyGenerator(name, scalars));
  await record((k) => k.multiplyEach(name, points, encode([5n]), ratio));
  await record((k) => k.lagrange(name, points));
  await record((k) => k.weightedSum(name, points, scalars));
  await record((k) =>
    k.add(name, points, Buffer.concat([points.slice(pointBytes[name]), points.slice(0, pointBytes[name])])),
  );
  await record((k) => k.toUncompressed(name, points));
  await record((k) => k.toCompressed(name, points));
}

async function proof(vectors: Vectors, path: string): Promise<void> {
  const circuit = mixedCircuit(7);
  await setupDevelopment(circuit.r1cs, path, { kernels: typescriptKernels });
  const zkey = readZkey(memorySource(readFileSync(path), path));
  const witness = circuit.witness(() => draw.uint32() / 2 ** 32);
  const [r, s] = [draw.scalar(Fr.ORDER), draw.scalar(Fr.ORDER)];
  const expected = encodeProof(proveWith(zkey, witnessValues(witness), r, s));
  const { small, largeWires, largeValues } = witness;
  const operands = [new Uint8Array(small.buffer), u32(...largeWires), largeValues, encode([r, s])];
  vectors.call('proof', operands, expected);
}

export interface ForeignRun {
  /** Null where nothing ran: `said` names what is missing. */
  readonly passed: boolean | null;
  readonly said: string;
}

/** Builds the addon and the self-test for arm64 and runs the self-test under an emulator. */
export async function runOnArm64(output: string): Promise<ForeignRun> {
  const [compiler, emulator] = ['aarch64-linux-gnu-g++', 'qemu-aarch64'];
  for (const tool of [compiler, emulator]) {
    try {
      execFileSync(tool, ['--version'], { stdio: 'ignore' });
    } catch {
      return { passed: null, said: `arm64: not run (no ${tool})` };
    }
  }
  mkdirSync(output, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-self-test-'));
  try {
    for (const mode of ['release', 'self-test'])
      execFileSync('prover/native/build.sh', [output, mode], {
        env: { ...process.env, CXX: compiler },
        stdio: 'inherit',
      });
    await writeSelfTest(folder);
    const said = execFileSync(emulator, [join(output, 'self-test'), folder]).toString();
    return { passed: true, said: `arm64 under ${emulator}: ${said.trim()}` };
  } catch (error) {
    const { stdout, message } = error as Error & { stdout?: Buffer };
    return { passed: false, said: `arm64: ${stdout?.toString() ?? ''}${message}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
