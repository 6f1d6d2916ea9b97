/**
 * The name of a model: keccak256 over everything a proof of it depends on (mirrored by ModelRegistry.sol). The
 * circuit never contains it, so there is no cycle. Any change is a new model.
 */
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { ModelRefused } from './errors.js';
import { DOMAIN_TAGS, domainTag, type Bytes32 } from './public-signals.js';

/** Who ran the setup of the key. 0 is never valid. */
export const SETUP_CLASS = { 'dev-single-party': 1, ceremony: 2 } as const;
export type SetupClassName = keyof typeof SETUP_CLASS;

/** Part of modelId: a compiler that writes other bytes for the same model is another compiler. */
export const COMPILER_VERSION = 'verinfer-compiler/3';
export const PROOF_SYSTEM_ID = 'groth16-bn254-v1';

export interface ModelIdentity {
  /** SHA-256 of the ONNX bytes. */
  readonly modelHash: Bytes32;
  /** SHA-256 of the `.r1cs` file. */
  readonly circuitHash: Bytes32;
  /** keccak256 of the verifying key's bytes. */
  readonly vkHash: Bytes32;
  readonly setupClass: 1 | 2;
  /** Contributions to phase 2; 1 for the development class. */
  readonly contributorCount: number;
  readonly transcriptDigest: Bytes32;
  /** keccak256 of COMPILER_VERSION. */
  readonly compilerVersion: Bytes32;
  /** keccak256 of the canonical manifest. */
  readonly manifestDigest: Bytes32;
}

const ZERO = `0x${'0'.repeat(64)}`;

/** Throws ModelRefused for a zero hash, an unknown setup class or a count that does not fit. */
export function modelId(identity: ModelIdentity): Bytes32 {
  const hash = (what: keyof ModelIdentity, mayBeZero = false): Uint8Array => {
    const value = String(identity[what]);
    if (!/^0x[0-9a-fA-F]{64}$/.test(value)) refuse(what, '0x and 64 hex digits', value);
    if (!mayBeZero && value === ZERO) refuse(what, 'not zero', value);
    return hexToBytes(value.slice(2));
  };
  const { setupClass, contributorCount } = identity;
  if (setupClass !== 1 && setupClass !== 2) refuse('setupClass', '1 or 2', String(setupClass));
  if (!Number.isInteger(contributorCount) || contributorCount < 1 || contributorCount > 0xffff) {
    refuse('contributorCount', 'an integer from 1 to 65535', String(contributorCount));
  }
  const words = [
    hexToBytes(domainTag(DOMAIN_TAGS.model).slice(2)),
    hash('modelHash'),
    hash('circuitHash'),
    hash('vkHash'),
    smallWord(setupClass),
    smallWord(contributorCount),
    hash('transcriptDigest', true), // a development setup has no transcript
    hash('compilerVersion'),
    hash('manifestDigest'),
  ];
  return keccakHex(concatBytes(...words));
}

/** compilerVersion of modelId. */
export function compilerVersionHash(version: string = COMPILER_VERSION): Bytes32 {
  return keccakHex(utf8ToBytes(version));
}

export function keccakHex(bytes: Uint8Array): Bytes32 {
  return `0x${bytesToHex(keccak_256(bytes))}`;
}

function smallWord(value: number): Uint8Array {
  const word = new Uint8Array(32);
  new DataView(word.buffer).setUint32(28, value);
  return word;
}

function refuse(what: string, expected: string, got: string): never {
  throw new ModelRefused({ where: 'model identity', what, expected, got });
}
