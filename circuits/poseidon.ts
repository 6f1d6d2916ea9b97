/**
 * The Poseidon permutation (eprint 2019/458) over the BN254 scalar field with S-box x⁵, width t = 17, 8 full
 * and 68 partial rounds: the parameters circomlib uses for 16 inputs. Round constants and matrix are derived
 * here by the paper's Grain LFSR (appendix E), so nothing is copied; a test compares with circomlibjs.
 *
 * The sponge has capacity 1 (state[0], starting at 0) and rate 16: each block of 16 elements, the last one
 * padded with zeros, is added to state[1…16] before a permutation; the digest is state[0] after the last.
 * Messages here carry their length, so padding is unambiguous. For one block it equals circomlib's Poseidon(16).
 */
import { canonical, FIELD_MODULUS, inverse } from './field.js';

export const WIDTH = 17;
export const RATE = WIDTH - 1;
export const FULL_ROUNDS = 8;
export const PARTIAL_ROUNDS = 68;

export interface PoseidonParameters {
  readonly width: number;
  readonly fullRounds: number;
  readonly partialRounds: number;
  /** By round, then by state element. */
  readonly roundConstants: readonly bigint[];
  /** Cauchy matrix, row-major: new[i] = Σ matrix[i·width + j]·old[j]. */
  readonly matrix: readonly bigint[];
}

/** Grain LFSR in self-shrinking mode, seeded by the parameters: a function that returns the next bit. */
function grainBits(width: number, fullRounds: number, partialRounds: number): () => number {
  const state = new Uint8Array(80);
  let at = 0;
  const seed = (value: number, bits: number) => {
    for (let i = bits - 1; i >= 0; i--) state[at++] = (value >> i) & 1;
  };
  seed(1, 2); // prime field
  seed(0, 4); // S-box x^α
  seed(254, 12); // bits of the modulus
  seed(width, 12);
  seed(fullRounds, 10);
  seed(partialRounds, 10);
  state.fill(1, at);
  let head = 0;
  const tap = (i: number) => state[(head + i) % 80];
  const next = () => {
    const bit = tap(62) ^ tap(51) ^ tap(38) ^ tap(23) ^ tap(13) ^ tap(0);
    state[head] = bit;
    head = (head + 1) % 80;
    return bit;
  };
  for (let i = 0; i < 160; i++) next();
  return () => {
    for (;;) {
      const keep = next();
      const bit = next();
      if (keep === 1) return bit;
    }
  };
}

/** Bits put together this many at a time. */
const PIECE_BITS = 30;

/** Round constants (rejection sampled) and the first Cauchy matrix of the stream. */
export function deriveParameters(
  width: number,
  fullRounds: number,
  partialRounds: number,
): PoseidonParameters {
  const nextBit = grainBits(width, fullRounds, partialRounds);
  const draw = () => {
    let value = 0n;
    for (let left = 254; left > 0; left -= PIECE_BITS) {
      const bits = Math.min(left, PIECE_BITS);
      let piece = 0;
      for (let i = 0; i < bits; i++) piece = 2 * piece + nextBit();
      value = (value << BigInt(bits)) | BigInt(piece);
    }
    return value;
  };
  const roundConstants: bigint[] = [];
  while (roundConstants.length < width * (fullRounds + partialRounds)) {
    const candidate = draw();
    if (candidate < FIELD_MODULUS) roundConstants.push(candidate);
  }
  const points = Array.from({ length: 2 * width }, () => canonical(draw()));
  const matrix: bigint[] = [];
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) matrix.push(inverse(points[i] + points[width + j]));
  }
  return { width, fullRounds, partialRounds, roundConstants, matrix };
}

let parameters: PoseidonParameters | undefined;

/** The parameters of the sponge, derived on first use (about 30 ms). */
export function spongeParameters(): PoseidonParameters {
  return (parameters ??= deriveParameters(WIDTH, FULL_ROUNDS, PARTIAL_ROUNDS));
}

/** Whether every element of the state goes through the S-box in this round; otherwise only state[0] does. */
export function isFullRound({ fullRounds, partialRounds }: PoseidonParameters, round: number): boolean {
  return round < fullRounds / 2 || round >= fullRounds / 2 + partialRounds;
}

/** Add constants, S-box, mix: once a round. `onSbox` sees the input of every S-box in order. */
export function permute(
  state: readonly bigint[],
  p: PoseidonParameters = spongeParameters(),
  onSbox?: (input: bigint) => void,
): bigint[] {
  const { width, roundConstants, matrix } = p;
  let current = [...state];
  for (let round = 0; round < p.fullRounds + p.partialRounds; round++) {
    const full = isFullRound(p, round);
    for (let i = 0; i < width; i++) {
      const x = (current[i] + roundConstants[round * width + i]) % FIELD_MODULUS;
      if (full || i === 0) {
        onSbox?.(x);
        const x2 = (x * x) % FIELD_MODULUS;
        current[i] = (((x2 * x2) % FIELD_MODULUS) * x) % FIELD_MODULUS;
      } else {
        current[i] = x;
      }
    }
    const mixed: bigint[] = [];
    for (let i = 0; i < width; i++) {
      let sum = 0n;
      for (let j = 0; j < width; j++) sum += matrix[i * width + j] * current[j];
      mixed.push(sum % FIELD_MODULUS);
    }
    current = mixed;
  }
  return current;
}

/** The sponge's digest of a non-empty message of canonical field elements. */
export function spongeDigest(message: readonly bigint[], onSbox?: (input: bigint) => void): bigint {
  let state: bigint[] = new Array<bigint>(WIDTH).fill(0n);
  for (let block = 0; block < message.length; block += RATE) {
    for (let i = 0; i < RATE && block + i < message.length; i++) {
      state[1 + i] = (state[1 + i] + message[block + i]) % FIELD_MODULUS;
    }
    state = permute(state, spongeParameters(), onSbox);
  }
  return state[0];
}
