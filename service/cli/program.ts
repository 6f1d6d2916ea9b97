/** Every verb of the command line, in the order in which somebody new meets them. */
import { Command } from 'commander';
import { register as audit } from './audit.js';
import { register as backup } from './backup.js';
import { register as ceremony } from './ceremony.js';
import { register as compile } from './compile.js';
import { register as deploy } from './deploy.js';
import { register as derive } from './derive.js';
import { register as doctor } from './doctor.js';
import { register as gc } from './gc.js';
import { register as keys } from './keys.js';
import { register as market } from './market.js';
import { register as mcp } from './mcp.js';
import { register as operator } from './operator.js';
import { register as parts } from './parts.js';
import { register as prove } from './prove.js';
import { register as ptau } from './ptau.js';
import { register as quantize } from './quantize.js';
import { register as remote } from './remote.js';
import { register as replay } from './replay.js';
import { register as serve } from './serve.js';
import { register as setup } from './setup.js';
import { register as uniqueness } from './uniqueness.js';
import { register as verify } from './verify.js';
import { register as demo } from '../demo.js';
import { version } from '../version.js';

const groups: Record<string, readonly ((program: Command) => void)[]> = {
  'See it': [demo, market, doctor],
  'Serve and ask': [serve, remote, mcp],
  'Make a model provable': [quantize, compile, uniqueness, setup, prove],
  Check: [verify, audit, replay],
  'Setup ceremonies': [ptau, ceremony, derive],
  'Run it for others': [deploy, keys, backup, gc, parts, operator],
};

export function createProgram(): Command {
  const program = new Command('verinfer')
    .description('Run a quantized ONNX model; get the answer and a proof anyone can check.')
    .version(version)
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('`verinfer --help` lists the commands, `verinfer <command> --help` their options.');

  for (const [title, verbs] of Object.entries(groups)) {
    program.commandsGroup(`${title}:`);
    for (const verb of verbs) verb(program);
  }
  return program;
}
