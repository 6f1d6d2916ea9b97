/** `make bench-mutation`: how many small changes to the verifying and paying code the tests notice. */
import { mutationCampaign } from '../support/mutation/campaign.js';

const [contracts = '40', code = '24'] = process.argv.slice(2);
const size = { contracts: Number(contracts), code: Number(code) };
const { survivors, ...score } = await mutationCampaign(size, (line) => process.stdout.write(`${line}\n`));
process.stdout.write(`\n${survivors.length} survived\n${survivors.map((line) => `  ${line}\n`).join('')}`);
process.stdout.write(`${JSON.stringify(score)}\n`);
// solc keeps the process alive.
process.exit(score.score >= 0.9 ? 0 : 1);
