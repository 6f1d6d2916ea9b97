import test from 'ava';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { r, writeLittleEndian } from '../../prover/files/points.js';
import { type Group, type Kernels, pointBytes, typescriptKernels } from '../../prover/kernels.js';
import { loadAddon } from '../../prover/native-addon.js';
import { nativeKernels } from '../../prover/native-kernels.js';
import { setupWith } from '../../prover/setup.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { random } from '../support/random.js';

// Agreement: every native kernel gives the bytes of its readable twin, on every instruction set that runs here.

const addon = loadAddon();
const backends = addon?.doctor().backends ?? [];
const draw = random(254);

const encode = (...scalars: bigint[]): Uint8Array => {
  const bytes = new Uint8Array(32 * scalars.length);
  scalars.forEach((value, i) => writeLittleEndian(bytes, 32 * i, value));
  return bytes;
};
const scalar = (): bigint => draw.scalar(r);
const edges = [0n, 1n, 2n, r - 1n, r - 2n, (r - 1n) / 2n, (r + 1n) / 2n, 1n << 253n];

test('the native kernels are built where there is a compiler', (t) => {
  if (addon === undefined) t.log('native engine not built: agreement with the twins is not tested');
  t.pass();
});

for (const backend of backends) {
  const native = nativeKernels(addon!, { backend, threads: 2 });
  for (const group of ['g1', 'g2'] as const) {
    test(`${backend} ${group}: kernels equal their twins on random and edge scalars, equal, opposite and infinite points`, async (t) => {
      const size = pointBytes[group];
      const equal = async (
        name: string,
        call: (kernels: Kernels) => Promise<Uint8Array>,
      ): Promise<Uint8Array> => {
        const slow = await call(typescriptKernels);
        t.deepEqual(Buffer.from(await call(native)), Buffer.from(slow), name);
        return slow;
      };
      const scalars = encode(...edges, ...Array.from({ length: 13 }, scalar));
      // Point 0 is infinity, point 3 the opposite of point 1.
      const points = await equal('multiplyGenerator', (k) => k.multiplyGenerator(group, scalars));
      const count = points.length / size;
      const [first, ratio] = [encode(scalar()), encode(scalar())];
      await equal('multiplyEach', (k) => k.multiplyEach(group, points, first, ratio));
      await equal('multiplyEach from 77', (k) => k.multiplyEach(group, points, first, ratio, 77));
      for (const edge of [0n, 1n, r - 1n]) {
        await equal(`multiplyEach by ${edge}`, (k) =>
          k.multiplyEach(group, points, encode(edge), encode(1n)),
        );
      }
      for (const length of [1, 2, 4, 16]) {
        await equal(`lagrange ${length}`, (k) => k.lagrange(group, points.slice(0, length * size)));
      }
      for (const length of [0, 1, count]) {
        const [p, s] = [points.slice(0, length * size), scalars.slice(0, length * 32)];
        await equal(`weightedSum ${length}`, (k) => k.weightedSum(group, p, s));
      }
      const opposite = await native.multiplyEach(group, points, encode(r - 1n), encode(1n));
      const shifted = Buffer.concat([points.slice(size), points.slice(0, size)]);
      for (const addend of [points, opposite, shifted])
        await equal('add', (k) => k.add(group, points, addend));
      await equal('toUncompressed', (k) => k.toUncompressed(group, points));
      await equal('toCompressed', (k) => k.toCompressed(group, points));
      const columns = {
        starts: Uint32Array.of(0, 0, 1, 4, 9),
        rows: Uint32Array.of(3, 0, 1, 2, 5, 6, 7, 8, 9),
        ids: Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 0, 1),
        coefficients: [1n, r - 1n, 5n, scalar(), 1n << 20n, r - 77n, (r - 1n) / 2n],
      };
      await equal('sparseSums', (k) => k.sparseSums(group, points, columns));
    });

    test(`${backend} ${group}: foreign points are found where the twin finds them`, async (t) => {
      const size = pointBytes[group];
      const points = await native.multiplyGenerator(group, encode(...edges));
      for (const kernels of [native, typescriptKernels]) {
        t.is(await kernels.firstForeign(group, points), null);
        for (const at of [1, 5]) {
          const off = points.slice();
          off[at * size + 3] ^= 1;
          t.is(await kernels.firstForeign(group, off), at, `${kernels.name} off the curve`);
          const large = points.slice();
          large.fill(255, at * size, at * size + 32);
          t.is(await kernels.firstForeign(group, large), at, `${kernels.name} not canonical`);
        }
      }
    });
  }

  test(`${backend}: a key from one trapdoor is the same file from either setup`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'verinfer-kernels-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const { r1cs } = bitCircuit(60);
    const toxicWaste = { alpha: scalar(), beta: scalar(), gamma: scalar(), delta: scalar(), tau: scalar() };
    const files = [native, typescriptKernels].map(
      (kernels) => [kernels, join(folder, kernels.name)] as const,
    );
    for (const [kernels, path] of files) await setupWith(r1cs, toxicWaste, path, { kernels });
    t.true(readFileSync(files[0][1]).equals(readFileSync(files[1][1])));
  });

  test(`${backend}: inverse and transform of scalars equal their twins`, async (t) => {
    for (const s of [...edges, scalar()])
      t.deepEqual(await native.invert(encode(s)), await typescriptKernels.invert(encode(s)));
    for (const length of [1, 2, 4, 64]) {
      const scalars = encode(...Array.from({ length }, scalar));
      t.deepEqual(await native.transform(scalars), await typescriptKernels.transform(scalars));
    }
  });

  test(`${backend}: buffers that do not fit are refused`, async (t) => {
    const refused: [string, Uint8Array[], number][] = [
      ['g1.multiply-generator', [new Uint8Array(31)], 64],
      ['g1.multiply-generator', [new Uint8Array(32)], 63],
      ['g1.multiply-generator', [new Uint8Array(32).fill(255)], 64],
      ['g1.lagrange', [new Uint8Array(64 * 3)], 64 * 3],
      ['g2.weighted-sum', [new Uint8Array(128), new Uint8Array(0)], 128],
      ['g1.sparse-sums', [new Uint8Array(64), u32(0, 1), u32(1), u32(0), encode(1n)], 64],
      ['g1.sparse-sums', [new Uint8Array(64), u32(0, 1), u32(0), u32(1), encode(1n)], 64],
      ['g1.sparse-sums', [new Uint8Array(64), u32(0, 2), u32(0), u32(0), encode(1n)], 64],
      ['g3.add', [], 0],
    ];
    for (const [name, inputs, size] of refused) {
      await t.throwsAsync(addon!.runKernel(name, inputs, new Uint8Array(size), { backend }).promise, {
        message: /kernel/,
      });
    }
  });
}

const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

const groups: readonly Group[] = ['g1', 'g2'];
test('the twin multiplies like the definition: (a + b)·G = a·G + b·G', async (t) => {
  for (const group of groups) {
    const [a, b] = [scalar(), scalar()];
    const points = await typescriptKernels.multiplyGenerator(group, encode(a, b, (a + b) % r));
    const size = pointBytes[group];
    const sum = await typescriptKernels.add(group, points.slice(0, size), points.slice(size, 2 * size));
    t.deepEqual(sum, points.slice(2 * size));
  }
});
