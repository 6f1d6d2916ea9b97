import test from 'ava';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zKey } from 'snarkjs';
import { CeremonyRefused, InvalidCeremony } from '../../../prover/ceremony-error.js';
import { exportVerifyingKey } from '../../../prover/export.js';
import { verifyingKeyToJson } from '../../../prover/codec.js';
import { contributeKey } from '../../../prover/phase2.js';
import { checkBeaconValue } from '../../../service/ceremony/beacon.js';
import { Ceremony, type Limits } from '../../../service/ceremony/ceremony.js';
import { contribute } from '../../../service/ceremony/client.js';
import { ceremonyPaths } from '../../../service/ceremony/folder.js';
import { refuseSharedDelta } from '../../../service/ceremony/install.js';
import { openCeremony } from '../../../service/ceremony/opening.js';
import { serveCeremony } from '../../../service/ceremony/server.js';
import {
  parseTranscript,
  readTranscript,
  Transcript,
  writeTranscript,
} from '../../../service/ceremony/transcript.js';
import { verifyCeremony } from '../../../service/ceremony/verify.js';
import { contributorsText } from '../../../service/cli/ceremony.js';
import { FakeChain, publicKey, takeTurn } from '../../support/coordinator.js';
import { smallCeremony, type SmallCeremony } from '../../support/ceremony.js';
import { campaign } from '../../support/campaign.js';
import { random, seedFrom } from '../../support/random.js';
import { endSnarkjs } from '../../support/snarkjs.js';

const limits: Limits = {
  ...{ turnMs: 60_000, penaltyMs: 600_000, minimumLeadBlocks: 10, confirmations: 2 },
  recordedSkips: 1_000,
};
let small: SmallCeremony;
let opened: string;
const folders: string[] = [];

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'verinfer-coordinator-'));
  folders.push(folder);
  return folder;
};

/** A fresh copy of an opened ceremony: opening verifies phase 1, once is enough. */
function copyOf(source: string): string {
  const folder = newFolder();
  const [from, to] = [ceremonyPaths(source), ceremonyPaths(folder)];
  mkdirSync(to.keys, { recursive: true });
  for (const name of ['r1cs', 'phase1', 'transcript'] as const) copyFileSync(from[name], to[name]);
  const transcript = parseTranscript(readFileSync(from.transcript, 'utf8'));
  const { initialKey } = transcript.opened;
  for (const hash of [initialKey, ...transcript.contributions.map(({ key }) => key), transcript.final?.key]) {
    if (hash !== undefined) copyFileSync(from.key(hash), to.key(hash));
  }
  return folder;
}

test.before(async () => {
  small = await smallCeremony();
  opened = newFolder();
  await openCeremony({ folder: opened, r1csPath: small.r1csPath, phase1Path: small.phase1 });
});
test.after.always(async () => {
  for (const folder of [...folders, small.folder]) rmSync(folder, { recursive: true, force: true });
  await endSnarkjs();
});

