/**
 * Solidity → verifier-contracts/out/<Contract>.json: ABI, creation and runtime bytecode. The only toolchain file.
 *
 * The same sources give the same bytes on any machine: solc is pinned by package-lock.json, source names are
 * relative to verifier-contracts, and no metadata hash is appended.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';

interface SolcOutput {
  errors?: { severity: string; formattedMessage: string }[];
  contracts: Record<string, Record<string, CompiledContract>>;
}

interface CompiledContract {
  abi: unknown[];
  evm: { bytecode: { object: string }; deployedBytecode: { object: string } };
}

export const settings = {
  evmVersion: 'cancun',
  viaIR: true,
  optimizer: { enabled: true, runs: 1_000_000 },
  metadata: { appendCBOR: false, bytecodeHash: 'none' },
};

const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string; version(): string };

export interface CompileOptions {
  /** Of `settings`. */
  readonly change?: Partial<typeof settings>;
  /** Source texts by name, instead of the files'. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Only these contracts; the compiler does no more than they need. */
  readonly only?: readonly string[];
}

/** Compiles every .sol file under `root`. Throws with the compiler's text; a warning is an error. */
export function compileContracts(
  root: string,
  { change = {}, sources: texts = {}, only = ['*'] }: CompileOptions = {},
): Map<string, CompiledContract & { source: string }> {
  const sources = Object.fromEntries(
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.sol') && !/^(out|cache)\//.test(name))
      .sort()
      .map((name) => [name, { content: texts[name] ?? readFileSync(join(root, name), 'utf8') }]),
  );
  const wanted = ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'];
  const outputSelection = { '*': Object.fromEntries(only.map((contract) => [contract, wanted])) };
  const input = {
    language: 'Solidity',
    sources,
    settings: { ...settings, ...change, outputSelection },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as SolcOutput;
  const complaints = (output.errors ?? []).filter(({ severity }) => severity !== 'info');
  if (complaints.length > 0) throw new Error(complaints.map((e) => e.formattedMessage).join('\n'));
  const compiled = new Map<string, CompiledContract & { source: string }>();
  for (const [source, contracts] of Object.entries(output.contracts)) {
    for (const [name, contract] of Object.entries(contracts)) compiled.set(name, { ...contract, source });
  }
  return compiled;
}

/** Writes one artifact a contract, as service/chain/artifacts.ts and the forge tests read them. */
export function writeArtifacts(
  folder: string,
  compiled: ReturnType<typeof compileContracts>,
  used: object = settings,
): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, { abi, evm, source }] of compiled) {
    const artifact = {
      contract: name,
      source,
      compiler: solc.version(),
      settings: used,
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      runtimeBytecode: `0x${evm.deployedBytecode.object}`,
    };
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  }
}

function build(root: string): void {
  const compiled = compileContracts(root);
  writeArtifacts(join(root, 'out'), compiled);
  for (const [name, { evm }] of compiled) {
    const bytes = evm.deployedBytecode.object.length / 2;
    if (bytes > 0) process.stdout.write(`${name.padEnd(24)}${String(bytes).padStart(6)} bytes\n`);
  }
}

if (process.argv[1]?.endsWith('build.js')) build(process.argv[2] ?? 'verifier-contracts');
