import type { R1cs } from '../../circuits/r1cs/r1cs.js';
import { domainSizeFor } from '../qap.js';
import { fieldBytes, g1Bytes, g2Bytes } from './points.js';
import { coefficientBytes } from './zkey.js';

/** Magic, version and section count; then id and length of each of the ten sections. */
const CONTAINER_BYTES = 12 + 10 * 12;
const HEADER_BYTES = 4 + 2 * (4 + fieldBytes) + 12 + 3 * g1Bytes + 3 * g2Bytes;
/** Section 10 before the first contribution: the circuit hash and a count. */
const CONTRIBUTIONS_BYTES = 64 + 4;

/** Size of the proving key of a circuit, before anybody makes it: exact for a key without contributions. */
export function provingKeyBytes(r1cs: R1cs): number {
  const { wireCount, publicCount, a, b } = r1cs;
  // Public wires have an extra row of A each, wire 0 included.
  const coefficientCount = a.wires.length + b.wires.length + publicCount + 1;
  const pointsOfWires = wireCount * (2 * g1Bytes + g2Bytes) + (wireCount - publicCount - 1) * g1Bytes;
  return (
    CONTAINER_BYTES +
    HEADER_BYTES +
    (publicCount + 1) * g1Bytes +
    (4 + coefficientCount * coefficientBytes) +
    pointsOfWires +
    domainSizeFor(r1cs) * g1Bytes +
    CONTRIBUTIONS_BYTES
  );
}
