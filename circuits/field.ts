/**
 * The scalar field of BN254, the field every wire lives in: integers modulo
 *
 *   r = 36u⁴ + 36u³ + 18u² + 6u + 1  with  u = 4965661367192848881        (EIP-197)
 *
 * Elements are canonical bigints in [0, r). A network's numbers are small and signed, so most code works on
 * plain integers and meets the field only at the edges: −x stands for r − x.
 */
export const FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** Bytes of a canonical element in `.r1cs`, `.wtns` and compact witnesses (little-endian there). */
export const FIELD_BYTES = 32;

/** The representative of any integer in [0, modulus). */
export function canonical(value: bigint, modulus: bigint = FIELD_MODULUS): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** The representative in (−modulus/2, modulus/2]. */
export function signed(element: bigint, modulus: bigint = FIELD_MODULUS): bigint {
  return element > modulus >> 1n ? element - modulus : element;
}

/** x⁻¹ by the extended Euclidean algorithm. Throws for 0. */
export function inverse(element: bigint, modulus: bigint = FIELD_MODULUS): bigint {
  let [r0, r1] = [modulus, canonical(element, modulus)];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  if (r0 !== 1n) throw new RangeError(`field element ${element} has no inverse modulo ${modulus}`);
  return canonical(t0, modulus);
}

/** Writes a canonical element as 32 bytes little-endian. */
export function writeElement(view: DataView, offset: number, element: bigint): void {
  for (let i = 0; i < 4; i++) {
    view.setBigUint64(offset + 8 * i, (element >> BigInt(64 * i)) & 0xffffffffffffffffn, true);
  }
}

/** Reads 32 bytes little-endian; the caller checks that the result is below the modulus. */
export function readElement(view: DataView, offset: number): bigint {
  let element = 0n;
  for (let i = 3; i >= 0; i--) element = (element << 64n) | view.getBigUint64(offset + 8 * i, true);
  return element;
}