test.serial(
  'five contributors, one with snarkjs alone, one stalls, one cheats, a crash and a beacon end in a verified key',
  async (t) => {
    const folder = copyOf(opened);
    const chain = new FakeChain();
    let now = Date.parse('2026-01-01T00:00:00Z');
    const options = { limits, beacon: chain, now: () => now };
    let ceremony = await Ceremony.resume(folder, options);
    let coordinator = await serveCeremony(ceremony, { sweepMs: 3_600_000 });
    const hashes = [(await contribute(coordinator.url, { name: 'ada', pollMs: 5 })).contributionHash];

    // Stalls: takes the turn and never uploads.
    await ceremony.join({ name: 'stalls', publicKey: publicKey() });
    const waiting = contribute(coordinator.url, {
      name: 'snarkjs user',
      pollMs: 5,
      contribute: (from, to) => zKey.contribute(from, to, 'snarkjs user', 'typed on a keyboard'),
    });
    while (ceremony.queue.waiting.length < 2) await sleep(5);
    now += limits.turnMs + 1;
    await ceremony.expire();
    hashes.push((await waiting).contributionHash);

    // Cheats: uploads a key built on nothing.
    const cheat = await t.throwsAsync(
      contribute(coordinator.url, {
        name: 'cheats',
        pollMs: 5,
        contribute: (_from, to) => contributeKey(small.initial, to, { name: 'cheats' }),
      }),
    );
    t.regex(cheat.message, /422/);

    // A crash: nothing is closed in order, a half upload lies about.
    writeFileSync(join(ceremonyPaths(folder).incoming, 'half'), 'half a key');
    await coordinator.close();
    ceremony = await Ceremony.resume(folder, options);
    coordinator = await serveCeremony(ceremony, { sweepMs: 3_600_000 });
    for (const name of ['bob', 'cyd', 'dee'])
      hashes.push((await contribute(coordinator.url, { name, pollMs: 5 })).contributionHash);

    await ceremony.announceBeacon(120);
    chain.at = 130;
    await ceremony.finalise();
    await coordinator.close();

    const report = await verifyCeremony(folder, { beacon: chain });
    t.is(report.contributorCount, 5);
    t.is(report.attestedCount, 5);
    const { entries, contributions } = await readTranscript(ceremonyPaths(folder).transcript);
    t.deepEqual(
      contributions.map(({ contributionHash }) => contributionHash),
      hashes,
      'each finds their own hash',
    );
    t.deepEqual(
      entries.filter((e) => e.kind === 'skipped').map(({ name, reason }) => [name, reason]),
      [
        ['stalls', 'timeout'],
        ['cheats', 'invalid'],
      ],
    );
    t.deepEqual(exportVerifyingKey(report.keyPath), report.verifyingKey);

    // T05, T06 and T12 look at this ceremony too.
    await t.throwsAsync(tamper(folder, 'contributions', 0, { contributionHash: 'ab'.repeat(64) }), {
      instanceOf: InvalidCeremony,
    });
    await t.throwsAsync(tamper(folder, 'final', 0, { beacon: 'cd'.repeat(32) }), {
      instanceOf: InvalidCeremony,
    });
    const other = new FakeChain();
    other.at = 200;
    other.hashAt = async () => random(77).bytes(32);
    await t.throwsAsync(verifyCeremony(folder, { beacon: other }), {
      instanceOf: InvalidCeremony,
      message: /hash of block 120/,
    });
  },
);

/** The same ceremony with one entry changed and every link made again, as a coordinator could. */
async function tamper(
  folder: string,
  of: 'contributions' | 'final',
  index: number,
  change: object,
): Promise<unknown> {
  const copy = copyOf(folder);
  const path = ceremonyPaths(copy).transcript;
  const transcript = await readTranscript(path);
  const target = of === 'final' ? transcript.final! : transcript.contributions[index];
  const rebuilt = transcript.entries.reduce((made, entry) => {
    // append names the entry before by itself
    return made.append((entry === target ? { ...entry, ...change } : entry) as never);
  }, new Transcript([]));
  await writeTranscript(path, rebuilt);
  return verifyCeremony(copy);
}

test.serial('T05 a dropped or swapped contribution, or another final file, does not verify', async (t) => {
  const folder = copyOf(opened);
  const chain = new FakeChain();
  const ceremony = await Ceremony.resume(folder, { limits, beacon: chain });
  const hashes = [await takeTurn(ceremony, 'ada'), await takeTurn(ceremony, 'bob')];
  await ceremony.announceBeacon(120);
  chain.at = 122;
  await ceremony.finalise();
  await ceremony.close();
  const p = ceremonyPaths(folder);
  const transcript = await readTranscript(p.transcript);
  t.deepEqual(
    transcript.contributions.map((c) => c.contributionHash),
    hashes,
  );

  // The coordinator makes a key of their own after the last honest one, and drops bob.
  const own = copyOf(folder);
  const path = ceremonyPaths(own);
  await contributeKey(path.key(transcript.contributions[0].key), path.key(transcript.final!.key), {
    name: 'own',
  });
  await t.throwsAsync(verifyCeremony(own), { instanceOf: InvalidCeremony, message: /SHA-256/ });

  const entries = JSON.parse(readFileSync(p.transcript, 'utf8')) as object[];
  t.throws(() => parseTranscript(JSON.stringify(entries.filter((_, i) => i !== 1))), {
    instanceOf: InvalidCeremony,
  });
  const swapped = [entries[0], entries[2], entries[1], ...entries.slice(3)];
  t.throws(() => parseTranscript(JSON.stringify(swapped)), { instanceOf: InvalidCeremony });
  await t.throwsAsync(tamper(folder, 'contributions', 1, { key: transcript.contributions[0].key }), {
    instanceOf: InvalidCeremony,
  });
  await t.throwsAsync(tamper(folder, 'contributions', 1, { previousKey: transcript.opened.initialKey }), {
    instanceOf: InvalidCeremony,
  });
  await t.throwsAsync(tamper(folder, 'final', 0, { contributorCount: 3 }), { instanceOf: InvalidCeremony });
});

