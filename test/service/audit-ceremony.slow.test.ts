import test from 'ava';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { writeR1cs } from '../../circuits/r1cs/file.js';
import { contributeKey } from '../../prover/phase2.js';
import { audit, type AuditReport } from '../../service/audit/audit.js';
import { readSubject } from '../../service/audit/subject.js';
import { Ceremony, openCeremony } from '../../service/ceremony/ceremony.js';
import { ceremonyPaths } from '../../service/ceremony/folder.js';
import { installCeremonyModel } from '../../service/ceremony/install.js';
import { encodeReceipt } from '../../service/receipt.js';
import { makePhase1 } from '../support/ceremony.js';
import { openProvenModel, proveReceipt } from '../support/proven-model.js';
import { random } from '../support/random.js';

const statuses = ({ checks }: AuditReport, status: string) =>
  checks.filter((check) => check.status === status).map(({ id }) => id);

test('a receipt of a ceremony model is audited down to phase 1, offline, in at most five minutes', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'verinfer-audit-ceremony-'));
  try {
    const onnx = await readFile('models/digits8x8/model.onnx');
    const { r1cs } = compile(importModel(onnx).graph);
    const r1csPath = path.join(folder, 'circuit.r1cs');
    await writeR1cs(r1csPath, r1cs);
    const phase1Path = await makePhase1(
      folder,
      Math.ceil(Math.log2(r1cs.constraintCount + r1cs.publicCount + 1)),
    );
    const ceremonyFolder = path.join(folder, 'ceremony');
    await openCeremony({ folder: ceremonyFolder, r1csPath, phase1Path });
    const chain = { at: 100, chainId: '31337' };
    const beacon = {
      ...{ chainId: chain.chainId, height: async () => chain.at },
      hashAt: async (height: number) => (height > chain.at ? null : random(height).bytes(32)),
    };
    const ceremony = await Ceremony.resume(ceremonyFolder, { beacon });
    for (const name of ['ada', 'bob', 'cyd']) {
      const publicKey = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
      const { token } = await ceremony.join({ name, publicKey: publicKey.toString('base64') });
      const contribution = path.join(ceremonyPaths(ceremonyFolder).incoming, `${name}.zkey`);
      await contributeKey(ceremony.headPath, contribution, { name });
      await ceremony.submit(token, contribution, null);
    }
    await ceremony.announceBeacon(400);
    chain.at = 1000;
    await ceremony.finalise();

    const modelsFolder = path.join(folder, 'models');
    const installed = await installCeremonyModel(onnx, ceremonyFolder, { name: 'digits', modelsFolder });
    const model = await openProvenModel(installed.folder);
    const { receipt } = await proveReceipt(model, random(1));
    const where = path.join(folder, 'receipt.json');
    await writeFile(where, encodeReceipt(receipt));
    const expectations = {
      ...{ modelId: model.modelId, requestId: receipt.statement.requestId },
      minimumSetupClass: 'ceremony' as const,
    };
    const report = await audit(await readSubject(where, { modelsFolder }), { expectations, ceremonyFolder });
    t.deepEqual(statuses(report, 'fail'), []);
    t.deepEqual(statuses(report, 'unknown').sort(), [
      'beacon',
      'contract-code',
      'registry',
      'revocation',
      'settled',
    ]);
    t.true(
      ['transcript', 'setup', 'circuit', 'key-circuit', 'proof'].every((id) =>
        statuses(report, 'pass').includes(id),
      ),
    );
    t.true(report.wallMs < 300_000);
    t.log(`audited in ${(report.wallMs / 1000).toFixed(1)} s`);
    t.true(report.trust.some(({ id, applies }) => id === 'setup-ceremony' && applies));

    const none = await audit(await readSubject(where, { modelsFolder }), { expectations });
    t.true(statuses(none, 'unknown').includes('transcript'));
    const wrong = await audit(await readSubject(where, { modelsFolder }), {
      expectations,
      ceremonyFolder: folder,
    });
    t.true(statuses(wrong, 'fail').includes('transcript'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
