/** Blocks that no test of this folder runs, and why. Each entry must still match a block. */
export interface Skipped {
  readonly page: string;
  /** Text of the block by which it is known. */
  readonly contains: string;
  readonly reason: string;
}

const diagram = 'a diagram';

export const skipped: readonly Skipped[] = [
  {
    page: 'README.md',
    contains: 'circuits/             a model',
    reason: 'a map; imports.test.ts checks the top level',
  },
  {
    page: 'README.md',
    contains: 'make demo',
    reason:
      'the demo starts a service of its own, and make test would run this test again; `make readme` runs it',
  },
  { page: 'README.md', contains: 'verinfer: run a model', reason: 'pasted by `make readme`' },
  {
    page: 'README.md',
    contains: 'git clone',
    reason: 'starts a service of its own: own-model.test.ts runs it, command by command',
  },
  {
    page: 'docs/architecture.md',
    contains: 'circuits  ←  prover',
    reason: `${diagram}; imports.test.ts executes it`,
  },
  { page: 'docs/architecture.md', contains: 'model.onnx ── circuits/onnx', reason: diagram },
  { page: 'docs/architecture.md', contains: 'request ─▶ quantize input', reason: diagram },
  { page: 'docs/concepts.md', contains: 'request ─▶ answered', reason: diagram },
  {
    page: 'docs/ceremony.md',
    contains: 'verinfer ceremony open',
    reason:
      'contributors on several machines, and blocks to wait for: clean-clone.slow.test.ts runs these verbs',
  },
  {
    page: 'docs/ceremony.md',
    contains: 'curl -X POST $C/queue',
    reason:
      'needs a contributor’s turn at a coordinator: ceremony.test.ts speaks these routes, snarkjs contributes there',
  },
  {
    page: 'docs/operating.md',
    contains: 'verinfer operator --rpc',
    reason: 'needs a chain and requests: operator-queue.test.ts runs the command',
  },
  {
    page: 'docs/audit.md',
    contains: 'verinfer ceremony fetch http',
    reason: 'needs a coordinator and a chain: clean-clone.slow.test.ts makes this audit, from a clone',
  },
];
