/**
 * The chain key at rest: a Web3 keystore (scrypt, AES-128-CTR), readable by its owner alone. The passphrase comes
 * through a file descriptor: never an argument, never the environment, both of which other processes can read.
 */
import { closeSync, constants, readSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { Wallet, encryptKeystoreJson } from 'ethers';

export class KeyRefused extends Error {
  constructor(what: string, expected: string, got: string) {
    super(`chain key: ${what} must be ${expected}, got ${got}`);
    this.name = 'KeyRefused';
  }
}

export interface KeystoreOptions {
  /** scrypt's N; the default costs about a second. */
  readonly scryptN?: number;
}

/** Writes a new file with mode 0600; refuses to replace one. */
export async function writeKeystore(
  path: string,
  wallet: Wallet,
  passphrase: string,
  { scryptN = 1 << 17 }: KeystoreOptions = {},
): Promise<void> {
  if (passphrase === '') throw new KeyRefused('passphrase', 'not empty', 'nothing');
  const account = { address: wallet.address, privateKey: wallet.privateKey };
  const text = await encryptKeystoreJson(account, passphrase, { scrypt: { N: scryptN } });
  const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Throws KeyRefused: a file that others can read, one that is not encrypted, a wrong passphrase. */
export async function openKeystore(path: string, passphrase: string): Promise<Wallet> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0)
    throw new KeyRefused('mode of the file', '0600', `0${(mode & 0o777).toString(8)}`);
  const text = await readFile(path, 'utf8');
  if (!/^\s*\{[\s\S]*"crypto"/i.test(text))
    throw new KeyRefused('file', 'an encrypted keystore', 'something else');
  try {
    return (await Wallet.fromEncryptedJson(text, passphrase)) as Wallet;
  } catch {
    // ethers' own error carries its arguments.
    throw new KeyRefused('passphrase', 'the one of this keystore', 'another');
  }
}

/** The first line of a file descriptor, which is closed. At most 1024 bytes. */
export const passphraseFrom = (descriptor: number): string => passphrasesFrom(descriptor, 1)[0]!;

/** As many lines, one a key. */
function passphrasesFrom(descriptor: number, count: number): string[] {
  if (!Number.isInteger(descriptor) || descriptor < 3) {
    throw new KeyRefused('passphrase', 'on a file descriptor from 3 on', String(descriptor));
  }
  const buffer = Buffer.alloc(1024 * count);
  let length = 0;
  try {
    while (length < buffer.length) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
  } finally {
    closeSync(descriptor);
  }
  const lines = buffer.subarray(0, length).toString('utf8').split('\n').slice(0, count);
  buffer.fill(0);
  if (lines.includes('')) throw new KeyRefused('passphrase', 'not empty', 'nothing');
  if (lines.length < count)
    throw new KeyRefused('passphrases', `${count} lines, one a key`, `${lines.length}`);
  return lines;
}

/** Chains whose coins are worth nothing: there, and only there, a key may lie unencrypted. */
const developmentChains = [31337, 1337];

/**
 * Keystores whose passphrases come on VERINFER_CHAIN_PASSPHRASE_FD, a line each in the order of the files; refuses a file
 * that others can read.
 */
export async function readChainKeys(paths: readonly string[], chainId: number): Promise<Wallet[]> {
  const descriptor = process.env['VERINFER_CHAIN_PASSPHRASE_FD'];
  if (descriptor === undefined) return Promise.all(paths.map((path) => readPlainKey(path, chainId)));
  const passphrases = passphrasesFrom(Number(descriptor), paths.length);
  return Promise.all(paths.map((path, i) => openKeystore(path, passphrases[i]!)));
}

export async function readChainKey(path: string, chainId: number): Promise<Wallet> {
  return (await readChainKeys([path], chainId))[0]!;
}

async function readPlainKey(path: string, chainId: number): Promise<Wallet> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0)
    throw new KeyRefused('mode of the file', '0600', `0${(mode & 0o777).toString(8)}`);
  if (!developmentChains.includes(chainId))
    throw new KeyRefused('file', `an encrypted keystore on chain ${chainId}`, 'no passphrase descriptor');
  return new Wallet((await readFile(path, 'utf8')).trim());
}
