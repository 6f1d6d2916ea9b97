/** Claims about the setup behind a model's key: who could forge, checked from the ceremony's public folder. */
import type { BeaconSource } from '../ceremony/beacon.js';
import { ceremonyPaths } from '../ceremony/folder.js';
import { readTranscript } from '../ceremony/transcript.js';
import { verifyCeremony } from '../ceremony/verify.js';
import type { Ledger } from '../verifier/ledger.js';
import type { Receipt } from '../verifier/schema.js';

/** The ceremony behind the key, all of it, or why nobody can say. `chain` is asked for the beacon if it is its chain. */
export async function checkSetup(
  ledger: Ledger,
  ceremonyFolder: string | undefined,
  { vkHash: named, circuitHash, setup }: Receipt['model'],
  chain: BeaconSource | undefined,
): Promise<void> {
  const claim = 'nobody can forge proofs for this model';
  if (setup.class === 'dev-single-party') {
    ledger.unknown('transcript', claim, 'a development setup: whoever ran it can');
    return;
  }
  const [beacon, fromChain] = ['beacon', 'the beacon is the announced block of its chain'];
  if (ceremonyFolder === undefined) {
    ledger.unknown('transcript', claim, 'no ceremony folder at hand');
    ledger.unknown(beacon, fromChain, 'no ceremony folder at hand');
    return;
  }
  const announced = await readTranscript(ceremonyPaths(ceremonyFolder).transcript).then(
    ({ announcement }) => announcement?.chainId,
    () => undefined,
  );
  const source = chain !== undefined && chain.chainId === announced ? chain : undefined;
  const how = 'phase 1, every contribution, transcript and signatures verified again';
  const told = `if one of ${setup.contributorCount} contributors destroyed their secret, ${claim}`;
  const holds = await ledger.attemptAsync('transcript', told, how, async () => {
    const report = await verifyCeremony(ceremonyFolder, source && { beacon: source });
    const wanted = {
      vkHash: named,
      circuitHash,
      contributorCount: setup.contributorCount,
      transcriptDigest: setup.transcriptDigest,
    };
    for (const [name, value] of Object.entries(wanted)) {
      const got = String(report[name as keyof typeof wanted]);
      if (got !== String(value))
        throw new Error(`${name}: the model names ${value}, the ceremony gave ${got}`);
    }
    return true;
  });
  if (!holds) ledger.unknown(beacon, fromChain, 'the ceremony does not verify');
  else if (source !== undefined) ledger.add(beacon, fromChain, `asked chain ${announced}`, 'pass');
  else
    ledger.unknown(
      beacon,
      fromChain,
      `taken from the transcript: needs --rpc to chain ${announced}, or verinfer ceremony verify --rpc`,
    );
}
