/**
 * The group arithmetic that setups and ceremonies are made of, over points in file form (files/points.ts) and
 * scalars of 32 bytes little-endian, canonical. Two implementations: this readable one, which is the
 * specification, and native/kernels.cpp, which must agree with it on every input.
 */
import { bn254 } from '@noble/curves/bn254.js';
import type { IField } from '@noble/curves/abstract/modular.js';
import type { Fp2 } from '@noble/curves/abstract/tower.js';
import type { R1cs } from '../circuits/r1cs/r1cs.js';
import { addMany, multiplyMany, type AffinePoint } from './fixed-base.js';
import {
  fieldBytes,
  q,
  readCoordinate,
  readLittleEndian,
  writeCoordinate,
  writeLittleEndian,
} from './files/points.js';
import { domainGenerator, evaluateQap, domainSizeFor, lagrangeAt } from './qap.js';

export type Group = 'g1' | 'g2';

/** Bytes of a point in file form. */
export const pointBytes: Readonly<Record<Group, number>> = { g1: 64, g2: 128 };

/** Column w owns the entries starts[w] … starts[w + 1] − 1, each coefficients[ids[k]]·bases[rows[k]]. */
export interface SparseColumns {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  readonly ids: Uint32Array;
  readonly coefficients: readonly bigint[];
}

export interface Kernels {
  readonly name: 'native' | 'typescript';
  /** sᵢ·G. */
  multiplyGenerator(group: Group, scalars: Uint8Array): Promise<Uint8Array>;
  /** first·ratio^(index + i)·Pᵢ. */
  multiplyEach(
    group: Group,
    points: Uint8Array,
    first: Uint8Array,
    ratio: Uint8Array,
    index?: number,
  ): Promise<Uint8Array>;
  /** τⁱ·P in, Lᵢ(τ)·P out; a power of two of points. */
  lagrange(group: Group, points: Uint8Array): Promise<Uint8Array>;
  sparseSums(group: Group, bases: Uint8Array, columns: SparseColumns): Promise<Uint8Array>;
  /** Σ sᵢ·Pᵢ, one point. */
  weightedSum(group: Group, points: Uint8Array, scalars: Uint8Array): Promise<Uint8Array>;
  /** Pᵢ + Qᵢ. */
  add(group: Group, points: Uint8Array, addends: Uint8Array): Promise<Uint8Array>;
  /** Index of the first entry that is neither infinity nor a point of the group, canonically written. */
  firstForeign(group: Group, points: Uint8Array): Promise<number | null>;
  /** Big-endian, G2 with c1 first; infinity is all zero. */
  toUncompressed(group: Group, points: Uint8Array): Promise<Uint8Array>;
  /** x alone, infinity 0x40 and zeros, 0x80 where y (its last nonzero coordinate of c1, c0) is above (q − 1)/2. */
  toCompressed(group: Group, points: Uint8Array): Promise<Uint8Array>;
  /** The key's discrete logarithms IC, A, B, C, H, D from the trapdoor α, β, γ, δ, τ (160 bytes). */
  keyScalars(r1cs: R1cs, trapdoor: Uint8Array): Promise<Uint8Array>;
  /** 1/s of one scalar. */
  invert(scalar: Uint8Array): Promise<Uint8Array>;
  /** f in, Σ_k f_k·ω^(ik) out; a power of two of scalars. */
  transform(scalars: Uint8Array): Promise<Uint8Array>;
}

interface Curve<F> {
  readonly field: IField<F>;
  readonly base: readonly [F, F];
  read(bytes: Uint8Array, offset: number): F;
  write(bytes: Uint8Array, offset: number, value: F): void;
  /** c1 before c0. */
  integers(value: F): readonly bigint[];
  isMember(point: readonly [F, F]): boolean;
}

const { x: x1, y: y1 } = bn254.G1.Point.BASE.toAffine();
const { x: x2, y: y2 } = bn254.G2.Point.BASE.toAffine();

const g1: Curve<bigint> = {
  field: bn254.fields.Fp,
  base: [x1, y1],
  read: readCoordinate,
  write: writeCoordinate,
  integers: (value) => [value],
  isMember: ([x, y]) => (y * y - x * x * x - 3n) % q === 0n,
};

const g2: Curve<Fp2> = {
  field: bn254.fields.Fp2,
  base: [x2, y2],
  read: (bytes, offset) => ({
    c0: readCoordinate(bytes, offset),
    c1: readCoordinate(bytes, offset + fieldBytes),
  }),
  write(bytes, offset, { c0, c1 }) {
    writeCoordinate(bytes, offset, c0);
    writeCoordinate(bytes, offset + fieldBytes, c1);
  },
  integers: ({ c0, c1 }) => [c1, c0],
  isMember([x, y]) {
    try {
      bn254.G2.Point.fromAffine({ x, y }).assertValidity();
      return true;
    } catch {
      return false;
    }
  },
};

