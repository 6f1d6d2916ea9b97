/** Text that looks like a secret: keys and tokens by their shape, and 32 bytes or more under a name that says so. */
const shapes: readonly [string, RegExp][] = [
  ['private key', /-----BEGIN [A-Z ]*PRIVATE KEY/],
  ['AWS key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})/],
  ['GitLab token', /\bglpat-[A-Za-z0-9_-]{20}/],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*[A-Za-z0-9-]{20,}/],
  ['Slack token', /\bxox[abprs]-[A-Za-z0-9-]{10,}/],
  ['API key', /\b(?:sk|rk)[-_](?:live[-_]|ant[-_]|proj[-_])?[A-Za-z0-9]{24,}|\bAIza[0-9A-Za-z_-]{35}/],
  ['web token', /\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/],
  ['password in an address', /:\/\/[a-z][^/\s:'"`]*:(?!pass@)[^@/\s'"`{}$]+@/i],
  [
    'named secret',
    /(?:private_?key|secret|passphrase|password|mnemonic|toxic_?waste|trapdoor|seed_?phrase)['"]?\s*[:=]\s*['"`]?(?:0x)?[0-9a-f]{64}/i,
  ],
  ['mnemonic', /['"`](?!test test )(?:[a-z]{3,8} ){11}(?:(?:[a-z]{3,8} ){12})?[a-z]{3,8}['"`]/],
  ['keystore', /"ciphertext"\s*:\s*"[0-9a-f]{64}"/],
];

/** Kinds of secret found, each with the text around it. */
export function secretsIn(text: string): { kind: string; at: string }[] {
  return shapes.flatMap(([kind, shape]) =>
    Array.from(text.matchAll(new RegExp(shape, `${shape.flags}g`)), ([found]) => ({
      kind,
      at: found.slice(0, 60),
    })),
  );
}

/** Files that hold key material by their nature: none belongs into a repository. */
export const isKeyFile = (path: string): boolean =>
  /(?:\.(?:zkey|ptau|wtns|pem|p12|pfx|jks|keystore)|(?:^|\/)(?:\.env(?:\..+)?|id_(?:rsa|ed25519|ecdsa)|\.netrc))$/.test(
    path,
  );
