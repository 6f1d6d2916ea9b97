import type { Command } from 'commander';
import { readFile, writeFile } from 'node:fs/promises';
import pc from 'picocolors';
import { z } from 'zod';
import { compile } from '../../circuits/index.js';
import { importModel } from '../../circuits/import/import.js';
import { UnreadableSubject } from '../audit/bundle.js';
import { firstDivergence, traceDigests, traceReference, traceRuntime } from '../audit/replay.js';
import type { TensorSpec } from '../inference/tensors.js';
import { readInputs } from '../answer.js';
import { parseJson } from '../json.js';
import { inputForms, readInputFile } from './input-file.js';

interface ReplayFlags {
  readonly model: string;
  readonly input: string;
  readonly compare?: string;
  readonly out?: string;
  readonly json?: boolean;
}

/** What `--out` writes and `--compare` reads. */
const digestFile = z.array(
  z.object({
    name: z.string(),
    node: z.string(),
    dtype: z.string(),
    shape: z.array(z.int()),
    sha256: z.string(),
  }),
);

export function register(program: Command): void {
  program
    .command('replay')
    .description(
      'run one inference in ONNX Runtime and in the integer reference, and say at which layer two runs part',
    )
    .requiredOption('--model <file>', 'ONNX file')
    .requiredOption('--input <file>', inputForms)
    .option('--out <file>', 'write the digest of every tensor, to compare with a run elsewhere')
    .option('--compare <file>', 'such a file from elsewhere')
    .option('--json', 'the result as JSON')
    .action(async (flags: ReplayFlags) => {
      process.exitCode = await run(flags);
    });
}

/** Exit code 0: nothing parts. 1: something does. */
async function run(flags: ReplayFlags): Promise<number> {
  const imported = importModel(await readFile(flags.model));
  const compiled = compile(imported.graph);
  const request = await readInputFile(flags.input, compiled.manifest);
  const specs = imported.executedGraph.inputs.map(
    ({ name, dtype, shape }) => ({ name, dtype, shape }) as TensorSpec,
  );
  const inputs = compiled.quantizeInput(
    Object.fromEntries(
      Array.from(readInputs({ inputs: specs }, request), ([name, values]) => [
        name,
        Array.from(values as ArrayLike<number | bigint>, Number),
      ]),
    ),
  );
  const reference = traceReference(imported, inputs);
  const runtime = await traceRuntime(imported, compiled.manifest, inputs);
  const digests = traceDigests(runtime);
  if (flags.out) await writeFile(flags.out, `${JSON.stringify(digests, null, 1)}\n`);
  const parting = firstDivergence(reference, runtime);
  const elsewhere = flags.compare ? await compareWith(flags.compare, digests) : undefined;
  const parts = parting !== undefined || elsewhere !== undefined;
  if (flags.json) {
    const result = {
      tensors: digests,
      referenceAndRuntime: parting ?? 'equal',
      ...(flags.compare && { elsewhere: elsewhere ?? 'equal' }),
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return parts ? 1 : 0;
  }
  const width = (of: 'node' | 'name') => Math.max(...digests.map((digest) => digest[of].length));
  for (const { node, name, dtype, shape, sha256 } of digests) {
    const mark = name === parting?.tensor || name === elsewhere?.tensor ? pc.red('  ← parts here') : '';
    process.stdout.write(
      `${node.padEnd(width('node'))}  ${name.padEnd(width('name'))}  ${sha256.slice(0, 16)}  ${dtype}[${shape.join()}]${mark}\n`,
    );
  }
  const said =
    parting &&
    `part at node ${parting.node}, tensor ${parting.tensor}[${parting.element}]: ${parting.left} and ${parting.right}, ${parting.differingCount} elements differ`;
  process.stdout.write(`reference and ONNX Runtime ${said ?? 'agree on every tensor they share'}\n`);
  if (flags.compare) {
    const there = elsewhere ? `part at node ${elsewhere.node}, tensor ${elsewhere.tensor}` : 'agree';
    process.stdout.write(`here and ${flags.compare} ${there}\n`);
  }
  return parts ? 1 : 0;
}

/** The first tensor whose digest differs or is missing there. */
async function compareWith(
  file: string,
  here: ReturnType<typeof traceDigests>,
): Promise<{ node: string; tensor: string } | undefined> {
  const there = digestFile.safeParse(parseJson(await readFile(file)));
  if (!there.success) throw new UnreadableSubject(file, 'a file that --out wrote', 'something else');
  const digests = new Map(there.data.map(({ name, sha256 }) => [name, sha256]));
  const first = here.find(({ name, sha256 }) => digests.get(name) !== sha256);
  return first && { node: first.node, tensor: first.name };
}
