import { readFileSync, writeFileSync } from 'node:fs';
import type { CompactWitness } from '../../circuits/r1cs/r1cs.js';

/** A compact witness between bench processes: two counts, then the three arrays as they stand in memory. */
export function writeCompactWitness(path: string, { small, largeWires, largeValues }: CompactWitness): void {
  const bytes = (array: Int32Array | Uint32Array): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const counts = Uint32Array.of(small.length, largeWires.length);
  writeFileSync(path, Buffer.concat([bytes(counts), bytes(small), bytes(largeWires), largeValues]));
}

export function readCompactWitness(path: string): CompactWitness {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  const [wires, large] = new Uint32Array(bytes, 0, 2);
  const largeAt = 8 + 4 * wires;
  return {
    small: new Int32Array(bytes, 8, wires),
    largeWires: new Uint32Array(bytes, largeAt, large),
    largeValues: new Uint8Array(bytes, largeAt + 4 * large, 32 * large),
  };
}
