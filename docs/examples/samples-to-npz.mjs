/**
 * samples.json of an example model → the .npz that `verinfer quantize` reads: x_calib, x and y, as numpy.savez would
 * write them. Usage: node samples-to-npz.mjs samples.json samples.npz
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const [, , from, to] = process.argv;
const { samples, shape } = JSON.parse(readFileSync(from, 'utf8'));

/** Format 1.0: magic, header padded to 64 bytes, little-endian values. */
function npy(descr, dims, values) {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`;
  const header = Buffer.from(`${text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11)}\n`, 'latin1');
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([start, header, Buffer.from(values.buffer)]);
}

const batch = [samples.length, ...shape.slice(1)];
const x = Float32Array.from(samples.flatMap((sample) => sample.x));
const y = BigInt64Array.from(samples, ({ label }) => BigInt(label));
const files = { x_calib: npy('<f4', batch, x), x: npy('<f4', batch, x), y: npy('<i8', [samples.length], y) };

/** A zip archive whose members are stored, not compressed. */
const locals = [];
const central = [];
let offset = 0;
for (const [name, bytes] of Object.entries(files)) {
  const path = Buffer.from(`${name}.npy`);
  const facts = Buffer.alloc(26);
  facts.writeUInt16LE(20, 0);
  facts.writeUInt32LE(crc32(bytes), 10);
  facts.writeUInt32LE(bytes.length, 14);
  facts.writeUInt32LE(bytes.length, 18);
  facts.writeUInt16LE(path.length, 22);
  locals.push(Buffer.from('PK\x03\x04', 'latin1'), facts, path, bytes);
  const place = Buffer.alloc(14);
  place.writeUInt32LE(offset, 10);
  central.push(Buffer.from('PK\x01\x02\x14\0', 'latin1'), facts, place, path);
  offset += 30 + path.length + bytes.length;
}
const directory = Buffer.concat(central);
const end = Buffer.alloc(22);
end.write('PK\x05\x06', 'latin1');
end.writeUInt16LE(Object.keys(files).length, 8);
end.writeUInt16LE(Object.keys(files).length, 10);
end.writeUInt32LE(directory.length, 12);
end.writeUInt32LE(offset, 16);
writeFileSync(to, Buffer.concat([...locals, directory, end]));
