/**
 * Versions that must not be installed: advisories and malicious releases that touched what we use, or what packages of
 * our kind pull in. It is kept by hand, for builds that reach no advisory database; `npm audit` knows more.
 * Each row: package, first bad version, first good one after it (null: none, or every later one was withdrawn too).
 */
export const knownVulnerable: readonly (readonly [name: string, from: string, below: string | null])[] = [
  ['adm-zip', '0.0.0', '0.5.2'],
  ['ajv', '0.0.0', '6.12.3'],
  ['ansi-regex', '3.0.0', '3.0.1'],
  ['ansi-regex', '4.0.0', '4.1.1'],
  ['ansi-regex', '5.0.0', '5.0.1'],
  ['ansi-regex', '6.0.0', '6.0.1'],
  ['ansi-regex', '6.2.1', '6.2.2'],
  ['ansi-styles', '6.2.2', '6.2.3'],
  ['async', '0.0.0', '2.6.4'],
  ['async', '3.0.0', '3.2.2'],
  ['axios', '0.0.0', '0.30.2'],
  ['axios', '1.0.0', '1.12.0'],
  ['body-parser', '0.0.0', '1.20.3'],
  ['body-parser', '2.2.0', '2.2.1'],
  ['brace-expansion', '1.0.0', '1.1.12'],
  ['brace-expansion', '2.0.0', '2.0.2'],
  ['braces', '0.0.0', '3.0.3'],
  ['chalk', '5.6.1', '5.6.2'],
  ['color-convert', '3.1.1', '3.1.2'],
  ['color-name', '2.0.1', '2.0.2'],
  ['cookie', '0.0.0', '0.7.0'],
  ['cross-spawn', '0.0.0', '6.0.6'],
  ['cross-spawn', '7.0.0', '7.0.5'],
  ['debug', '0.0.0', '2.6.9'],
  ['debug', '4.4.2', '4.4.3'],
  ['ejs', '0.0.0', '3.1.10'],
  ['elliptic', '0.0.0', '6.6.1'],
  ['error-ex', '1.3.3', '1.3.4'],
  ['event-stream', '3.3.6', '4.0.0'],
  ['express', '0.0.0', '4.20.0'],
  ['flatmap-stream', '0.0.0', null],
  ['follow-redirects', '0.0.0', '1.15.6'],
  ['ip', '0.0.0', null],
  ['is-arrayish', '0.3.3', '0.3.4'],
  ['js-yaml', '0.0.0', '3.14.2'],
  ['js-yaml', '4.0.0', '4.1.1'],
  ['json5', '0.0.0', '1.0.2'],
  ['json5', '2.0.0', '2.2.2'],
  ['jsonpath', '0.0.0', '1.3.0'],
  ['lodash', '0.0.0', '4.17.21'],
  ['micromatch', '0.0.0', '4.0.8'],
  ['minimatch', '0.0.0', '3.0.5'],
  ['minimist', '0.0.0', '1.2.6'],
  ['multer', '0.0.0', '2.2.0'],
  ['nanoid', '0.0.0', '3.3.8'],
  ['nanoid', '4.0.0', '5.0.9'],
  ['node-fetch', '0.0.0', '2.6.7'],
  ['node-fetch', '3.0.0', '3.1.1'],
  ['node-ipc', '9.2.2', '12.0.0'],
  ['path-to-regexp', '0.0.0', '0.1.12'],
  ['path-to-regexp', '2.0.0', '3.3.0'],
  ['path-to-regexp', '4.0.0', '6.3.0'],
  ['path-to-regexp', '7.0.0', '8.0.0'],
  ['postcss', '0.0.0', '8.4.31'],
  ['protobufjs', '0.0.0', '7.5.6'],
  ['protobufjs', '8.0.0', '8.0.2'],
  ['qs', '0.0.0', '6.14.1'],
  ['semver', '0.0.0', '5.7.2'],
  ['semver', '6.0.0', '6.3.1'],
  ['semver', '7.0.0', '7.5.2'],
  ['send', '0.0.0', '0.19.0'],
  ['serve-static', '0.0.0', '1.16.0'],
  ['simple-swizzle', '0.2.3', '0.2.4'],
  ['slice-ansi', '7.1.1', '7.1.2'],
  ['snarkjs', '0.0.0', '0.7.0'],
  ['ssrfcheck', '0.0.0', null],
  ['strip-ansi', '7.1.1', '7.1.2'],
  ['supports-color', '10.2.1', '10.2.2'],
  ['supports-hyperlinks', '4.1.1', '4.1.2'],
  ['tar', '0.0.0', '6.2.1'],
  ['tmp', '0.0.0', '0.2.4'],
  ['ua-parser-js', '0.7.29', '0.7.30'],
  ['ua-parser-js', '1.0.0', '1.0.1'],
  ['underscore', '0.0.0', '1.12.1'],
  ['word-wrap', '0.0.0', '1.2.4'],
  ['wrap-ansi', '9.0.1', '9.0.2'],
  ['ws', '0.0.0', '5.2.4'],
  ['ws', '6.0.0', '6.2.3'],
  ['ws', '7.0.0', '7.5.10'],
  ['ws', '8.0.0', '8.17.1'],
];

/** The first row that the version falls under. */
export function vulnerabilityOf(name: string, version: string): string | undefined {
  const row = knownVulnerable.find(
    ([bad, from, below]) =>
      bad === name && compare(version, from) >= 0 && (below === null || compare(version, below) < 0),
  );
  return row && `${name}@${version}: from ${row[1]}${row[2] === null ? '' : ` below ${row[2]}`}`;
}

/** A pre-release counts as the release it precedes: too strict by that much. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.+-]/).slice(0, 3).map(Number));
  const at = left!.findIndex((part, i) => part !== right![i]);
  return at < 0 ? 0 : left![at]! - right![at]!;
}
