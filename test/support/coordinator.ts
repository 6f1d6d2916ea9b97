/** A coordinator's surroundings without processes, sockets or a chain. */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { contributeKey } from '../../prover/phase2.js';
import { Ceremony } from '../../service/ceremony/ceremony.js';
import { ceremonyPaths } from '../../service/ceremony/folder.js';
import { random } from './random.js';

/** A chain as far as a beacon needs one; `at` is its height. */
export class FakeChain {
  readonly chainId = '31337';
  at = 100;
  readonly #hashes = new Map<number, Uint8Array>();
  readonly #draw = random(5);
  height = async (): Promise<number> => this.at;
  hashAt = async (height: number): Promise<Uint8Array | null> => {
    if (height > this.at) return null;
    if (!this.#hashes.has(height)) this.#hashes.set(height, this.#draw.bytes(32));
    return this.#hashes.get(height)!;
  };
}

/** A participant's identity. */
export const publicKey = (): string =>
  generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64');

/** Takes a turn directly, without HTTP. */
export async function takeTurn(ceremony: Ceremony, name: string): Promise<string> {
  const { token } = await ceremony.join({ name, publicKey: publicKey() });
  const path = join(ceremonyPaths(ceremony.folder).incoming, `${name}.zkey`);
  await contributeKey(ceremony.headPath, path, { name });
  return (await ceremony.submit(token, path, null)).contributionHash;
}

/** Everybody in turn, then a beacon: an opened ceremony becomes a final one. */
export async function takeTurns(folder: string, names: readonly string[]): Promise<void> {
  const beacon = new FakeChain();
  const limits = {
    ...{ turnMs: 60_000, penaltyMs: 600_000, minimumLeadBlocks: 10, confirmations: 2 },
    recordedSkips: 10,
  };
  const ceremony = await Ceremony.resume(folder, { limits, beacon });
  for (const name of names) await takeTurn(ceremony, name);
  await ceremony.announceBeacon(beacon.at + 20);
  beacon.at += 30;
  await ceremony.finalise();
  await ceremony.close();
}
