import { curves } from 'snarkjs';

/** snarkjs keeps its worker threads in a global; a test process that used them never exits otherwise. */
export async function endSnarkjs(): Promise<void> {
  await (await curves.getCurveFromName('bn128')).terminate();
}
