/**
 * Groth16 proving (eprint 2016/260, §3.2) from a snarkjs key, slow and readable: the specification of
 * native/prove.hpp. With the witness w (w₀ = 1) and random r, s:
 *
 *   A = α + Σ wᵢ·Aᵢ + r·δ            Aᵢ = uᵢ(τ)·G1
 *   B = β + Σ wᵢ·Bᵢ + s·δ            Bᵢ = vᵢ(τ), in G2 and again in G1
 *   C = Σ wᵢ·Cᵢ (private i) + Σ hⱼ·Hⱼ + s·A + r·B − r·s·δ
 *
 * a, b interpolate the values of the rows ⟨A,w⟩, ⟨B,w⟩ on the domain and c their products there, so that a·b − c
 * vanishes on the domain exactly when w satisfies the circuit. The points H are a Lagrange basis of the odd coset
 * ζ·⟨ω⟩ with the division by the vanishing polynomial worked in, so hⱼ is just (a·b − c)(ζ·ωʲ).
 *
 * With the points D of files/derived.ts, Σ hⱼ·Hⱼ = Σ (a·b)(ζ·ωʲ)·Hⱼ + Σ c(ωⁱ)·Dᵢ, and c needs no transform.
 */
import { bn254 } from '@noble/curves/bn254.js';
import { type Container, readSection, view } from './files/container.js';
import {
  fieldBytes,
  inverseMontgomery,
  r as order,
  readCoordinate,
  readLittleEndian,
} from './files/points.js';
import type { DerivedKey } from './files/derived.js';
import { coefficientBytes, type Zkey } from './files/zkey.js';
import type { Proof } from './keys.js';
import { msm } from './msm.js';
import { extendToOddCoset } from './ntt.js';

const Fr = bn254.fields.Fr;
const G1 = bn254.G1.Point;
const G2 = bn254.G2.Point;
type G1Value = InstanceType<typeof G1>;
type G2Value = InstanceType<typeof G2>;

/** The blinding r and s must be uniform and never used twice: two proofs that share them reveal the witness. */
export function proveWith(
  zkey: Zkey,
  witness: readonly bigint[],
  r: bigint,
  s: bigint,
  derived?: DerivedKey,
): Proof {
  const { header, container } = zkey;
  if (witness.length !== header.wireCount || witness[0] !== 1n) {
    throw new RangeError(`witness: must be ${header.wireCount} values, the first 1, got ${witness.length}`);
  }
  const g1 = (section: number): G1Value[] => readG1Points(readSection(container, section));
  const sum1 = (section: number, scalars: readonly bigint[]): G1Value => msm(g1(section), scalars, G1.ZERO);
  const [alpha, beta1, delta1] = [header.alpha1, header.beta1, header.delta1].map(([x, y]) =>
    G1.fromAffine({ x, y }),
  );
  const [beta2, delta2] = [header.beta2, header.delta2].map(([x, y]) =>
    G2.fromAffine({ x: { c0: x[0], c1: x[1] }, y: { c0: y[0], c1: y[1] } }),
  );
  const times = (point: G1Value, scalar: bigint): G1Value =>
    scalar === 0n ? G1.ZERO : point.multiplyUnsafe(scalar);

  const a = alpha.add(sum1(5, witness)).add(times(delta1, r));
  const b1 = beta1.add(sum1(6, witness)).add(times(delta1, s));
  const b2 = beta2
    .add(msm(readG2Points(readSection(container, 7)), witness, G2.ZERO))
    .add(s === 0n ? G2.ZERO : delta2.multiplyUnsafe(s));
  const c = sum1(8, witness.slice(header.publicCount + 1))
    .add(quotient(zkey, witness, derived))
    .add(times(a, s))
    .add(times(b1, r))
    .add(times(delta1, Fr.neg(Fr.mul(r, s))));

  const [pa, pb, pc] = [a.toAffine(), b2.toAffine(), c.toAffine()];
  return {
    a: [pa.x, pa.y],
    b: [
      [pb.x.c0, pb.x.c1],
      [pb.y.c0, pb.y.c1],
    ],
    c: [pc.x, pc.y],
  };
}

/** Σ hⱼ·Hⱼ, by six transforms or by four. */
function quotient({ header, container }: Zkey, witness: readonly bigint[], derived?: DerivedKey): G1Value {
  const h = readG1Points(readSection(container, 9));
  const [a, b, c] = rowValues(container, header.domainSize, witness);
  const [onA, onB] = [a, b].map(extendToOddCoset);
  const products = onA.map((value, i) => Fr.mul(value, onB[i]));
  if (derived !== undefined)
    return msm(h, products, G1.ZERO).add(msm(readG1Points(derived.points), c, G1.ZERO));
  const onC = extendToOddCoset(c);
  return msm(
    h,
    products.map((value, i) => Fr.sub(value, onC[i])),
    G1.ZERO,
  );
}

/** a, b and c = a·b at the points of the domain. */
function rowValues(
  container: Container,
  size: number,
  witness: readonly bigint[],
): [bigint[], bigint[], bigint[]] {
  const rows: [bigint[], bigint[]] = [new Array(size).fill(0n), new Array(size).fill(0n)];
  const section = readSection(container, 4);
  for (let at = 4; at < section.length; at += coefficientBytes) {
    const [matrix, row, wire] = [0, 4, 8].map((offset) => view(section).getUint32(at + offset, true));
    // the file holds value·R²
    const value = inverseMontgomery(inverseMontgomery(readLittleEndian(section, at + 12), order), order);
    rows[matrix][row] = Fr.add(rows[matrix][row], Fr.mul(value, witness[wire]));
  }
  const [a, b] = rows;
  return [a, b, a.map((value, i) => Fr.mul(value, b[i]))];
}

/** Affine points as files hold them; zeros are the point at infinity. */
function readG1Points(bytes: Uint8Array): G1Value[] {
  return Array.from({ length: bytes.length / (2 * fieldBytes) }, (_, i) => {
    const [x, y] = [0, 1].map((k) => readCoordinate(bytes, (2 * i + k) * fieldBytes));
    return x === 0n && y === 0n ? G1.ZERO : G1.fromAffine({ x, y });
  });
}

function readG2Points(bytes: Uint8Array): G2Value[] {
  return Array.from({ length: bytes.length / (4 * fieldBytes) }, (_, i) => {
    const [x0, x1, y0, y1] = [0, 1, 2, 3].map((k) => readCoordinate(bytes, (4 * i + k) * fieldBytes));
    if (x0 === 0n && x1 === 0n && y0 === 0n && y1 === 0n) return G2.ZERO;
    return G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } });
  });
}
