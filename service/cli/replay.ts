import type { Command } from 'commander';
import { readFile, writeFile } from 'node:fs/promises';
import { compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { firstDivergence, traceDigests, traceReference, traceRuntime } from '../audit/replay.js';

interface ReplayFlags {
  readonly model: string;
  readonly input: string;
  readonly compare?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('replay')
    .description(
      'run one inference in ONNX Runtime and in the integer reference, and say at which layer two runs part',
    )
    .requiredOption('--model <file>', 'ONNX file')
    .requiredOption('--input <file>', 'JSON object: numbers by input name')
    .option('--out <file>', 'write the digest of every tensor, to compare with a run elsewhere')
    .option('--compare <file>', 'such a file from elsewhere')
    .option('--json', 'the result as JSON')
    .action(async (flags: ReplayFlags) => {
      process.exitCode = await run(flags);
    });
}

async function run(flags: ReplayFlags): Promise<number> {
  const imported = importModel(await readFile(flags.model));
  const compiled = compile(imported.graph);
  const inputs = compiled.quantizeInput(JSON.parse(await readFile(flags.input, 'utf8')));
  const reference = traceReference(imported, inputs);
  const runtime = await traceRuntime(imported, compiled.manifest, inputs);
  const digests = traceDigests(runtime);
  if (flags.out) await writeFile(flags.out, `${JSON.stringify(digests, null, 1)}\n`);
  const parting = firstDivergence(reference, runtime);
  const elsewhere = flags.compare ? await compareWith(flags.compare, digests) : undefined;
  const result = {
    tensors: digests,
    referenceAndRuntime: parting ?? 'equal',
    ...(flags.compare && { elsewhere: elsewhere ?? 'equal' }),
  };
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    for (const { node, name, dtype, shape, sha256 } of digests) {
      process.stdout.write(
        `${node.padEnd(24)} ${name.padEnd(24)} ${dtype}[${shape}]  ${sha256.slice(0, 16)}\n`,
      );
    }
    const said =
      parting &&
      `part at node ${parting.node}, tensor ${parting.tensor}[${parting.element}]: ${parting.left} and ${parting.right}, ${parting.differingCount} elements differ`;
    process.stdout.write(`reference and ONNX Runtime ${said ?? 'agree on every tensor they share'}\n`);
    if (flags.compare)
      process.stdout.write(
        `here and ${flags.compare} ${elsewhere ? `part at node ${elsewhere}` : 'agree'}\n`,
      );
  }
  return parting || elsewhere ? 1 : 0;
}

/** Node of the first tensor whose digest differs or is missing there. */
async function compareWith(file: string, here: ReturnType<typeof traceDigests>): Promise<string | undefined> {
  const there = JSON.parse(await readFile(file, 'utf8')) as typeof here;
  const digests = new Map(there.map(({ name, sha256 }) => [name, sha256]));
  return here.find(({ name, sha256 }) => digests.get(name) !== sha256)?.node;
}