test.serial(
  'T06 a beacon that could be chosen is refused: not announced, not in the future, known, constant, a contribution',
  async (t) => {
    const folder = copyOf(opened);
    const chain = new FakeChain();
    const ceremony = await Ceremony.resume(folder, { limits, beacon: chain });
    const refused = { instanceOf: CeremonyRefused };
    await t.throwsAsync(ceremony.announceBeacon(200), refused, 'before the minimum of contributions');
    await takeTurn(ceremony, 'ada');
    await t.throwsAsync(ceremony.finalise(), refused, 'not announced');
    for (const height of [1, 100, 109])
      await t.throwsAsync(ceremony.announceBeacon(height), refused, `height ${height} at 100`);
    await ceremony.announceBeacon(110);
    await t.throwsAsync(ceremony.announceBeacon(300), refused, 'a second announcement');
    await t.throwsAsync(ceremony.finalise(), refused, 'the chain is not there');
    await takeTurn(ceremony, 'bob');
    chain.at = 110;
    await t.throwsAsync(takeTurn(ceremony, 'late'), refused, 'a contribution when the beacon may be known');
    chain.at = 111;
    await t.throwsAsync(ceremony.finalise(), refused, 'not confirmed');
    chain.at = 112;
    await ceremony.finalise();
    await t.throwsAsync(ceremony.finalise(), refused, 'twice');
    await ceremony.close();

    const hash = (await readTranscript(ceremonyPaths(folder).transcript)).contributions[0].contributionHash;
    t.throws(() => checkBeaconValue(null, []), refused);
    t.throws(() => checkBeaconValue(new Uint8Array(32), []), refused);
    t.throws(() => checkBeaconValue(random(1).bytes(31), []), refused);
    t.throws(() => checkBeaconValue(Buffer.from(hash.slice(0, 64), 'hex'), [hash]), refused);
    t.notThrows(() => checkBeaconValue(random(1).bytes(32), [hash]));
  },
);

test('T08 contributors are counted as keys, not people, wherever they are counted', (t) => {
  t.regex(contributorsText({ contributorCount: 7, attestedCount: 3 }), /7 contributions.*keys, not people/);
});

