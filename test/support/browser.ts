/** An installed Chromium, driven by playwright-core; nothing is downloaded. */
import { existsSync, mkdirSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Path of the browser, or undefined: then browser tests say `not run`. */
export const browserPath = PLACES.find(existsSync);

/** No background traffic: the machine may have no network at all. */
const SWITCHES = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath!, args: SWITCHES });

/** Keeps a picture of the page for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync('test/screenshots', { recursive: true });
  await page.screenshot({ path: `test/screenshots/${name}.png`, fullPage: true });
}
