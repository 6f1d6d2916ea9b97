import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import pc from 'picocolors';
import { formatEther } from 'ethers';
import { runMarketDemo, type MarketDemoResult } from '../operator/demo.js';

export function register(program: Command): void {
  program
    .command('market-demo')
    .description(
      'three operators race for requests on one embedded chain, are killed at random, and the books balance',
    )
    .option('--requests <n>', 'how many', '18')
    .option('--kill-every-ms <ms>', 'mean pause between kills; 0 for none', '5000')
    .option('--model <file>', 'ONNX file; default: the digits8x8 of this repository')
    .action(
      async ({ requests, killEveryMs, model }: { requests: string; killEveryMs: string; model?: string }) => {
        const started = performance.now();
        const result = await runMarketDemo({
          requestCount: Number(requests),
          killEveryMs: Number(killEveryMs),
          model: model ?? fileURLToPath(new URL('../../../models/digits8x8/model.onnx', import.meta.url)),
          say: (line) => {
            const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
            process.stdout.write(`${pc.dim(`${seconds} s`)}  ${line}\n`);
          },
        });
        const text = JSON.stringify(result, (_, value: unknown) =>
          typeof value === 'bigint' ? String(value) : value,
        );
        process.stdout.write(`\n${summary(result)}\n\n`);
        process.stdout.write(
          `${result.isBalanced ? pc.green('the books balance to the wei') : pc.red('the books do not balance')}\n`,
        );
        process.stdout.write(`${text}\n`);
        if (!result.isBalanced) process.exitCode = 1;
      },
    );
}

/** What a requester and each operator would want to know. */
function summary({ fulfilled, refunded, kills, decisions, operators, ...books }: MarketDemoResult): string {
  const rows = [
    ['operator', 'paid for', 'fees (ETH)', 'gas (ETH)', 'unexplained (wei)'],
    ...operators.map(({ address, fulfilled: count, earnedWei, gasWei, differenceWei }) => [
      `${address.slice(0, 10)}…`,
      `${count} proofs`,
      formatEther(earnedWei),
      formatEther(gasWei),
      String(differenceWei),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return [
    `${fulfilled} requests proven and paid, ${refunded} refunded, ${kills} kill -9; the credit gate: ${decisions.join()}`,
    `into the market ${formatEther(books.inWei)} ETH, out of it ${formatEther(books.outWei)}, left ${formatEther(books.leftWei)}`,
    '',
    ...table,
  ].join('\n');
}
