import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { JsonRpcProvider } from 'ethers';
import pc from 'picocolors';
import { chainBeacon, type BeaconSource } from '../ceremony/beacon.js';
import { Ceremony, defaultLimits } from '../ceremony/ceremony.js';
import { openCeremony } from '../ceremony/opening.js';
import { contribute } from '../ceremony/client.js';
import { fetchCeremony } from '../ceremony/fetch.js';
import { installCeremonyModel } from '../ceremony/install.js';
import { serveCeremony } from '../ceremony/server.js';
import { verifyCeremony } from '../ceremony/verify.js';
import { readConfig } from '../config.js';
import { integer, pipedEntropy, progress } from './ptau.js';

/** Phase 2 of one model, from opening to a key that can be served. */
export function register(program: Command): void {
  const ceremony = program
    .command('ceremony')
    .description(
      'setup ceremony of a model (phase 2): open, serve, contribute, announce, finalise, fetch, verify, install',
    );
  ceremony
    .command('open <folder>')
    .description('verify the powers of tau, make the initial key, write the first entry of the transcript')
    .requiredOption('--circuit <file>', 'the .r1cs (verinfer compile)')
    .requiredOption('--phase1 <file>', 'prepared powers of tau (.ptau)')
    .option('--phase1-sha256 <hex>', 'what that file must hash to, for one that was downloaded', sha256Hex)
    .option('--model <file>', 'the ONNX file, to be named in the transcript')
    .option('--minimum <count>', 'contributions before a beacon may be announced', integer, 1)
    .action(async (folder: string, flags: OpenFlags) => {
      const modelHash =
        flags.model &&
        `0x${createHash('sha256')
          .update(await readFile(flags.model))
          .digest('hex')}`;
      await openCeremony({
        ...{ folder, r1csPath: flags.circuit, phase1Path: flags.phase1, minimumContributions: flags.minimum },
        ...(modelHash && { modelHash }),
        ...(flags.phase1Sha256 && { phase1Hash: flags.phase1Sha256 }),
        ...progress(),
      });
      process.stdout.write(`opened ${folder}\n`);
    });
  ceremony
    .command('serve <folder>')
    .description('coordinate: queue, turns, verification on receipt')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port; 0 takes a free one', integer, 0)
    .option('--rpc <url>', 'the chain whose block will be the beacon')
    .option('--turn <seconds>', 'how long a turn may take', integer, defaultLimits.turnMs / 1000)
    .action(async (folder: string, flags: { host: string; port: number; rpc?: string; turn: number }) => {
      const limits = { ...defaultLimits, turnMs: flags.turn * 1000 };
      const running = await serveCeremony(await resume(folder, flags.rpc, limits), flags);
      process.stdout.write(`${running.url}\n`);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => void running.close().then(() => process.exit(0)));
      }
    });
  ceremony
    .command('contribute <url>')
    .description('contribute to a coordinator; entropy from this machine and from standard input, if piped')
    .requiredOption('--name <name>', 'shown in the transcript')
    .action(async (url: string, { name }: { name: string }) => {
      const { contributionHash } = await contribute(url, {
        ...{ name, entropy: await pipedEntropy() },
        onProgress: (step) => void process.stderr.write(`${step}\n`),
      });
      process.stdout.write(`contribution ${contributionHash}\npublish it where others can find it\n`);
    });
  ceremony
    .command('announce <folder>')
    .description('name the block whose hash closes the ceremony; contributions end when the chain reaches it')
    .requiredOption('--height <block>', 'a block that does not exist yet', integer)
    .requiredOption('--rpc <url>', 'its chain')
    .option('--iterations <exponent>', 'SHA-256 is iterated 2^exponent times', integer, 10)
    .action((folder: string, flags: { height: number; rpc: string; iterations: number }) =>
      held(folder, flags.rpc, (open) => open.announceBeacon(flags.height, flags.iterations)),
    );
  ceremony
    .command('finalise <folder>')
    .description('apply the announced beacon')
    .requiredOption('--rpc <url>', 'its chain')
    .action(async (folder: string, { rpc }: { rpc: string }) => {
      const { final, digest } = await held(folder, rpc, (open) => open.finalise());
      process.stdout.write(`key ${final!.key}\nvkHash ${final!.vkHash}\ntranscript ${digest}\n`);
    });
  ceremony
    .command('fetch <url> <folder>')
    .description('copy what a coordinator publishes, to verify it here')
    .action(async (url: string, folder: string) => {
      const { digest, final } = await fetchCeremony(
        url,
        folder,
        (step) => void process.stderr.write(`${step}\n`),
      );
      process.stdout.write(`transcript ${digest}, ${final ? 'final' : 'still open'}\n`);
    });
  ceremony
    .command('verify <folder>')
    .description('check everything again: phase 1, circuit, every contribution, transcript, beacon')
    .option('--rpc <url>', 'your own node, to compare the beacon with its chain')
    .option('--json', 'the report as JSON')
    .action(async (folder: string, { rpc, json }: { rpc?: string; json?: boolean }) => {
      const beacon = await beaconOf(rpc);
      const report = await verifyCeremony(folder, {
        ...(beacon && { beacon }),
        ...progress(),
      });
      if (json)
        return void process.stdout.write(`${JSON.stringify({ ...report, verifyingKey: undefined })}\n`);
      process.stdout.write(
        `vkHash ${report.vkHash}\ncircuit ${report.circuitHash}\ntranscript ${report.transcriptDigest}\n`,
      );
      process.stdout.write(`${contributorsText(report)}\n`);
      if (!report.isBeaconChecked)
        process.stdout.write(
          pc.yellow('beacon taken from the transcript: compare it with the chain (--rpc)\n'),
        );
    });
  ceremony
    .command('install <folder> <onnx>')
    .description('verify, then put the model with the ceremony key in the models folder')
    .requiredOption('--name <name>', 'name to serve it under')
    .option('--models <folder>', 'models folder; default: VERINFER_MODELS')
    .option('--rpc <url>', "the beacon's chain")
    .action(async (folder: string, onnx: string, flags: { name: string; models?: string; rpc?: string }) => {
      const beacon = await beaconOf(flags.rpc);
      const { description } = await installCeremonyModel(await readFile(onnx), folder, {
        ...{ name: flags.name, modelsFolder: flags.models ?? readConfig().modelsFolder },
        ...(beacon && { beacon }),
        ...progress(),
      });
      process.stdout.write(`modelId ${description.modelId}\n`);
    });
}

