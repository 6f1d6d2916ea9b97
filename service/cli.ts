#!/usr/bin/env node
/** `verinfer`: every verb calls the functions that the service calls. */
import { Command } from 'commander';
import pc from 'picocolors';
import { register as audit } from './cli/audit.js';
import { register as ceremony } from './cli/ceremony.js';
import { register as compile } from './cli/compile.js';
import { register as doctor } from './cli/doctor.js';
import { register as gc } from './cli/gc.js';
import { register as keys } from './cli/keys.js';
import { register as market } from './cli/market.js';
import { register as mcp } from './cli/mcp.js';
import { register as operator } from './cli/operator.js';
import { register as parts } from './cli/parts.js';
import { register as prove } from './cli/prove.js';
import { register as ptau } from './cli/ptau.js';
import { register as quantize } from './cli/quantize.js';
import { register as replay } from './cli/replay.js';
import { register as serve } from './cli/serve.js';
import { register as setup } from './cli/setup.js';
import { register as uniqueness } from './cli/uniqueness.js';
import { register as verify } from './cli/verify.js';
import { register as demo } from './demo.js';
import { version } from './version.js';

const program = new Command('verinfer')
  .description('Run a quantized ONNX model; get the answer and a proof anyone can check.')
  .version(version)
  .showHelpAfterError();
const verbs = [
  quantize,
  compile,
  uniqueness,
  setup,
  prove,
  verify,
  audit,
  replay,
  ptau,
  ceremony,
  serve,
  parts,
  doctor,
  keys,
  mcp,
  operator,
  market,
  gc,
  demo,
];
for (const verb of verbs) verb(program);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${pc.red('verinfer:')} ${error instanceof Error ? error.message : String(error)}\n`);
  if (process.env['VERINFER_LOG'] === 'debug') console.error(error);
  process.exitCode = 1;
}
