/**
 * Seeded randomness for tests: a failure can be replayed. `seedFrom` takes VERINFER_SEED or draws one, and the
 * test prints it (`t.log`), so that no run is lost.
 */
export interface Random {
  readonly seed: number;
  uint32(): number;
  /** An integer in [0, limit), limit ≤ 2^32. */
  below(limit: number): number;
  /** A bigint in [1, limit). */
  scalar(limit: bigint): bigint;
  bytes(length: number): Uint8Array;
  pick<T>(values: readonly T[]): T;
}

export function seedFrom(log: (line: string) => void): number {
  const seed = Number(process.env.VERINFER_SEED ?? Math.floor(performance.now() * 1000) ^ process.pid) >>> 0;
  log(`VERINFER_SEED=${seed}`);
  return seed;
}

/** sfc32 (Doty-Humphrey), 12 rounds of warm-up. Not for secrets. */
export function random(seed: number): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed >>> 0, 1];
  const uint32 = (): number => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  const below = (limit: number): number => Math.floor((uint32() / 2 ** 32) * limit);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => uint32() & 255);
  return {
    seed,
    uint32,
    below,
    bytes,
    scalar: (limit) =>
      1n + (bytes(40).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) % (limit - 1n)),
    pick: (values) => values[below(values.length)],
  };
}
