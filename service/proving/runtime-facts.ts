import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { ReceiptContent } from '../receipt.js';
import { version } from '../version.js';

/** What the receipt says of the machine: its class, never its identity. */
export function runtimeFacts(engine: 'native' | 'snarkjs'): ReceiptContent['runtime'] {
  return {
    verinfer: version,
    engine,
    node: process.version,
    platform: `${process.platform} ${release().split('.')[0]}`,
    cpu: processorClass(),
  };
}

function processorClass(): string {
  const flags = /^flags\s*:(.*)$/m.exec(readable('/proc/cpuinfo'))?.[1]?.split(' ') ?? [];
  const kept = ['avx2', 'avx512ifma', 'avx512_vnni', 'avx_vnni', 'adx'].filter((flag) =>
    flags.includes(flag),
  );
  return [process.arch === 'x64' ? 'x86-64' : process.arch, ...kept].join(' ');
}

function readable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
