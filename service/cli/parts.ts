import type { Command } from 'commander';

/** One part as this process, for many hosts on one DATABASE_URL. */
export function register(program: Command): void {
  const parts = [
    ['api', 'the API alone, over DATABASE_URL', () => import('../main.js')],
    ['prover', 'a prover host alone, over DATABASE_URL', () => import('../prover-main.js')],
    [
      'settler',
      'the settler alone, over DATABASE_URL, with VERINFER_RPC_URL and VERINFER_CHAIN_KEY_FILE',
      () => import('../settler-main.js'),
    ],
  ] as const;
  for (const [name, description, start] of parts)
    program
      .command(name)
      .description(description)
      .action(async () => void (await start()));
}
