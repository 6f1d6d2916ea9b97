import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import type { R1cs } from '../../circuits/r1cs/r1cs.js';
import { beaconPtau, contributePtau, createPtau, preparePtau } from '../../prover/ptau.js';
import { newPhase2Key } from '../../prover/initial-key.js';
import { bitCircuit, type BitCircuit } from './bit-circuit.js';
import { random } from './random.js';

export const beacon = { value: Buffer.from('9f1c04d2a7b3e86510', 'hex'), iterationsExponent: 10 };

/** Prepared powers of tau of 2^power with one contribution and a beacon. */
export async function makePhase1(folder: string, power: number): Promise<string> {
  const file = (name: string): string => join(folder, `${name}.ptau`);
  await createPtau(power, file('empty'));
  await contributePtau(file('empty'), file('contributed'), { name: 'first' });
  await beaconPtau(file('contributed'), file('closed'), 'beacon', beacon);
  await preparePtau(file('closed'), file('prepared'));
  return file('prepared');
}

export interface SmallCeremony extends BitCircuit {
  readonly folder: string;
  readonly phase1: string;
  readonly r1csPath: string;
  readonly initial: string;
}

/** 44 rows, 2^6 powers: everything in about a second. */
export async function smallCeremony(): Promise<SmallCeremony> {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-ceremony-'));
  const phase1 = await makePhase1(folder, 6);
  const circuit = bitCircuit(40, 2);
  const r1csPath = join(folder, 'circuit.r1cs');
  await writeR1cs(r1csPath, circuit.r1cs);
  const initial = join(folder, 'initial.zkey');
  await newPhase2Key(circuit.r1cs, phase1, initial);
  return { ...circuit, folder, phase1, r1csPath, initial };
}

/** The same circuit with one coefficient one larger: what a changed weight makes of it. */
export function withChangedCoefficient(r1cs: R1cs): R1cs {
  const at = r1cs.coefficients.findIndex((value) => value > 1n && value < 1n << 30n);
  return { ...r1cs, coefficients: r1cs.coefficients.map((value, i) => (i === at ? value + 1n : value)) };
}

const draw = random(20261123);
export const uniform = (): number => draw.below(2 ** 32) / 2 ** 32;