interface OpenFlags {
  readonly circuit: string;
  readonly phase1: string;
  readonly phase1Sha256?: string;
  readonly model?: string;
  readonly minimum: number;
}

function sha256Hex(text: string): string {
  if (!/^(0x)?[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('must be 64 hex digits');
  return text.replace(/^0x/, '').toLowerCase();
}

/** What the count means, said wherever it is shown (T08). */
export const contributorsText = ({
  contributorCount,
  attestedCount,
}: {
  contributorCount: number;
  attestedCount: number;
}): string =>
  `${contributorCount} contributions and a beacon, ${attestedCount} of them signed: keys, not people. ` +
  'Sound if one contributor here, and one in phase 1, destroyed their secret.';

const beaconOf = async (rpc: string | undefined): Promise<BeaconSource | null> =>
  rpc === undefined ? null : chainBeacon(new JsonRpcProvider(rpc));

const resume = async (folder: string, rpc: string | undefined, limits = defaultLimits): Promise<Ceremony> =>
  Ceremony.resume(folder, { limits, beacon: await beaconOf(rpc) });

async function held<T>(folder: string, rpc: string, act: (ceremony: Ceremony) => Promise<T>): Promise<T> {
  const ceremony = await resume(folder, rpc);
  try {
    return await act(ceremony);
  } finally {
    await ceremony.close();
  }
}
