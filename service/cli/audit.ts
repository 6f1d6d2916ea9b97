import { type Command, InvalidArgumentError } from 'commander';
import { JsonRpcProvider } from 'ethers';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { audit } from '../audit/audit.js';
import { encodeBundle, UnreadableSubject } from '../audit/bundle.js';
import { readSubject } from '../audit/subject.js';
import { auditTable } from '../audit/table.js';
import type { Deployment } from '../chain/deployment.js';
import { parseJson } from '../json.js';
import { requirePinned } from '../pinned-packages.js';
import { parseReceipt } from '../verifier/receipt.js';
import { opening } from '../verifier/schema.js';
import { type Expectations, MissingExpectation } from '../verifier/expectations.js';

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const deploymentSchema = z.object({
  chainId: z.int().min(1),
  ...{ verifier: address, registry: address, settlement: address, market: address },
  blockNumber: z.int().min(0).optional().default(0),
});

interface AuditFlags {
  readonly model?: string;
  readonly vk?: string;
  readonly request?: string;
  readonly opening?: string;
  readonly operator?: string;
  readonly minimumSetup?: 'ceremony';
  readonly unsigned?: boolean;
  readonly rpc?: string;
  readonly deployment?: string;
  readonly onnx?: string;
  readonly key?: string;
  readonly ceremony?: string;
  readonly models: string;
  readonly server?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('audit')
    .description(
      'check every claim of a receipt, a bundle or a model again, without a server; exit code 0 only when none failed and the foundations were checked',
    )
    .argument('<subject>', 'receipt or bundle file, model folder, or model id')
    .option('--model <modelId>', 'the model you asked for', bytes32)
    .option('--vk <vkHash>', 'or only its key', bytes32)
    .option('--request <requestId>', 'the request you made', bytes32)
    .option('--opening <file>', "or the input you sent: JSON { inputs, salt } as in a receipt's opening")
    .option('--operator <address>', 'who must have answered')
    .option('--minimum-setup <class>', 'refuse anything below: ceremony')
    .option('--unsigned', 'accept a receipt that nobody signed')
    .option(
      '--deployment <file>',
      'chain and contracts you trust: JSON { chainId, verifier, registry, settlement, market }',
    )
    .option('--rpc <url>', 'a node of that chain, yours; without one, what the chain says is not checkable')
    .option('--onnx <file>', 'the model, if neither bundle nor models folder has it')
    .option('--key <file>', 'its proving key (.zkey), to prove once more')
    .option('--ceremony <folder>', 'the ceremony behind its key, to verify it again')
    .option('--models <folder>', 'folder of models by id', join('.data', 'models'))
    .option('--server <url>', 'API host to fetch the model from, by hash')
    .option('--json', 'the report as JSON')
    .action(async (source: string, flags: AuditFlags) => {
      process.exitCode = await run(source, flags).catch((error: unknown) => {
        // What is wrong with the subject is a failed check; what is thrown kept the audit from being made.
        process.stderr.write(`audit: ${error instanceof Error ? error.message : String(error)}\n`);
        return 2;
      });
    });
  program
    .command('bundle')
    .description('a receipt and its model as one file that can be mailed')
    .argument('<receipt>', 'receipt file')
    .requiredOption('--onnx <file>', 'the model it speaks of')
    .requiredOption('--out <file>', 'where to write')
    .action(async (file: string, { onnx, out }: { onnx: string; out: string }) => {
      const receipt = parseReceipt(await readFile(file));
      await writeFile(out, encodeBundle(receipt, await readFile(onnx)));
    });
}

async function run(source: string, flags: AuditFlags): Promise<number> {
  await requirePinned();
  const subject = await readSubject(source, {
    modelsFolder: flags.models,
    ...(flags.onnx && { onnxPath: flags.onnx }),
    ...(flags.key && { zkeyPath: flags.key }),
    ...(flags.server && { serverUrl: flags.server }),
    ...(flags.ceremony && { ceremonyFolder: flags.ceremony }),
  });
  const deployment = flags.deployment ? await readDeployment(flags.deployment) : undefined;
  if (flags.rpc !== undefined && deployment === undefined)
    throw new MissingExpectation('--deployment: which contracts of that chain');
  const provider = flags.rpc ? new JsonRpcProvider(flags.rpc) : undefined;
  try {
    const report = await audit(subject, {
      expectations: await expectationsOf(flags, deployment),
      ...(flags.ceremony && { ceremonyFolder: flags.ceremony }),
      ...(provider && deployment && { chain: { provider, deployment } }),
      onProgress: (claim) => void (process.stderr.isTTY && process.stderr.write(`\r${claim} …\u001b[K`)),
    });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    process.stdout.write(`${flags.json ? JSON.stringify(report) : auditTable(report)}\n`);
    return report.exitCode;
  } finally {
    provider?.destroy();
  }
}

async function readDeployment(path: string): Promise<Deployment> {
  const parsed = deploymentSchema.safeParse(parseJson(await readFile(path)));
  if (!parsed.success)
    throw new UnreadableSubject(
      path,
      'a deployment: chainId and the four contract addresses',
      'another file',
    );
  return parsed.data;
}

async function expectationsOf(flags: AuditFlags, deployment: Deployment | undefined): Promise<Expectations> {
  return {
    modelId: flags.model,
    vkHash: flags.vk,
    requestId: flags.request,
    operator: flags.operator,
    allowUnsigned: flags.unsigned,
    minimumSetupClass: flags.minimumSetup,
    ...(flags.opening && { input: opening.parse(parseJson(await readFile(flags.opening))) }),
    ...(deployment && { chainId: deployment.chainId, contract: deployment.settlement }),
  };
}

function bytes32(text: string): string {
  if (!/^0x[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('must be 0x and 64 hex digits');
  return text.toLowerCase();
}
