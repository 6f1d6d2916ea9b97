/** Mutants of the code that verifies and pays, one after the other, and what became of them. */
import { equivalences, withoutEquivalent } from './equivalent.js';
import { sample, type Fate, type Mutant } from './mutant.js';
import { contractMutants, fateOfContract } from './solidity-campaign.js';
import { codeMutants, workbench } from './typescript-campaign.js';

export interface MutationScore {
  /** Those that compile and whose tests came to an end. */
  readonly mutants: number;
  readonly killed: number;
  /** killed / mutants. */
  readonly score: number;
  /** Ended by the clock: endless, or the machine was busy. Not in the score. */
  readonly timedOut: number;
  /** Left out before sampling, each with its reason in equivalent.ts. */
  readonly equivalent: number;
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
  let timedOut = 0;
  const survivors: string[] = [];
  const note = ({ file, line, change }: Mutant, fate: Fate): void => {
    const where = `${file}:${line}  ${change}`;
    say(`${fate.padEnd(18)}${where}`);
    if (fate === 'does not compile') return;
    if (fate === 'timed out') timedOut += 1;
    else mutants += 1;
    if (fate === 'survived') survivors.push(where);
  };
  for (const mutant of sample(withoutEquivalent(contractMutants()).mutants, contracts))
    note(mutant, await fateOfContract(mutant));
  const bench = workbench();
  try {
    await bench.requireGreen();
    for (const mutant of sample(withoutEquivalent(codeMutants()).mutants, code))
      note(mutant, await bench.fateOf(mutant));
  } finally {
    bench.close();
  }
  const killed = mutants - survivors.length;
  const score = Number((killed / mutants).toFixed(4));
  return { mutants, killed, score, timedOut, equivalent: equivalences.length, survivors };
}
