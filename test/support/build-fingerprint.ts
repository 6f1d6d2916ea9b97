/**
 * All that must come out the same from the same sources, wherever and under whatever settings they are built. Run as a
 * program with a ceremony's folder; prints JSON.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { r1csDigest } from '../../circuits/r1cs/file.js';
import { vkHash } from '../../prover/codec.js';
import { exportVerifyingKey } from '../../prover/export.js';
import { fileSource } from '../../prover/files/container.js';
import { readZkey } from '../../prover/files/zkey.js';
import { newPhase2Key } from '../../prover/initial-key.js';
import { artifact } from '../../service/chain/artifacts.js';
import { ceremonyPaths, sha256File } from '../../service/ceremony/folder.js';
import { readTranscript } from '../../service/ceremony/transcript.js';
import { manifestDigest } from '../../service/verifier/receipt.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const sha256 = (bytes: string): string => createHash('sha256').update(bytes).digest('hex');
const contracts = ['Groth16Verifier', 'ModelRegistry', 'Settlement', 'InferenceMarket'];
const print: Record<string, string> = {};

for (const name of ['digits8x8', 'lenet5']) {
  const { graph } = importModel(readFileSync(join(root, 'models', name, 'model.onnx')));
  const { r1cs, manifest } = compile(graph);
  print[`${name} circuit`] = r1csDigest(r1cs);
  print[`${name} manifest`] = manifestDigest(JSON.parse(JSON.stringify(manifest)));
  if (name === 'digits8x8') {
    // The key from this build's circuit, with the δ that the transcript's contributions ended in.
    const { phase1, transcript, key } = ceremonyPaths(process.argv[2]!);
    const initial = join(process.argv[3]!, 'initial.zkey');
    await newPhase2Key(r1cs, phase1, initial);
    print['key before contributions'] = await sha256File(initial);
    const source = fileSource(initial);
    const { verifyingKey } = readZkey(source);
    source.close();
    const { delta } = exportVerifyingKey(key((await readTranscript(transcript)).head));
    print['vk hash given the transcript'] = vkHash({ ...verifyingKey, delta });
    await rm(initial);
  }
}
for (const name of contracts) {
  const { bytecode, runtimeBytecode } = artifact(name);
  print[`${name} creation code`] = sha256(bytecode);
  print[`${name} runtime code`] = sha256(runtimeBytecode);
}
console.log(JSON.stringify(print));