test.serial('T09 stalls, wrong turns and giant or unfinished uploads leave the head as it was', async (t) => {
  const folder = copyOf(opened);
  let now = Date.parse('2026-01-01T00:00:00Z');
  const ceremony = await Ceremony.resume(folder, { limits, now: () => now });
  const coordinator = await serveCeremony(ceremony, { sweepMs: 3_600_000 });
  t.teardown(() => coordinator.close());
  const head = ceremony.transcript.head;
  const draw = random(9);
  const send = (token: string, body: Uint8Array): Promise<Response> =>
    fetch(`${coordinator.url}/contributions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: body as Uint8Array<ArrayBuffer>,
    });

  const rounds = campaign(30, 100);
  for (let i = 0; i < rounds; i++) {
    const key = publicKey();
    const { token } = await ceremony.join({ name: `p${i}`, publicKey: key });
    const second = await ceremony.join({ name: `q${i}`, publicKey: publicKey() });
    const size = statSync(ceremony.headPath).size;
    t.is((await send(second.token, new Uint8Array(10))).status, 409, 'not their turn');
    t.is((await send('0'.repeat(64), new Uint8Array(10))).status, 409, 'no participant');
    const kind = i % 4;
    if (kind === 0) now += limits.turnMs + 1;
    else if (kind === 1) t.is((await send(token, draw.bytes(100))).status, 422, 'garbage');
    else if (kind === 2) {
      const giant = await send(token, new Uint8Array(size + 10_000)).catch(() => null);
      t.true(giant === null || giant.status === 409, 'giant');
      now += limits.turnMs + 1;
    } else {
      const cut = readFileSync(ceremony.headPath).subarray(0, draw.below(size));
      t.is((await send(token, cut)).status, 422, 'cut off');
    }
    await ceremony.expire();
    t.is(ceremony.queue.find(token), undefined, 'out of the queue');
    await t.throwsAsync(
      ceremony.join({ name: `p${i}`, publicKey: key }),
      { instanceOf: CeremonyRefused },
      'penalty',
    );
    now += limits.turnMs + 1;
    await ceremony.expire();
    t.is(ceremony.transcript.head, head);
  }
  t.is(ceremony.transcript.entries.filter(({ kind }) => kind === 'skipped').length, 2 * rounds);
  await t.throwsAsync(ceremony.join({ name: 'bad\u202ename', publicKey: publicKey() }), {
    instanceOf: CeremonyRefused,
  });
});

test.serial('T09 finding-13: worthless uploads under fresh keys do not fill the transcript', async (t) => {
  const folder = copyOf(opened);
  const ceremony = await Ceremony.resume(folder, { limits: { ...limits, recordedSkips: 3 } });
  for (let k = 0; k < 6; k++) {
    const { token } = await ceremony.join({ name: `nobody ${k}`, publicKey: publicKey() });
    const path = join(folder, `upload-${k}`);
    writeFileSync(path, 'not a key');
    await t.throwsAsync(ceremony.submit(token, path, null));
    t.is(ceremony.queue.waiting.length, 0);
  }
  t.is(ceremony.transcript.entries.length, 1 + 3);
  const { token } = await ceremony.join({ name: 'somebody', publicKey: publicKey() });
  const good = join(folder, 'good.zkey');
  await contributeKey(ceremony.headPath, good, { name: 'somebody' });
  await ceremony.submit(token, good, null);
  t.is(ceremony.transcript.contributions.length, 1);
  await ceremony.close();
});

test.serial('T10 a transcript holds known entries with known fields, nothing else', async (t) => {
  const entries = JSON.parse(readFileSync(ceremonyPaths(opened).transcript, 'utf8')) as Record<
    string,
    unknown
  >[];
  t.notThrows(() => parseTranscript(JSON.stringify(entries)));
  const refused = { instanceOf: InvalidCeremony };
  t.throws(() => parseTranscript(JSON.stringify([{ ...entries[0], extra: 1 }])), refused);
  t.throws(() => parseTranscript(JSON.stringify([{ ...entries[0], kind: 'blessed' }])), refused);
  t.throws(() => parseTranscript('[]'), refused);
  t.throws(() => parseTranscript('{'), refused);
  for (const field of Object.keys(entries[0])) {
    const without = Object.fromEntries(Object.entries(entries[0]).filter(([name]) => name !== field));
    t.throws(() => parseTranscript(JSON.stringify([without])), refused, `without ${field}`);
  }
});

test.serial('T12 a delta that another model’s key has already is refused', async (t) => {
  const key = join(small.folder, 'shared.zkey');
  await contributeKey(small.initial, key, { name: 'once' });
  const vk = exportVerifyingKey(key);
  const models = newFolder();
  const id = `0x${'1'.repeat(64)}`;
  mkdirSync(join(models, id));
  writeFileSync(join(models, id, 'vk.json'), JSON.stringify(verifyingKeyToJson(vk)));
  writeFileSync(join(models, id, 'identity.json'), JSON.stringify({ circuitHash: '0xaa' }));
  await t.throwsAsync(refuseSharedDelta(models, vk, '0xbb'), { instanceOf: InvalidCeremony });
  await t.notThrowsAsync(refuseSharedDelta(models, vk, '0xaa'), 'the same model again');
  const fresh = join(small.folder, 'fresh.zkey');
  await contributeKey(small.initial, fresh, { name: 'again' });
  await t.notThrowsAsync(refuseSharedDelta(models, exportVerifyingKey(fresh), '0xbb'));
});

test.serial(
  'T13 a coordinator killed in the middle of a contribution resumes at the last verified head',
  async (t) => {
    const folder = copyOf(opened);
    const p = ceremonyPaths(folder);
    const draw = random(seedFrom(t.log));
    for (let round = 0; round < campaign(4, 100); round++) {
      const before = await readTranscript(p.transcript);
      const child = spawn(process.execPath, ['dist/service/cli.js', 'ceremony', 'serve', folder], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const url = await new Promise<string>((resolve) =>
        child.stdout.once('data', (data: Buffer) => resolve(data.toString().trim())),
      );
      const contributing = contribute(url, { name: `round ${round}`, pollMs: 5 }).then(
        () => true,
        () => false,
      );
      await sleep([120, 250, 400, 3000][round] ?? draw.below(1500));
      child.kill('SIGKILL');
      await ended;
      const isAcknowledged = await contributing;
      let now = Date.now();
      const ceremony = await Ceremony.resume(folder, { limits, now: () => now });
      const { transcript } = ceremony;
      t.true(transcript.contributions.length - before.contributions.length <= 1);
      t.true(
        !isAcknowledged || transcript.contributions.length === before.contributions.length + 1,
        'nothing acknowledged is lost',
      );
      now += limits.turnMs + 1; // whoever was in the middle of it has to come back
      const hash = await takeTurn(ceremony, `after ${round}`);
      t.is(ceremony.transcript.contributions.at(-1)!.contributionHash, hash);
      await ceremony.close();
    }
  },
);
