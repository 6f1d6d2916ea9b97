/**
 * Receipt v1 as data: one schema validates, types and publishes it (docs/receipt.schema.json). Objects are closed:
 * an unknown field is refused, because a reader cannot know what it was meant to change. Numbers that may exceed
 * 2^53 are decimal strings; bytes are 0x and lower-case hex, of fixed width wherever the width is fixed.
 */
import * as z from 'zod/mini';

// No generated code: pages that verify receipts forbid eval.
z.config({ jitless: true });

const hexBytes = (count: number) =>
  z.string().check(z.length(2 + 2 * count), z.regex(/^0x[0-9a-f]*$/, 'must be 0x and lower-case hex'));
const decimal = z
  .string()
  .check(z.maxLength(78), z.regex(/^(0|[1-9][0-9]*)$/, 'must be a decimal without sign or leading zeros'));
const label = z
  .string()
  .check(z.minLength(1), z.maxLength(200), z.regex(/^[^\p{C}]*$/u, 'must be printable'));
const count = z.number().check(z.int(), z.minimum(0));

export const bytes32 = hexBytes(32);
export const address = hexBytes(20);
export const setupClass = z.enum(['dev-single-party', 'ceremony']);

export const tensor = z.strictObject({
  name: label,
  dtype: z.enum(['bool', 'uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32']),
  shape: z.array(z.number().check(z.int(), z.minimum(1))).check(z.maxLength(8)),
  /** Row-major integers of the quantized tensor. */
  values: z.array(z.number().check(z.int(), z.minimum(-(2 ** 31)), z.maximum(2 ** 32 - 1))),
});

export const opening = z.strictObject({
  inputs: z.array(tensor).check(z.minLength(1), z.maxLength(64)),
  /** 31 bytes; null where the model declares its input public. */
  salt: z.nullable(hexBytes(31)),
});

export const settlement = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('none') }),
  z.strictObject({ state: z.literal('pending'), transactionHash: z.nullable(bytes32) }),
  z.strictObject({
    state: z.literal('settled'),
    transactionHash: bytes32,
    blockNumber: count,
    blockHash: bytes32,
    /** Past the chain's finality when the receipt was made; a reader with a chain of its own asks again. */
    final: z.boolean(),
  }),
]);

const statement = z.strictObject({
  domainTag: z.enum(['verinfer/settlement/v1', 'verinfer/offline/v1']),
  version: z.literal(1),
  chainId: decimal,
  contract: address,
  requestId: bytes32,
  modelId: bytes32,
  vkHash: bytes32,
  operator: address,
  payee: address,
  deadline: decimal,
});

const model = z.strictObject({
  proofSystem: z.literal('groth16-bn254-v1'),
  modelHash: bytes32,
  circuitHash: bytes32,
  vkHash: bytes32,
  setup: z.strictObject({
    class: setupClass,
    contributorCount: z.number().check(z.int(), z.minimum(1), z.maximum(0xffff)),
    transcriptDigest: bytes32,
  }),
  compilerVersion: bytes32,
  manifestDigest: bytes32,
});

/** Executed graph against the file as uploaded, on sample inputs, measured at import. */
const agreement = z.strictObject({
  samples: count,
  elements: count,
  mismatchedElements: count,
  maxDifference: z.number().check(z.minimum(0)),
});

const executed = z.strictObject({
  /** SHA-256 of the executed graph's ONNX bytes. */
  graphHash: bytes32,
  onnxruntime: label,
  /** Start-up check of the integer kernels on the operator's processor. */
  selfTest: z.enum(['pass', 'fail']),
});

const runtime = z.strictObject({
  verinfer: label,
  engine: z.enum(['native', 'snarkjs']),
  node: label,
  platform: label,
  /** Processor class, such as `x86-64 avx2`, not a serial number. */
  cpu: label,
});

const trustStatement = z.strictObject({
  id: label,
  field: label,
  value: label,
  applies: z.boolean(),
  sentence: z.string().check(z.maxLength(400)),
});

export const receiptSchema = z.strictObject({
  version: z.literal('verinfer-receipt/1'),
  issuedAt: z.iso.datetime(),
  statement,
  /** Preimage of requestId for a settlement; null where the client chose the nonce itself. */
  request: z.nullable(z.strictObject({ requester: address, nonce: decimal })),
  model,
  /** The model's manifest, whole: shapes, scales, packing, post-processing. Bound by model.manifestDigest. */
  manifest: z.record(z.string(), z.json()),
  /** EVM layout, 448 + 64·n bytes. A convenience: trusted only because it hashes to a pinned vkHash. */
  verifyingKey: z.string().check(z.maxLength(2 + 2 * 8192), z.regex(/^0x([0-9a-f]{2})+$/)),
  proof: hexBytes(256),
  publicSignals: z.array(decimal).check(z.minLength(1), z.maxLength(256)),
  outputs: z.array(tensor).check(z.minLength(1), z.maxLength(64)),
  /** null unless agreement was measured. */
  agreement: z.nullable(agreement),
  executed,
  runtime,
  settlement,
  trust: z.array(trustStatement).check(z.length(10)),
  /** Only in the client's own copy. Not signed: it is checked against the input commitment. */
  opening: z.nullable(opening),
  /** EIP-712, 65 bytes r ‖ s ‖ v by statement.operator; null where nobody signs (a local proof). */
  signature: z.nullable(hexBytes(65)),
});

export type Receipt = z.infer<typeof receiptSchema>;
export type Tensor = z.infer<typeof tensor>;
export type Opening = z.infer<typeof opening>;
export type Settlement = z.infer<typeof settlement>;
