/** Writes test/vectors/public-signals.json: `node dist/test/vectors/write-public-signals.js`. */
import { hexlify, id } from 'ethers';
import { writeFileSync } from 'node:fs';
import { compilerVersionHash, modelId, type ModelIdentity } from '../../circuits/model-id.js';
import * as signals from '../../circuits/public-signals.js';
import { random } from '../support/random.js';
import { integers } from '../support/values.js';

const r = random(248);
const hex = (value: bigint) => `0x${value.toString(16).padStart(64, '0')}`;
const bytes = (length: number) => hexlify(r.bytes(length));
const zero = (length: number) => `0x${'00'.repeat(length)}`;

const contexts = [
  { domain: signals.DOMAIN_TAGS.settlement, chainId: '31337', deadline: '1893456000' },
  { domain: signals.DOMAIN_TAGS.settlement, chainId: '1', deadline: '18446744073709551615' },
  { domain: signals.DOMAIN_TAGS.offline, chainId: '0', deadline: '0' },
].map(({ domain, chainId, deadline }) => {
  const offline = domain === signals.DOMAIN_TAGS.offline;
  const contract = offline ? zero(20) : bytes(20);
  const rest = {
    requestId: bytes(32),
    modelId: bytes(32),
    vkHash: bytes(32),
    operator: bytes(20),
    payee: bytes(20),
  };
  const fields = { domain, chainId, contract, ...rest, deadline };
  const ctx = signals.contextSignal({ ...fields, chainId: BigInt(chainId), deadline: BigInt(deadline) });
  return { fields, ctx: hex(ctx) };
});

const packings = (
  [
    ['int8', 10],
    ['int8', 31],
    ['int8', 32],
    ['uint8', 64],
    ['int16', 17],
    ['uint16', 1],
    ['int32', 9],
    ['bool', 5],
  ] as const
).map(([dtype, count]) => {
  const { bytes: width, min } = signals.PACKED_DTYPES[dtype];
  const max = dtype === 'bool' ? 1 : min + 2 ** (8 * width) - 1;
  const values = Array.from(integers(r, count, min, max));
  values[0] = min;
  values[count - 1] = max;
  return { dtype, values, signals: signals.packElements(values, dtype).map(hex) };
});

const commitments = [10, 64, 784].map((byteLength) => {
  const packed = signals.packElements(integers(r, byteLength, -128, 127), 'int8');
  const salt = r.scalar(1n << 248n);
  return {
    packed: packed.map(hex),
    byteLength,
    salt: hex(salt),
    input: hex(signals.inputCommitment(packed, byteLength, salt)),
    output: hex(signals.outputCommitment(packed, byteLength, salt)),
  };
});

const models = ([1, 2] as const).map((setupClass) => {
  const identity: ModelIdentity = {
    modelHash: bytes(32),
    circuitHash: bytes(32),
    vkHash: bytes(32),
    setupClass,
    contributorCount: setupClass === 1 ? 1 : 7,
    transcriptDigest: setupClass === 1 ? zero(32) : bytes(32),
    compilerVersion: compilerVersionHash(),
    manifestDigest: id('manifest'),
  };
  return { identity, modelId: modelId(identity) };
});

const tags = Object.fromEntries(
  Object.values(signals.DOMAIN_TAGS).map((name) => [
    name,
    { tag: signals.domainTag(name), field: hex(signals.domainTagField(name)) },
  ]),
);

const vectors = {
  source:
    'circuits/public-signals.ts and circuits/model-id.ts; ctx and modelId agree with ethers in the test beside it',
  regenerate: 'node dist/test/vectors/write-public-signals.js',
  tags,
  contexts,
  packings,
  commitments,
  models,
};
writeFileSync('test/vectors/public-signals.json', `${JSON.stringify(vectors, null, 1)}\n`);
