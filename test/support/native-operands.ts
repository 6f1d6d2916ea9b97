/** Operands of `NativeAddon.kernel` as bytes: little-endian canonical, x then y, zeros for infinity. */
import { bn254 } from '@noble/curves/bn254.js';
import type { Fp2 } from '@noble/curves/abstract/tower.js';
import { loadAddon } from '../../prover/native-addon.js';

export const { Fr, Fp, Fp2: Fq2 } = bn254.fields;
export const G1 = bn254.G1.Point;
export const G2 = bn254.G2.Point;
export type G1Value = InstanceType<typeof G1>;
export type G2Value = InstanceType<typeof G2>;

export const addon = loadAddon();
/** Every instruction set this machine can run; none where the addon is not built. */
export const backends: readonly string[] = addon?.doctor().backends ?? [];

export function kernel(backend: string, name: string, ...operands: Uint8Array[]): Uint8Array {
  return addon!.kernel(backend, name, ...operands);
}

export function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length);
  values.forEach((value, i) => {
    for (let b = 0, rest = value; b < 32; b++, rest >>= 8n) bytes[32 * i + b] = Number(rest & 255n);
  });
  return bytes;
}

export function decode(bytes: Uint8Array): bigint[] {
  return Array.from({ length: bytes.length / 32 }, (_, i) =>
    bytes.subarray(32 * i, 32 * i + 32).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n),
  );
}

export const encodeFq2 = (values: readonly Fp2[]): Uint8Array =>
  encode(values.flatMap(({ c0, c1 }) => [c0, c1]));
export const decodeFq2 = (bytes: Uint8Array): Fp2[] => {
  const words = decode(bytes);
  return Array.from({ length: words.length / 2 }, (_, i) => ({ c0: words[2 * i], c1: words[2 * i + 1] }));
};

export const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

/** A group as the kernels name it, with its points as bytes. */
export interface TestGroup<P> {
  readonly name: 'g1' | 'g2';
  readonly Point: { readonly BASE: P; readonly ZERO: P };
  encode(points: readonly P[]): Uint8Array;
  decode(bytes: Uint8Array): P[];
}

export const g1: TestGroup<G1Value> = {
  name: 'g1',
  Point: G1,
  encode: (points) =>
    encode(
      points.flatMap((p) => {
        if (p.is0()) return [0n, 0n];
        const { x, y } = p.toAffine();
        return [x, y];
      }),
    ),
  decode(bytes) {
    const words = decode(bytes);
    return Array.from({ length: words.length / 2 }, (_, i) => {
      const [x, y] = [words[2 * i], words[2 * i + 1]];
      return x === 0n && y === 0n ? G1.ZERO : G1.fromAffine({ x, y });
    });
  },
};

export const g2: TestGroup<G2Value> = {
  name: 'g2',
  Point: G2,
  encode: (points) =>
    encodeFq2(
      points.flatMap((p) => {
        if (p.is0()) return [Fq2.ZERO, Fq2.ZERO];
        const { x, y } = p.toAffine();
        return [x, y];
      }),
    ),
  decode(bytes) {
    const words = decodeFq2(bytes);
    return Array.from({ length: words.length / 2 }, (_, i) => {
      const [x, y] = [words[2 * i], words[2 * i + 1]];
      return Fq2.is0(x) && Fq2.is0(y) ? G2.ZERO : G2.fromAffine({ x, y });
    });
  },
};

/** What the tests below use of a point of either group. */
export interface TestPoint<P> {
  add(other: P): P;
  double(): P;
  negate(): P;
  equals(other: P): boolean;
  is0(): boolean;
  multiplyUnsafe(scalar: bigint): P;
}

/** Points of the twist by trying x; almost none has order r. */
export function strayTwistPoints(count: number): G2Value[] {
  const b = Fq2.mul(Fq2.inv({ c0: 9n, c1: 1n }), { c0: 3n, c1: 0n });
  const points: G2Value[] = [];
  for (let c0 = 1n; points.length < count; c0++) {
    const x = { c0, c1: 1n };
    try {
      points.push(G2.fromAffine({ x, y: Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.sqr(x), x), b)) }));
    } catch {
      // no point with this x
    }
  }
  return points;
}