function decode<F>(curve: Curve<F>, size: number, bytes: Uint8Array): AffinePoint<F>[] {
  return Array.from({ length: bytes.length / size }, (_, i) => {
    const x = curve.read(bytes, i * size);
    const y = curve.read(bytes, i * size + size / 2);
    return curve.field.is0(x) && curve.field.is0(y) ? null : [x, y];
  });
}

function encode<F>(curve: Curve<F>, size: number, points: readonly AffinePoint<F>[]): Uint8Array {
  const bytes = new Uint8Array(points.length * size);
  points.forEach((point, i) => {
    if (point === null) return;
    curve.write(bytes, i * size, point[0]);
    curve.write(bytes, i * size + size / 2, point[1]);
  });
  return bytes;
}

const scalarsOf = (bytes: Uint8Array): bigint[] =>
  Array.from({ length: bytes.length / fieldBytes }, (_, i) => readLittleEndian(bytes, i * fieldBytes));

/** sᵢ·Pᵢ: all points double and add together, so that a step shares one inversion. */
function multiplyEach<F>(
  field: IField<F>,
  points: readonly AffinePoint<F>[],
  scalars: readonly bigint[],
): AffinePoint<F>[] {
  let sums: AffinePoint<F>[] = points.map(() => null);
  for (let bit = 253n; bit >= 0n; bit--) {
    sums = addMany(field, sums, sums);
    sums = addMany(
      field,
      sums,
      points.map((point, i) => ((scalars[i] >> bit) & 1n ? point : null)),
    );
  }
  return sums;
}

/** L_i = 1/n·Σ_k ω^(−ik)·P_k, by the even and the odd half. */
function lagrange<F>(field: IField<F>, points: readonly AffinePoint<F>[]): AffinePoint<F>[] {
  const Fr = bn254.fields.Fr;
  const transform = (values: readonly AffinePoint<F>[]): AffinePoint<F>[] => {
    const n = values.length;
    if (n === 1) return [...values];
    const even = transform(values.filter((_, i) => i % 2 === 0));
    const odd = transform(values.filter((_, i) => i % 2 === 1));
    const inverse = Fr.inv(domainGenerator(n));
    const turned = multiplyEach(
      field,
      odd,
      odd.map((_, i) => Fr.pow(inverse, BigInt(i))),
    );
    const opposite = turned.map((p) => (p === null ? null : ([p[0], field.neg(p[1])] as const)));
    return [...addMany(field, even, turned), ...addMany(field, even, opposite)];
  };
  const scale = Fr.inv(BigInt(points.length));
  return transform(
    multiplyEach(
      field,
      points,
      points.map(() => scale),
    ),
  );
}

function sum<F>(field: IField<F>, points: readonly AffinePoint<F>[]): AffinePoint<F> {
  if (points.length <= 1) return points[0] ?? null;
  const half = points.length >> 1;
  const pairs = addMany(field, points.slice(0, half), points.slice(half, 2 * half));
  return sum(field, points.length % 2 === 0 ? pairs : [...pairs, points[points.length - 1]]);
}

const order = bn254.fields.Fr.ORDER;

function kernelsOf<F>(curve: Curve<F>, size: number) {
  const { field } = curve;
  const points = (bytes: Uint8Array): AffinePoint<F>[] => decode(curve, size, bytes);
  const bytes = (list: readonly AffinePoint<F>[]): Uint8Array => encode(curve, size, list);
  const bigEndian = (
    list: readonly AffinePoint<F>[],
    width: number,
    coordinates: (p: readonly [F, F]) => bigint[],
  ) => {
    const out = Buffer.alloc(list.length * width);
    list.forEach((point, i) => {
      if (point !== null)
        coordinates(point).forEach((v, j) =>
          out.write(v.toString(16).padStart(64, '0'), i * width + 32 * j, 'hex'),
        );
    });
    return out;
  };
  return {
    multiplyGenerator: (scalars: Uint8Array) => bytes(multiplyMany(field, curve.base, scalarsOf(scalars))),
    multiplyEach(input: Uint8Array, first: Uint8Array, ratio: Uint8Array, index: number) {
      const step = readLittleEndian(ratio);
      let scalar = (readLittleEndian(first) * bn254.fields.Fr.pow(step, BigInt(index))) % order;
      const list = points(input);
      const scalars = list.map(() => {
        const current = scalar;
        scalar = (scalar * step) % order;
        return current;
      });
      return bytes(multiplyEach(field, list, scalars));
    },
    lagrange: (input: Uint8Array) => bytes(lagrange(field, points(input))),
    sparseSums(input: Uint8Array, { starts, rows, ids, coefficients }: SparseColumns) {
      const bases = points(input);
      const terms = multiplyEach(
        field,
        Array.from(rows, (row) => bases[row]),
        Array.from(ids, (id) => coefficients[id]),
      );
      return bytes(
        Array.from({ length: starts.length - 1 }, (_, w) =>
          sum(field, terms.slice(starts[w], starts[w + 1])),
        ),
      );
    },
    weightedSum: (input: Uint8Array, scalars: Uint8Array) =>
      bytes([sum(field, multiplyEach(field, points(input), scalarsOf(scalars)))]),
    add: (input: Uint8Array, addends: Uint8Array) => bytes(addMany(field, points(input), points(addends))),
    firstForeign(input: Uint8Array) {
      for (let i = 0; i * size < input.length; i++) {
        const isCanonical = Array.from({ length: size / fieldBytes }).every(
          (_, j) => readLittleEndian(input, i * size + j * fieldBytes) < q,
        );
        const [point] = points(input.subarray(i * size, (i + 1) * size));
        if (!isCanonical || (point !== null && !curve.isMember(point))) return i;
      }
      return null;
    },
    toUncompressed: (input: Uint8Array) =>
      bigEndian(points(input), size, ([x, y]) => [...curve.integers(x), ...curve.integers(y)]),
    toCompressed(input: Uint8Array) {
      const list = points(input);
      const out = bigEndian(list, size / 2, ([x]) => [...curve.integers(x)]);
      list.forEach((point, i) => {
        if (point === null) out[(i * size) / 2] = 0x40;
      });
      list.forEach((point, i) => {
        const sign = point === null ? 0n : (curve.integers(point[1]).find((v) => v !== 0n) ?? 0n);
        if (sign > (q - 1n) / 2n) out[(i * size) / 2] |= 0x80;
      });
      return out;
    },
  };
}

