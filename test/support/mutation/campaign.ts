/** Mutants of the code that verifies and pays, one after the other, and what became of them. */
import { sample, type Mutant } from './mutant.js';
import { contractMutants, fateOfContract, type Fate } from './solidity-campaign.js';
import { codeMutants, workbench } from './typescript-campaign.js';

export interface MutationScore {
  /** Those that compile. */
  readonly mutants: number;
  readonly killed: number;
  /** killed / mutants. */
  readonly score: number;
  readonly survivors: readonly string[];
}

export interface CampaignSize {
  readonly contracts: number;
  readonly code: number;
}

export async function mutationCampaign(
  { contracts, code }: CampaignSize,
  say: (line: string) => void,
): Promise<MutationScore> {
  let mutants = 0;
  const survivors: string[] = [];
  const note = ({ file, line, change }: Mutant, fate: Fate): void => {
    const where = `${file}:${line}  ${change}`;
    say(`${fate.padEnd(18)}${where}`);
    if (fate === 'does not compile') return;
    mutants += 1;
    if (fate === 'survived') survivors.push(where);
  };
  for (const mutant of sample(contractMutants(), contracts)) note(mutant, await fateOfContract(mutant));
  const bench = workbench();
  try {
    await bench.requireGreen();
    for (const mutant of sample(codeMutants(), code)) note(mutant, await bench.fateOf(mutant));
  } finally {
    bench.close();
  }
  const killed = mutants - survivors.length;
  return { mutants, killed, score: Number((killed / mutants).toFixed(4)), survivors };
}
