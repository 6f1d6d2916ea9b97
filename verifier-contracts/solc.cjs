#!/usr/bin/env node
// What forge takes for solc: the compiler of package-lock.json behind the two options that forge uses.
const solc = require('solc');

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else {
  let input = '';
  process.stdin.on('data', (chunk) => (input += chunk));
  process.stdin.on('end', () => process.stdout.write(solc.compile(input)));
}
