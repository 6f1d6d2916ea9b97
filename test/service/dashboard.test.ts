/** The dashboard in a real browser, against the real service; its pictures are kept in test/screenshots. */
import { execFile } from 'node:child_process';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Browser, Page } from 'playwright-core';
import { browserPath, launch, screenshot } from '../support/browser.js';
import { temporaryFolder } from '../support/service.js';
import { startWholeService, type WholeService } from '../support/whole-service.js';

const browserTest = browserPath === undefined ? test.serial.skip : test.serial;
if (browserPath === undefined) console.log('dashboard: not run, no Chromium is installed');

let service: WholeService;
let browser: Browser;
let folder: string;
/** Everything the page complained about: script errors, refused loads, violations of the content policy. */
const complaints: string[] = [];

async function open(hash: string, width = 1280, scheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${service.url}/${hash}`);
  return page;
}

test.before(async (t) => {
  if (browserPath === undefined) return;
  t.timeout(180_000);
  folder = await temporaryFolder();
  service = await startWholeService({
    folder,
    models: ['digits8x8', 'lenet5'],
    environment: { VERINFER_PROVERS: '1' },
  });
  browser = await launch();
});

test.after.always(async () => {
  await browser?.close();
  await service?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

browserTest(
  'the story: draw, answer, proof, verified in this browser, settled, receipt audited by the command line',
  async (t) => {
    t.timeout(240_000);
    const page = await open('#/playground');
    await draw(page);
    await page.click('main button[type=submit]');
    await page.waitForSelector('.verdict', { timeout: 30_000 });
    const answer = Number(await page.textContent('.verdict'));
    t.true(answer >= 0 && answer <= 9);
    await page.waitForSelector('text=Verify in this browser', { timeout: 60_000 });
    await page.click('text=Verify in this browser');
    await page.waitForSelector('[data-verdict=valid]', { timeout: 30_000 });
    await page.waitForSelector('.steps li.done:has-text("settled")', { timeout: 60_000 });
    await screenshot(page, 'playground-settled');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.click('text=Download receipt'),
    ]);
    const path = join(folder, 'receipt.json');
    await download.saveAs(path);
    const receipt = JSON.parse(await readFile(path, 'utf8')) as {
      settlement: { state: string };
      statement: { requestId: string; modelId: string; chainId: string; contract: string };
      outputs: { values: number[] }[];
    };
    t.is(receipt.settlement.state, 'settled');
    const { values } = receipt.outputs[0]!;
    t.is(values.indexOf(Math.max(...values)), answer);
    const { statement } = receipt;
    // The auditor's own node and addresses; the chain of this service stands in for both.
    const deployment = join(folder, 'deployment.json');
    await copyFile(join(folder, 'chain', 'deployment.json'), deployment);
    const audited = await audit(path, [
      ...['--model', statement.modelId, '--request', statement.requestId],
      ...['--deployment', deployment, '--models', join(folder, 'models')],
    ]);
    t.is(audited.code, 0, audited.text);
    t.regex(audited.text, /pass/);
    t.notRegex(audited.text, /FAIL/);
    await page.close();
    t.deepEqual(complaints, []);
  },
);

/** A one, drawn by hand: down in a stroke. */
async function draw(page: Page): Promise<void> {
  await page.selectOption('select >> nth=0', { label: 'lenet5' });
  await page.waitForSelector('canvas');
  await page.click('text=clear');
  const box = (await (await page.waitForSelector('canvas')).boundingBox())!;
  const at = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.55, 0.18));
  await page.mouse.down();
  for (let step = 1; step <= 12; step++)
    await page.mouse.move(...at(0.55 - 0.008 * step, 0.18 + 0.052 * step));
  await page.mouse.up();
  const ink = await page.evaluate(() => {
    const canvas = document.querySelector('canvas')!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, 28, 28);
    return data.filter((value, index) => index % 4 === 0 && value > 128).length;
  });
  if (ink < 20) throw new Error(`the stroke must leave ink, got ${ink} cells`);
}

function audit(path: string, options: readonly string[]): Promise<{ code: number; text: string }> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'], NO_COLOR: '1' };
    execFile(
      process.execPath,
      ['dist/service/cli.js', 'audit', path, ...options],
      { env },
      (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

browserTest('a row that does not fit is refused on the page, before anything is sent', async (t) => {
  const page = await open('#/playground');
  await page.selectOption('select >> nth=0', { label: 'digits8x8' });
  await page.fill('textarea', '1, 2, three');
  await page.click('main button[type=submit]');
  t.regex((await page.textContent('[role=alert]')) ?? '', /takes 64 finite numbers/);
  await page.close();
});

browserTest('every page is drawn on a phone, in the dark, without a complaint', async (t) => {
  t.timeout(60_000);
  for (const [name, heading] of [
    ['models', 'Models'],
    ['proofs', 'Proofs'],
    ['queue', 'Queue and throughput'],
    ['ceremonies', 'Setup ceremonies'],
    ['trust', 'What you still have to trust'],
  ]) {
    const page = await open(`#/${name}`, 390, 'dark');
    await page.waitForSelector(`h1:text-is("${heading}")`);
    await page.waitForFunction(() => document.querySelector('[role=status]') === null);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    t.true(overflow <= 0, `${name} is ${overflow} pixels wider than the screen`);
    await screenshot(page, `${name}-phone`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await screenshot(page, `${name}-dark`);
    await page.close();
  }
  t.deepEqual(complaints, []);
});

browserTest('the ten trust sentences stand on the page word for word', async (t) => {
  const page = await open('#/trust');
  await page.waitForSelector('.sentences li');
  const shown = await page.$$eval('.sentences li', (items) => items.map((item) => item.textContent ?? ''));
  const { statements } = (await (await fetch(`${service.url}/v1/trust`)).json()) as {
    statements: { sentence: string }[];
  };
  t.is(shown.length, 10);
  statements.forEach(({ sentence }, i) => t.true(shown[i]!.startsWith(sentence)));
  await page.close();
});

browserTest('the pages can be used by keyboard alone', async (t) => {
  const page = await open('#/playground');
  await page.waitForSelector('main button[type=submit]');
  await page.keyboard.press('Tab');
  t.is(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Skip to content');
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    t.not(outline, 'none', `stop ${press} shows that it has the focus`);
    if (await page.evaluate(() => document.activeElement?.getAttribute('type') === 'submit')) break;
  }
  t.is(await page.evaluate(() => document.activeElement?.getAttribute('type')), 'submit');
  await page.close();
});

browserTest('a key entered on the page goes with every call, and only to this service', async (t) => {
  const page = await open('#/queue');
  await page.click('.key summary');
  await page.fill('.key input', 'vk_0123456789abcdef_none');
  const [request] = await Promise.all([
    page.waitForRequest((made) => made.url().includes('/v1/') && 'authorization' in made.headers()),
    page.click('.key button'),
  ]);
  t.is(request.headers()['authorization'], 'Bearer vk_0123456789abcdef_none');
  t.true(request.url().startsWith(service.url));
  // This key is none: the page says what the service says.
  await page.waitForSelector('main [role=alert]');
  t.regex((await page.textContent('main [role=alert]')) ?? '', /No valid API key/);
  await page.close();
  complaints.length = 0; // a browser logs every 401
});
