/**
 * The public signals of every proof, in this order (mirrored by PublicSignals.sol; vectors in
 * test/vectors/public-signals.json bind both):
 *
 *   [ctx, input, …, output, …]
 *
 *   ctx     top 248 bits of keccak256(abi.encode(tag, 1, chainId, contract, requestId, modelId, vkHash, operator,
 *           payee, deadline))
 *   input   one Poseidon commitment, or the packed input itself if the model declares it public
 *   output  the packed output tensors, or one Poseidon commitment to them
 *
 * Packing: an element becomes value − dtype minimum, big-endian in the dtype's width, the first element in the
 * most significant of a signal's 31 bytes; elements never straddle signals; zero padding at the end; each
 * tensor starts a new signal. Every signal is below 2^248 < r except Poseidon digests.
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { InputRefused } from './errors.js';
import { spongeDigest } from './poseidon.js';

export const SIGNAL_BYTES = 31;

export const DOMAIN_TAGS = {
  settlement: 'verinfer/settlement/v1',
  offline: 'verinfer/offline/v1',
  input: 'verinfer/input/v1',
  output: 'verinfer/output/v1',
  model: 'verinfer/model/v1',
} as const;

/** 0x and 64 lower-case hex digits. */
export type Bytes32 = string;
/** 0x and 40 hex digits. */
export type Address = string;

/** keccak256 of the ASCII name. */
export function domainTag(name: string): Bytes32 {
  return `0x${bytesToHex(keccak_256(utf8ToBytes(name)))}`;
}

/** The tag as a field element: its top 248 bits. */
export function domainTagField(name: string): bigint {
  return BigInt(domainTag(name)) >> 8n;
}

export interface ContextFields {
  /** Name of the domain, `verinfer/settlement/v1` or `verinfer/offline/v1`. */
  readonly domain: string;
  readonly chainId: bigint;
  readonly contract: Address;
  readonly requestId: Bytes32;
  readonly modelId: Bytes32;
  readonly vkHash: Bytes32;
  readonly operator: Address;
  readonly payee: Address;
  /** Unix seconds; 0 for a proof that is not for a chain. */
  readonly deadline: bigint;
}

export const CONTEXT_VERSION = 1n;

/** The ctx signal. Throws InputRefused for a field that is not what its type says. */
export function contextSignal(fields: ContextFields): bigint {
  const words = [
    hexToBytes(domainTag(fields.domain).slice(2)),
    uintWord('version', CONTEXT_VERSION),
    uintWord('chainId', fields.chainId),
    addressWord('contract', fields.contract),
    bytes32Word('requestId', fields.requestId),
    bytes32Word('modelId', fields.modelId),
    bytes32Word('vkHash', fields.vkHash),
    addressWord('operator', fields.operator),
    addressWord('payee', fields.payee),
    uintWord('deadline', fields.deadline),
  ];
  return BigInt(`0x${bytesToHex(keccak_256(concatBytes(...words)))}`) >> 8n;
}

/** Integer types that can be packed: bytes and minimum. float32 stands for its order-preserving int32. */
export const PACKED_DTYPES = {
  bool: { bytes: 1, min: 0 },
  uint8: { bytes: 1, min: 0 },
  int8: { bytes: 1, min: -128 },
  uint16: { bytes: 2, min: 0 },
  int16: { bytes: 2, min: -32768 },
  uint32: { bytes: 4, min: 0 },
  int32: { bytes: 4, min: -2147483648 },
  float32: { bytes: 4, min: -2147483648 },
} as const;

export type PackedDtype = keyof typeof PACKED_DTYPES;

/** The type a tensor is packed as; 64-bit integers as 32-bit ones, so values beyond those are not accepted or refused. */
export function packedDtypeOf(dtype: string): PackedDtype | undefined {
  if (dtype === 'int64') return 'int32';
  if (dtype === 'uint64') return 'uint32';
  return dtype in PACKED_DTYPES ? (dtype as PackedDtype) : undefined;
}

/** Elements of one tensor that share a signal. */
export function elementsPerSignal(dtype: PackedDtype): number {
  return Math.floor(SIGNAL_BYTES / PACKED_DTYPES[dtype].bytes);
}

export function signalCount(dtype: PackedDtype, elementCount: number): number {
  return Math.ceil(elementCount / elementsPerSignal(dtype));
}

