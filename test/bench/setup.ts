/**
 * `make bench-setup`: development setup of the LeNet; powers of tau of 2^POWER (default 17) created, contributed, closed
 * and prepared; a phase-2 key on them with one contribution, of the LeNet from 2^17 on, of a bit-heavy circuit that fills
 * the powers below; the derived file of that key. snarkjs then verifies powers and key (minutes); SNARKJS=0 leaves that
 * out, and the run counts as incomplete.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { powersOfTau, zKey } from 'snarkjs';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { deriveKey } from '../../prover/derive.js';
import { setupDevelopment } from '../../prover/index.js';
import { newPhase2Key } from '../../prover/initial-key.js';
import { contributeKey } from '../../prover/phase2.js';
import { beaconPtau, contributePtau, createPtau, preparePtau } from '../../prover/ptau.js';
import { verifyKey } from '../../prover/phase2-verify.js';
import { selectKernels } from '../../prover/select.js';
import { compileUpload } from '../../service/install.js';
import { bitCircuit } from '../support/bit-circuit.js';
import { beacon } from '../support/ceremony.js';
import { endSnarkjs } from '../support/snarkjs.js';

const power = Number(process.env['POWER'] ?? 17);
const folder = mkdtempSync(join(tmpdir(), 'verinfer-bench-setup-'));
const file = (name: string): string => join(folder, name);
const times: Record<string, number> = {};

async function timed<T>(name: string, run: () => Promise<T>): Promise<T> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const result = await run();
  times[name] = Math.round(performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  const cpuS = ((used.user + used.system) / 1e6).toFixed(1);
  process.stdout.write(
    `${name.padEnd(22)} ${times[name].toFixed(1).padStart(7)} s wall ${cpuS.padStart(8)} s cpu\n`,
  );
  return result;
}

process.stdout.write(`kernels: ${selectKernels().reason}\n`);
const modes = { inputMode: 'committed', outputMode: 'packed' } as const;
const lenet = compileUpload(readFileSync('models/lenet5/model.onnx'), modes).compiled.r1cs;
await timed('LeNet development key', () => setupDevelopment(lenet, file('lenet.zkey')));

await timed('create', () => createPtau(power, file('0.ptau')));
await timed('contribute', () => contributePtau(file('0.ptau'), file('1.ptau'), { name: 'first' }));
await timed('beacon', () => beaconPtau(file('1.ptau'), file('2.ptau'), 'beacon', beacon));
await timed('prepare', () => preparePtau(file('2.ptau'), file('ready.ptau')));

const r1cs = power >= 17 ? lenet : bitCircuit(2 ** power - 8).r1cs;
await writeR1cs(file('circuit.r1cs'), r1cs);
await timed('phase-2 key', () => newPhase2Key(r1cs, file('ready.ptau'), file('0.zkey')));
await timed('phase-2 contribution', () => contributeKey(file('0.zkey'), file('1.zkey'), { name: 'first' }));
await timed('phase-2 verification', () => verifyKey(r1cs, file('ready.ptau'), file('1.zkey')));

await timed('derived file', () => deriveKey(file('1.zkey')));

let snarkjsAccepts: boolean | null = null;
if (process.env['SNARKJS'] !== '0') {
  const isSound = await timed('snarkjs ptau verify', () => powersOfTau.verify(file('ready.ptau')));
  const isBuilt = await timed('snarkjs zkey verify', () =>
    zKey.verifyFromR1cs(file('circuit.r1cs'), file('ready.ptau'), file('1.zkey')),
  );
  snarkjsAccepts = isSound && isBuilt;
  await endSnarkjs();
}
rmSync(folder, { recursive: true, force: true });
const phase2S = times['phase-2 key'] + times['phase-2 contribution'];
if (snarkjsAccepts !== true) process.exitCode = 1;
process.stdout.write(
  `${JSON.stringify({
    power,
    lenetDevelopmentS: times['LeNet development key'],
    ptauS: times['create'] + times['contribute'] + times['prepare'],
    ...(r1cs === lenet ? { lenetPhase2S: phase2S } : { bitsPhase2S: phase2S }),
    derivedS: times['derived file'],
    snarkjsAccepts,
  })}\n`,
);
