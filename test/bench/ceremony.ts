/** `make bench-ceremony`: every mutant of a finished key against our verifier and snarkjs's, and a whole re-verification. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zKey } from 'snarkjs';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { initialKey } from '../../prover/initial-key.js';
import { beaconKey, contributeKey } from '../../prover/phase2.js';
import { verifyKeyFrom } from '../../prover/phase2-verify.js';
import { Ceremony } from '../../service/ceremony/ceremony.js';
import { openCeremony } from '../../service/ceremony/opening.js';
import { contribute } from '../../service/ceremony/client.js';
import { serveCeremony } from '../../service/ceremony/server.js';
import { verifyCeremony } from '../../service/ceremony/verify.js';
import { compileUpload } from '../../service/install.js';
import { beacon, makePhase1, smallCeremony } from '../support/ceremony.js';
import { forgeContribution, lies } from '../support/forged-contribution.js';
import { keyMutants } from '../support/key-mutants.js';
import { random } from '../support/random.js';
import { endSnarkjs } from '../support/snarkjs.js';

const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

const small = await smallCeremony();
const key = (name: string): string => join(small.folder, `${name}.zkey`);
for (const [i, name] of ['ada', 'bob', 'cyd'].entries())
  await contributeKey(i === 0 ? small.initial : key(`${i - 1}`), key(`${i}`), { name });
await beaconKey(key('2'), key('final'), 'beacon', beacon);

const initial = await initialKey(small.r1cs, small.phase1);
const silent = () => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };
console.log = silent; // snarkjs prints its verdicts there
const isCaughtBy = async (check: () => Promise<unknown>): Promise<boolean> => {
  try {
    return (await check()) === false;
  } catch {
    return true;
  }
};
const ours = (path: string): Promise<boolean> => isCaughtBy(() => verifyKeyFrom(initial, path));
// From memory: snarkjs leaves files open when it refuses one.
const [initialBytes, phase1Bytes] = [small.initial, small.phase1].map(
  (path) => new Uint8Array(readFileSync(path)),
);
const theirs = (bytes: Uint8Array): Promise<boolean> =>
  isCaughtBy(() => zKey.verifyFromInit(initialBytes, phase1Bytes, bytes, logger));

const honest = key('final');
if ((await ours(honest)) || (await theirs(new Uint8Array(readFileSync(honest)))))
  throw new Error('the honest key is refused');
let [caught, caughtBySnarkjs, started] = [0, 0, performance.now()];
const missed: string[] = [];
const mutants = keyMutants(readFileSync(honest));
for (const { name, lie } of lies) {
  await forgeContribution(key('2'), key('lie'), lie);
  mutants.push({ name: `careful: ${name}`, bytes: new Uint8Array(readFileSync(key('lie'))) });
}
for (const { name, bytes } of mutants) {
  const path = key('mutant');
  writeFileSync(path, bytes);
  if (await ours(path)) caught++;
  else missed.push(name);
  if (await theirs(bytes)) caughtBySnarkjs++;
  else process.stdout.write(`snarkjs accepts  ${name}\n`);
}
process.stdout.write(
  `${mutants.length} mutants in ${seconds(started)} s: ours caught ${caught}, snarkjs ${caughtBySnarkjs}\n`,
);
// A verifier that refuses everything would catch every mutant too.
if (await ours(honest)) throw new Error('the honest key is refused after the mutants');
for (const name of missed) process.stdout.write(`MISSED ${name}\n`);
await endSnarkjs();

// A ceremony of the small model, then everything about it checked again.
const folder = mkdtempSync(join(tmpdir(), 'verinfer-bench-ceremony-'));
const { compiled } = compileUpload(readFileSync('models/digits8x8/model.onnx'), {
  inputMode: 'committed',
  outputMode: 'packed',
});
const r1csPath = join(folder, 'circuit.r1cs');
await writeR1cs(r1csPath, compiled.r1cs);
started = performance.now();
const phase1Path = await makePhase1(folder, 11);
process.stdout.write(`phase 1 of 2^11 made in ${seconds(started)} s\n`);
started = performance.now();
const home = join(folder, 'ceremony');
await openCeremony({ folder: home, r1csPath, phase1Path });
let height = 100;
const blocks = random(6);
const hashes = new Map<number, Uint8Array>();
const source = {
  chainId: '31337',
  height: async () => height,
  hashAt: async (at: number) => {
    if (at > height) return null;
    if (!hashes.has(at)) hashes.set(at, blocks.bytes(32));
    return hashes.get(at)!;
  },
};
const ceremony = await Ceremony.resume(home, { beacon: source });
const coordinator = await serveCeremony(ceremony);
for (const name of ['ada', 'bob', 'cyd']) await contribute(coordinator.url, { name });
await ceremony.announceBeacon(150);
height = 160;
if (ceremony.transcript.final === undefined) await ceremony.finaliseIfDue();
await coordinator.close();
process.stdout.write(
  `ceremony of digits8x8 (${compiled.r1cs.constraintCount} rows, 3 contributors) in ${seconds(started)} s\n`,
);
started = performance.now();
const report = await verifyCeremony(home, { beacon: source });
const auditS = Number(seconds(started));
process.stdout.write(
  `verified again in ${auditS} s: ${report.contributorCount} contributions, transcript ${report.transcriptDigest}\n`,
);
rmSync(folder, { recursive: true, force: true });
rmSync(small.folder, { recursive: true, force: true });
process.stdout.write(`${JSON.stringify({ mutants: mutants.length, caught, caughtBySnarkjs, auditS })}\n`);
process.exit(missed.length === 0 ? 0 : 1);