const twins = { g1: kernelsOf(g1, pointBytes.g1), g2: kernelsOf(g2, pointBytes.g2) };

/** The specification, and what runs where there is no compiler. */
export const typescriptKernels: Kernels = {
  name: 'typescript',
  multiplyGenerator: async (group, scalars) => twins[group].multiplyGenerator(scalars),
  multiplyEach: async (group, points, first, ratio, index = 0) =>
    twins[group].multiplyEach(points, first, ratio, index),
  lagrange: async (group, points) => twins[group].lagrange(points),
  sparseSums: async (group, bases, columns) => twins[group].sparseSums(bases, columns),
  weightedSum: async (group, points, scalars) => twins[group].weightedSum(points, scalars),
  add: async (group, points, addends) => twins[group].add(points, addends),
  firstForeign: async (group, points) => twins[group].firstForeign(points),
  toUncompressed: async (group, points) => twins[group].toUncompressed(points),
  toCompressed: async (group, points) => twins[group].toCompressed(points),
  keyScalars: async (r1cs, trapdoor) => keyScalars(r1cs, scalarsOf(trapdoor)),
  invert: async (scalar) => scalarBytes(bn254.fields.Fr.invertBatch(scalarsOf(scalar))),
  transform: async (scalars) => scalarBytes(transform(scalarsOf(scalars))),
};

/** IC and C are (β·u + α·v + w) over γ and δ; A is u, B is v; H_j is L^(2n)_(2j+1)(τ)/δ; D_i is L_i(τ)(τⁿ − 1)/(2δ). */
function keyScalars(r1cs: R1cs, [alpha, beta, gamma, delta, tau]: readonly bigint[]): Uint8Array {
  const Fr = bn254.fields.Fr;
  const { u, v, w } = evaluateQap(r1cs, tau);
  const [overGamma, overDelta] = [Fr.inv(gamma), Fr.inv(delta)];
  const combined = u.map((ui, i) => (beta * ui + alpha * v[i] + w[i]) % Fr.ORDER);
  const firstPrivate = r1cs.publicCount + 1;
  const n = domainSizeFor(r1cs);
  const halfVanishing = Fr.div(Fr.mul(Fr.sub(Fr.pow(tau, BigInt(n)), 1n), overDelta), 2n);
  const scalars = [
    ...combined.slice(0, firstPrivate).map((value) => Fr.mul(value, overGamma)),
    ...u,
    ...v,
    ...combined.slice(firstPrivate).map((value) => Fr.mul(value, overDelta)),
    ...lagrangeAt(tau, 2 * n)
      .filter((_, i) => i % 2 === 1)
      .map((value) => Fr.mul(value, overDelta)),
    ...lagrangeAt(tau, n).map((value) => Fr.mul(value, halfVanishing)),
  ];
  return scalarBytes(scalars);
}

/** By the even and the odd half. */
function transform(values: readonly bigint[]): bigint[] {
  const Fr = bn254.fields.Fr;
  const n = values.length;
  if (n === 1) return [...values];
  const even = transform(values.filter((_, i) => i % 2 === 0));
  const root = domainGenerator(n);
  const odd = transform(values.filter((_, i) => i % 2 === 1)).map((v, i) =>
    Fr.mul(v, Fr.pow(root, BigInt(i))),
  );
  return [...even.map((v, i) => Fr.add(v, odd[i])), ...even.map((v, i) => Fr.sub(v, odd[i]))];
}

/** 32 bytes little-endian each. */
export function scalarBytes(scalars: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(scalars.length * fieldBytes);
  scalars.forEach((value, i) => writeLittleEndian(bytes, i * fieldBytes, value));
  return bytes;
}
