/** The native kernels (native/kernels.cpp) behind the interface of kernels.ts. */
import { type Group, type Kernels, pointBytes, scalarBytes } from './kernels.js';
import type { NativeAddon } from './native-addon.js';
import { fieldBytes } from './files/points.js';
import { domainSizeFor } from './qap.js';

const bytesOf = (list: Uint32Array): Uint8Array =>
  new Uint8Array(list.buffer, list.byteOffset, list.byteLength);

export interface NativeKernelsOptions {
  readonly threads?: number;
  /** An instruction set other than the best, from `doctor().backends`. */
  readonly backend?: string;
}

export function nativeKernels(
  addon: Pick<NativeAddon, 'runKernel'>,
  options: NativeKernelsOptions = {},
): Kernels {
  const run = async (
    name: string,
    inputs: readonly Uint8Array[],
    outputBytes: number,
  ): Promise<Uint8Array> => {
    const output = new Uint8Array(outputBytes);
    await addon.runKernel(name, inputs, output, options).promise;
    return output;
  };
  const count = (group: Group, points: Uint8Array): number => points.length / pointBytes[group];
  return {
    name: 'native',
    multiplyGenerator: (group, scalars) =>
      run(`${group}.multiply-generator`, [scalars], (scalars.length / fieldBytes) * pointBytes[group]),
    multiplyEach: (group, points, first, ratio, index = 0) =>
      run(`${group}.multiply-each`, [points, first, ratio, bytesOf(Uint32Array.of(index))], points.length),
    lagrange: (group, points) => run(`${group}.lagrange`, [points], points.length),
    sparseSums: (group, bases, { starts, rows, ids, coefficients }) =>
      run(
        `${group}.sparse-sums`,
        [bases, bytesOf(starts), bytesOf(rows), bytesOf(ids), scalarBytes(coefficients)],
        (starts.length - 1) * pointBytes[group],
      ),
    weightedSum: (group, points, scalars) =>
      run(`${group}.weighted-sum`, [points, scalars], pointBytes[group]),
    add: (group, points, addends) => run(`${group}.add`, [points, addends], points.length),
    async firstForeign(group, points) {
      const found = await run(`${group}.first-foreign`, [points], 4);
      const index = new DataView(found.buffer).getUint32(0, true);
      return index === 0xffff_ffff ? null : index;
    },
    toUncompressed: (group, points) => run(`${group}.to-uncompressed`, [points], points.length),
    toCompressed: (group, points) =>
      run(`${group}.to-compressed`, [points], (count(group, points) * pointBytes[group]) / 2),
    invert: (scalar) => run('invert', [scalar], fieldBytes),
    transform: (scalars) => run('transform', [scalars], scalars.length),
    keyScalars(r1cs, trapdoor) {
      const domainSize = domainSizeFor(r1cs);
      const counts = Uint32Array.of(
        r1cs.wireCount,
        r1cs.publicCount,
        r1cs.constraintCount,
        Math.log2(domainSize),
      );
      const lists = [r1cs.a, r1cs.b, r1cs.c].flatMap((m) =>
        [m.rowStarts, m.wires, m.coefficientIds].map(bytesOf),
      );
      return run(
        'key-scalars',
        [bytesOf(counts), ...lists, scalarBytes(r1cs.coefficients), trapdoor],
        (3 * r1cs.wireCount + 2 * domainSize) * fieldBytes,
      );
    },
  };
}
