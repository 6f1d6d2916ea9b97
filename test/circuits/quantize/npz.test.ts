/** `.npz` reading: what numpy writes is read, what is broken or too large is refused. */
import { deflateRawSync } from 'node:zlib';
import test from 'ava';
import { MalformedFile } from '../../../circuits/errors.js';
import { readNpy, readNpz } from '../../../circuits/quantize/npz.js';

function npy(descr: string, shape: string, body: Uint8Array, order = 'False'): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape}), }\n`;
  const bytes = new Uint8Array(10 + header.length + body.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(body, 10 + header.length);
  return bytes;
}

function zip(
  name: string,
  content: Uint8Array,
  { isDeflated = true, claimed = content.length } = {},
): Uint8Array {
  const body = isDeflated ? deflateRawSync(content) : content;
  const title = new TextEncoder().encode(name);
  const record = (length: number): DataView => new DataView(new ArrayBuffer(length));
  const local = record(30);
  local.setUint32(0, 0x04034b50, true);
  local.setUint16(8, isDeflated ? 8 : 0, true);
  local.setUint16(26, title.length, true);
  const central = record(46);
  central.setUint32(0, 0x02014b50, true);
  central.setUint16(10, isDeflated ? 8 : 0, true);
  central.setUint32(20, body.length, true);
  central.setUint32(24, claimed, true);
  central.setUint16(28, title.length, true);
  const end = record(22);
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, 1, true);
  end.setUint32(16, 30 + title.length + body.length, true);
  return Buffer.concat([
    new Uint8Array(local.buffer),
    title,
    body,
    new Uint8Array(central.buffer),
    title,
    new Uint8Array(end.buffer),
  ]);
}

const floats = new Uint8Array(Float32Array.of(1.5, -2, 3, 4, 5, 6).buffer);

for (const isDeflated of [true, false])
  test(`an array comes back as numpy wrote it (${isDeflated ? 'deflated' : 'stored'})`, (t) => {
    const x = readNpz(zip('x.npy', npy('<f4', '2, 3', floats), { isDeflated })).get('x')!;
    t.deepEqual([...x.shape], [2, 3]);
    t.deepEqual([...x.data], [1.5, -2, 3, 4, 5, 6]);
  });

test('labels of every integer width', (t) => {
  t.deepEqual([...readNpy(npy('<i8', '2,', new Uint8Array(BigInt64Array.of(7n, -1n).buffer))).data], [7, -1]);
  t.deepEqual([...readNpy(npy('|u1', '3,', Uint8Array.of(0, 9, 255))).data], [0, 9, 255]);
  t.deepEqual([...readNpy(npy('|i1', '1,', Uint8Array.of(255))).data], [-1]);
  t.throws(() => readNpy(npy('<i8', '1,', new Uint8Array(BigInt64Array.of(2n ** 60n).buffer))), {
    instanceOf: MalformedFile,
  });
});

test('Fortran order, big-endian, objects, short data and cut files are refused', (t) => {
  const refused = (bytes: Uint8Array): void =>
    void t.throws(() => readNpz(bytes), { instanceOf: MalformedFile });
  refused(zip('x.npy', npy('<f4', '2, 3', floats, 'True')));
  refused(zip('x.npy', npy('>f4', '2, 3', floats)));
  refused(zip('x.npy', npy('|O', '1,', floats)));
  refused(zip('x.npy', npy('<f4', '2, 4', floats)));
  const whole = zip('x.npy', npy('<f4', '2, 3', floats));
  for (const length of [0, 10, whole.length - 1, whole.length - 30]) refused(whole.subarray(0, length));
});

test('a member that unpacks to more than it claims is refused without being unpacked', (t) => {
  const bomb = zip('x.npy', new Uint8Array(1 << 20), { claimed: 100 });
  t.throws(() => readNpz(bomb), { instanceOf: MalformedFile });
});
