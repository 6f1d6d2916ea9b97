import test from 'ava';
import { msm } from '../../prover/msm.js';
import {
  Fr,
  type TestGroup,
  type TestPoint,
  addon,
  backends,
  encode,
  g1,
  g2,
  kernel,
  u32,
} from '../support/native-operands.js';
import { random } from '../support/random.js';

if (addon === undefined) test.skip('native group kernels: not built on this machine', (t) => t.fail());

const draw = random(62);
const r = Fr.ORDER;
const minus = 0x8000_0000;

/** n points whose logarithms are known to nobody in particular, some of them equal, opposite or infinite. */
function somePoints<P extends TestPoint<P>>({ Point }: TestGroup<P>, n: number): P[] {
  const points: P[] = [];
  let step = Point.BASE.multiplyUnsafe(draw.scalar(r));
  for (let i = 0; i < n; i++) {
    const before = points[i - 1];
    if (i % 7 === 3) points.push(before);
    else if (i % 11 === 5) points.push(before.negate());
    else if (i % 13 === 6) points.push(Point.ZERO);
    else points.push((step = step.double().add(Point.BASE)));
  }
  return points;
}

function suite<P extends TestPoint<P>>(backend: string, group: TestGroup<P>): void {
  const { name, Point } = group;
  const call = (op: string, ...operands: Uint8Array[]): P[] =>
    group.decode(kernel(backend, `${name}.${op}`, ...operands));
  const equal = (a: P, b: P): boolean => a.equals(b);
  const native = (points: readonly P[], scalars: readonly bigint[], settings = u32(2, 1, 0)): P =>
    call('msm', group.encode(points), encode(scalars), settings)[0];

  test(`${backend} ${name}: batch-affine sums of pairs equal the twin's: plain, equal, opposite, infinite, negated`, (t) => {
    const points = somePoints(group, 40);
    for (const count of [0, 1, 2, 7, 8, 9, 16, 23, 100]) {
      const refs = Array.from({ length: 2 * count }, () => draw.below(40) + (draw.below(2) ? minus : 0));
      const sums = call('add-pairs', group.encode(points), u32(...refs));
      t.is(sums.length, count);
      const at = (ref: number): P => (ref >= minus ? points[ref - minus].negate() : points[ref]);
      sums.forEach((sum, i) => t.true(equal(sum, at(refs[2 * i]).add(at(refs[2 * i + 1])))));
    }
  });

  test(`${backend} ${name}: batch-affine sums of distinct points take the fast path and agree`, (t) => {
    const points = Array.from({ length: 64 }, (_, i) => Point.BASE.multiplyUnsafe(BigInt(3 * i + 5)));
    for (const count of [8, 13, 29]) {
      const refs = Array.from({ length: count }, (_, i) => [i, 32 + i + (i % 2) * minus]).flat();
      const sums = call('add-pairs', group.encode(points), u32(...refs));
      sums.forEach((sum, i) => {
        const second = points[32 + i];
        t.true(equal(sum, points[i].add(i % 2 ? second.negate() : second)));
      });
    }
  });

  test(`${backend} ${name}: multi-scalar multiplication equals its twin for lengths 0, 1, odd, not a power of two`, (t) => {
    for (const n of [0, 1, 2, 3, 17, 33, 100]) {
      const points = somePoints(group, n);
      const edge = [0n, 1n, r - 1n, 2n, (r - 1n) / 2n, 1n << 253n];
      const scalars = points.map((_, i) => (i < edge.length ? edge[i] : draw.scalar(r)));
      t.true(equal(native(points, scalars), msm(points, scalars, Point.ZERO)), `n = ${n}`);
    }
  });

  test(`${backend} ${name}: every window width, slice count and thread count gives the same point`, (t) => {
    const points = somePoints(group, 60);
    const scalars = points.map(() => draw.scalar(r));
    const expected = msm(points, scalars, Point.ZERO);
    for (const [threads, slices, bits] of [
      [1, 1, 2],
      [1, 1, 5],
      [2, 1, 12],
      [3, 2, 7],
      [2, 5, 8],
      [1, 26, 10],
      [4, 3, 13],
    ]) {
      t.true(
        equal(native(points, scalars, u32(threads, slices, bits)), expected),
        `${threads} ${slices} ${bits}`,
      );
    }
  });

  test(`${backend} ${name}: laws: equal points add their scalars, equal scalars add their points, a negation cancels`, (t) => {
    const points = somePoints(group, 50);
    const scalars = points.map(() => draw.scalar(r));
    const one = points[0];
    const total = scalars.reduce((sum, k) => (sum + k) % r, 0n);
    t.true(
      equal(
        native(
          points.map(() => one),
          scalars,
        ),
        one.multiplyUnsafe(total),
      ),
    );
    const k = draw.scalar(r);
    const all = points.reduce((sum, p) => sum.add(p), Point.ZERO);
    t.true(
      equal(
        native(
          points,
          points.map(() => k),
        ),
        all.is0() ? all : all.multiplyUnsafe(k),
      ),
    );
    t.true(native([...points, ...points.map((p) => p.negate())], [...scalars, ...scalars]).is0());
    t.true(native([...points, ...points], [...scalars, ...scalars.map((s) => r - s)]).is0());
  });

  test(`${backend} ${name}: small scalars of every class, negative ones too, equal the twin`, (t) => {
    for (const n of [0, 1, 5, 64, 301]) {
      const points = somePoints(group, n);
      const classes = [0, 1, -1, 1, 0, 1, 127, -128, 255, 256, -32768, 65536, 2 ** 31 - 1, -(2 ** 31) + 1];
      const values = points.map((_, i) => (i % 3 ? classes[draw.below(classes.length)] : draw.below(2)));
      const [sum] = call('msm-small', group.encode(points), new Uint8Array(Int32Array.from(values).buffer));
      const signed = points.map((p, i) => (values[i] < 0 ? p.negate() : p));
      t.true(
        equal(
          sum,
          msm(
            signed,
            values.map((v) => BigInt(Math.abs(v))),
            Point.ZERO,
          ),
        ),
        `n = ${n}`,
      );
    }
  });

  test(`${backend} ${name}: many ones among zeros, over several chunks, sum to the twin's point`, (t) => {
    const few = Array.from({ length: 97 }, (_, i) => Point.BASE.multiplyUnsafe(BigInt(i + 1)));
    const points = Array.from({ length: 9000 }, (_, i) => few[(i * 31) % 97]);
    const values = Int32Array.from(points, () => draw.below(2));
    const logarithm = values.reduce((sum, v, i) => sum + v * (((i * 31) % 97) + 1), 0);
    const [sum] = call('msm-small', group.encode(points), new Uint8Array(values.buffer));
    t.true(equal(sum, Point.BASE.multiplyUnsafe(BigInt(logarithm))));
  });

  test(`${backend} ${name}: multiples agree with the twin, with and without the endomorphism`, (t) => {
    const points = somePoints(group, 30);
    const edges = [0n, 1n, r - 1n, 2n, r - 2n, (r - 1n) / 2n, 1n << 253n, (1n << 127n) - 1n, 1n << 128n];
    const scalars = points.map((_, i) => edges[i] ?? draw.scalar(r));
    for (const op of ['multiply', 'multiply-split']) {
      call(op, group.encode(points), encode(scalars)).forEach((product, i) => {
        const expected =
          points[i].is0() || scalars[i] === 0n ? Point.ZERO : points[i].multiplyUnsafe(scalars[i]);
        t.true(equal(product, expected), `${op} ${i}`);
      });
    }
  });
}

for (const backend of backends) {
  suite(backend, g1);
  suite(backend, g2);
}
