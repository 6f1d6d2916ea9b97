/** The playground's story in a real browser, against the real service: ask, follow, verify here, settle, download. */
import { readFile, rm } from 'node:fs/promises';
import test from 'ava';
import type { Browser, Page } from 'playwright-core';
import { bundledModels, provideModels } from '../../service/bundled-models.js';
import { readConfig } from '../../service/config.js';
import { createLog } from '../../service/log.js';
import { startService, type Service } from '../../service/supervisor.js';
import { browserPath, launch, screenshot } from '../support/browser.js';
import { temporaryFolder } from '../support/service.js';

const browserTest = browserPath === undefined ? test.serial.skip : test.serial;
if (browserPath === undefined) console.log('dashboard: not run, no Chromium is installed');

let service: Service;
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
  Object.assign(process.env, {
    VERINFER_DATA: folder,
    VERINFER_PORT: '0',
    VERINFER_LOG: 'silent',
    VERINFER_PROVERS: '1',
  });
  const config = readConfig();
  const log = createLog(config, 'dashboard-test');
  service = await startService({
    config,
    log,
    prepare: async ({ pool, chain }) =>
      void (await provideModels(bundledModels.slice(0, 1), {
        pool,
        chain,
        modelsFolder: config.modelsFolder,
        log,
      })),
  });
  browser = await launch();
});

test.after.always(async () => {
  await browser?.close();
  await service?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

browserTest('ask, follow, verify in this browser, settle, download the receipt', async (t) => {
  t.timeout(120_000);
  const page = await open('#/playground');
  await page.click('button[type=submit]');
  await page.waitForSelector('text=Verify in this browser', { timeout: 60_000 });
  await page.click('text=Verify in this browser');
  await page.waitForSelector('[data-verdict=valid]', { timeout: 30_000 });
  await page.waitForSelector('.badge:text-is("settled")', { timeout: 30_000 });
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('text=Download receipt')]);
  const receipt = JSON.parse(await readFile(await download.path(), 'utf8')) as {
    settlement: { state: string };
  };
  t.is(receipt.settlement.state, 'settled');
  await screenshot(page, 'playground');
  await page.close();
  t.deepEqual(complaints, []);
});

browserTest('a row that does not fit is refused on the page, before anything is sent', async (t) => {
  const page = await open('#/playground');
  await page.fill('textarea', '1, 2, three');
  await page.click('button[type=submit]');
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
  await page.waitForSelector('button[type=submit]');
  await page.keyboard.press('Tab');
  t.is(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Skip to content');
  for (let press = 0; press < 20; press++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement?.getAttribute('type') === 'submit')) break;
  }
  t.is(await page.evaluate(() => document.activeElement?.getAttribute('type')), 'submit');
  await page.close();
});