/** One tensor as signals. Throws InputRefused for a value outside the dtype. */
export function packElements(values: ArrayLike<number>, dtype: PackedDtype): bigint[] {
  const { bytes, min } = PACKED_DTYPES[dtype];
  const perSignal = elementsPerSignal(dtype);
  const signals: bigint[] = [];
  for (let from = 0; from < values.length; from += perSignal) {
    let signal = 0n;
    for (let i = 0; i < perSignal; i++) {
      const at = from + i;
      const digit = at < values.length ? values[at] - min : 0;
      if (!Number.isInteger(digit) || digit < 0 || digit >= 2 ** (8 * bytes)) {
        throw new InputRefused({
          where: `element ${at}`,
          what: 'value',
          expected: `an integer of type ${dtype}`,
          got: String(values[at]),
        });
      }
      signal = (signal << BigInt(8 * bytes)) | BigInt(digit);
    }
    signals.push(signal << BigInt(8 * (SIGNAL_BYTES - bytes * perSignal)));
  }
  return signals;
}

/** The inverse: throws InputRefused for a wrong count, a signal of 2^248 or more, or padding that is not zero. */
export function unpackElements(
  signals: readonly bigint[],
  dtype: PackedDtype,
  elementCount: number,
): number[] {
  const { bytes, min } = PACKED_DTYPES[dtype];
  const perSignal = elementsPerSignal(dtype);
  const expected = signalCount(dtype, elementCount);
  if (signals.length !== expected) refuse('signals', 'count', String(expected), String(signals.length));
  const values: number[] = [];
  signals.forEach((signal, index) => {
    const where = `signal ${index}`;
    if (signal < 0n || signal >> 248n !== 0n) refuse(where, 'value', 'below 2^248', String(signal));
    const used = Math.min(perSignal, elementCount - values.length);
    for (let i = 0; i < used; i++) {
      const shift = BigInt(8 * (SIGNAL_BYTES - bytes * (i + 1)));
      values.push(Number((signal >> shift) & BigInt(2 ** (8 * bytes) - 1)) + min);
    }
    const padding = signal & ((1n << BigInt(8 * (SIGNAL_BYTES - bytes * used))) - 1n);
    if (padding !== 0n) refuse(where, 'padding', 'zero', String(padding));
  });
  return values;
}

/** The message of the input commitment: (tag, byte length, packed signals…, salt). */
export function inputCommitment(packed: readonly bigint[], byteLength: number, salt: bigint): bigint {
  requireSalt(salt);
  return spongeDigest([domainTagField(DOMAIN_TAGS.input), BigInt(byteLength), ...packed, salt]);
}

/**
 * The salt of an output commitment follows from the input's, so that one input has one output commitment:
 * Poseidon(output tag, input salt).
 */
export function outputSalt(inputSalt: bigint): bigint {
  return spongeDigest([domainTagField(DOMAIN_TAGS.output), inputSalt]);
}

export function outputCommitment(packed: readonly bigint[], byteLength: number, inputSalt: bigint): bigint {
  requireSalt(inputSalt);
  const tag = domainTagField(DOMAIN_TAGS.output);
  return spongeDigest([tag, BigInt(byteLength), ...packed, outputSalt(inputSalt)]);
}

function requireSalt(salt: bigint): void {
  if (salt < 0n || salt >> 248n !== 0n) refuse('salt', 'value', '248 bits', String(salt));
}

function uintWord(what: string, value: bigint): Uint8Array {
  if (value < 0n || value >> 256n !== 0n)
    refuse('context', what, 'an unsigned 256-bit integer', String(value));
  return hexToBytes(value.toString(16).padStart(64, '0'));
}

function bytes32Word(what: string, value: Bytes32): Uint8Array {
  if (!/^0x[0-9a-fA-F]{64}$/.test(value)) refuse('context', what, '0x and 64 hex digits', value);
  return hexToBytes(value.slice(2));
}

function addressWord(what: string, value: Address): Uint8Array {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) refuse('context', what, '0x and 40 hex digits', value);
  return hexToBytes(value.slice(2).padStart(64, '0'));
}

function refuse(where: string, what: string, expected: string, got: string): never {
  throw new InputRefused({ where, what, expected, got });
}
