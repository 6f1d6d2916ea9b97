import test from 'ava';
import { AbiCoder, getBytes, hexlify, id, keccak256, toUtf8Bytes } from 'ethers';
import { readFileSync } from 'node:fs';
import { InputRefused, ModelRefused } from '../../circuits/errors.js';
import { compilerVersionHash, modelId, type ModelIdentity } from '../../circuits/model-id.js';
import {
  contextSignal,
  DOMAIN_TAGS,
  domainTag,
  domainTagField,
  inputCommitment,
  outputCommitment,
  packElements,
  PACKED_DTYPES,
  unpackElements,
  type ContextFields,
  type PackedDtype,
} from '../../circuits/public-signals.js';
import { random, seedFrom } from '../support/random.js';
import { integers } from '../support/values.js';

interface Vectors {
  readonly tags: Record<string, { tag: string; field: string }>;
  readonly contexts: { fields: Record<keyof ContextFields, string>; ctx: string }[];
  readonly packings: { dtype: PackedDtype; values: number[]; signals: string[] }[];
  readonly commitments: {
    packed: string[];
    byteLength: number;
    salt: string;
    input: string;
    output: string;
  }[];
  readonly models: { identity: ModelIdentity; modelId: string }[];
}

const vectors = JSON.parse(readFileSync('test/vectors/public-signals.json', 'utf8')) as Vectors;

function contextOf(fields: Record<string, string>): ContextFields {
  const { chainId, deadline, ...rest } = fields;
  return { ...rest, chainId: BigInt(chainId), deadline: BigInt(deadline) } as ContextFields;
}

test('vectors: tags, contexts, packings, commitments, model ids', (t) => {
  for (const [name, { tag, field }] of Object.entries(vectors.tags)) {
    t.is(domainTag(name), tag);
    t.is(domainTagField(name), BigInt(field));
  }
  for (const { fields, ctx } of vectors.contexts) t.is(contextSignal(contextOf(fields)), BigInt(ctx));
  for (const { dtype, values, signals } of vectors.packings) {
    t.deepEqual(packElements(values, dtype), signals.map(BigInt));
    t.deepEqual(unpackElements(signals.map(BigInt), dtype, values.length), values);
  }
  for (const { packed, byteLength, salt, input, output } of vectors.commitments) {
    t.is(inputCommitment(packed.map(BigInt), byteLength, BigInt(salt)), BigInt(input));
    t.is(outputCommitment(packed.map(BigInt), byteLength, BigInt(salt)), BigInt(output));
  }
  for (const { identity, modelId: expected } of vectors.models) t.is(modelId(identity), expected);
});

test('ctx ≡ ethers abi.encode and keccak256, top 248 bits', (t) => {
  const r = random(seedFrom(t.log));
  for (let round = 0; round < 50; round++) {
    const bytes = (length: number) => hexlify(r.bytes(length));
    const fields: ContextFields = {
      domain: r.pick(Object.values(DOMAIN_TAGS)),
      chainId: BigInt(r.uint32()),
      contract: bytes(20),
      requestId: bytes(32),
      modelId: bytes(32),
      vkHash: bytes(32),
      operator: bytes(20),
      payee: bytes(20),
      deadline: BigInt(r.uint32()),
    };
    const encoded = AbiCoder.defaultAbiCoder().encode(
      [
        'bytes32',
        'uint256',
        'uint256',
        'address',
        'bytes32',
        'bytes32',
        'bytes32',
        'address',
        'address',
        'uint256',
      ],
      [
        id(fields.domain),
        1n,
        fields.chainId,
        fields.contract,
        fields.requestId,
        fields.modelId,
        fields.vkHash,
        fields.operator,
        fields.payee,
        fields.deadline,
      ],
    );
    t.is(contextSignal(fields), BigInt(keccak256(encoded)) >> 8n);
    t.true(contextSignal(fields) < 1n << 248n);
  }
});

test('packing round-trips for every dtype and length', (t) => {
  const r = random(seedFrom(t.log));
  for (const dtype of Object.keys(PACKED_DTYPES) as PackedDtype[]) {
    const { bytes, min } = PACKED_DTYPES[dtype];
    for (const length of [1, 2, 7, 15, 30, 31, 32, 62, 100]) {
      const max = min + 2 ** (8 * bytes) - 1;
      const values = Array.from({ length }, () => min + Math.floor((r.uint32() / 2 ** 32) * (max - min + 1)));
      values[0] = min;
      values[length - 1] = max;
      const signals = packElements(values, dtype);
      t.true(signals.every((signal) => signal >= 0n && signal < 1n << 248n));
      t.deepEqual(unpackElements(signals, dtype, length), values);
    }
  }
});

test('C08 a value outside its dtype is not packed', (t) => {
  for (const [dtype, value] of [
    ['int8', 128],
    ['int8', -129],
    ['uint8', 256],
    ['uint8', -1],
    ['int8', 0.5],
    ['int16', 32768],
    ['uint8', NaN],
  ] as const) {
    t.throws(() => packElements([0, value], dtype), { instanceOf: InputRefused });
  }
});

test('unpacking refuses a wrong count, a large signal, padding that is not zero', (t) => {
  const signals = packElements(integers(random(7), 40, -128, 127), 'int8');
  t.throws(() => unpackElements(signals.slice(1), 'int8', 40), { instanceOf: InputRefused });
  t.throws(() => unpackElements([signals[0] + (1n << 248n), signals[1]], 'int8', 40), {
    instanceOf: InputRefused,
  });
  t.throws(() => unpackElements([signals[0], signals[1] + 1n], 'int8', 40), { instanceOf: InputRefused });
  t.notThrows(() => unpackElements(signals, 'int8', 40));
});

const identity: ModelIdentity = {
  modelHash: id('model'),
  circuitHash: id('circuit'),
  vkHash: id('vk'),
  setupClass: 1,
  contributorCount: 1,
  transcriptDigest: `0x${'0'.repeat(64)}`,
  compilerVersion: compilerVersionHash(),
  manifestDigest: id('manifest'),
};

test('modelId ≡ ethers abi.encode and keccak256', (t) => {
  const encoded = AbiCoder.defaultAbiCoder().encode(
    ['bytes32', 'bytes32', 'bytes32', 'bytes32', 'uint8', 'uint16', 'bytes32', 'bytes32', 'bytes32'],
    [
      id(DOMAIN_TAGS.model),
      identity.modelHash,
      identity.circuitHash,
      identity.vkHash,
      1,
      1,
      identity.transcriptDigest,
      identity.compilerVersion,
      identity.manifestDigest,
    ],
  );
  t.is(modelId(identity), keccak256(encoded));
  t.is(getBytes(modelId(identity)).length, 32);
  t.is(compilerVersionHash('x'), keccak256(toUtf8Bytes('x')));
});

test('C27 zero hashes and unknown classes are refused', (t) => {
  const zero = `0x${'0'.repeat(64)}`;
  for (const field of ['modelHash', 'circuitHash', 'vkHash', 'compilerVersion', 'manifestDigest'] as const) {
    t.throws(() => modelId({ ...identity, [field]: zero }), { instanceOf: ModelRefused });
    t.throws(() => modelId({ ...identity, [field]: '0x12' }), { instanceOf: ModelRefused });
  }
  for (const setupClass of [0, 3] as never[])
    t.throws(() => modelId({ ...identity, setupClass }), { instanceOf: ModelRefused });
  for (const contributorCount of [0, -1, 65536, 1.5])
    t.throws(() => modelId({ ...identity, contributorCount }), { instanceOf: ModelRefused });
});
