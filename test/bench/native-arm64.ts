/** `make native-arm64`: the native kernels compiled for arm64 and held against their twins under an emulator. */
import { runOnArm64 } from '../support/self-test.js';

const { passed, said } = await runOnArm64('dist/prover/native-arm64');
process.stdout.write(`${said}\n`);
process.exitCode = passed === false ? 1 : 0;
