import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { root, tempDir } from './server.js';

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A headless Chromium, $CHROMIUM or the one on the path, with a new profile. */
export async function startChromium(): Promise<BrowserContext> {
  const executablePath = process.env['CHROMIUM'] || spawnSync('which', ['chromium'], { encoding: 'utf8' }).stdout.trim();
  if (!executablePath) throw new Error('There is no chromium: install it, or set CHROMIUM to its path.');
  const viewport = { width: 1280, height: 1000 };
  const context = await chromium.launchPersistentContext(tempDir(), { executablePath, headless: true, args: flags, viewport });
  context.setDefaultTimeout(120_000); // the machine may have other things to do
  return context;
}

/** A page that keeps everything that goes wrong on it: errors, warnings, and breaches of its policy. */
export async function watchedPage(context: BrowserContext): Promise<{ page: Page; troubles: string[] }> {
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) troubles.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error}`));
  page.on('requestfailed', (request) => troubles.push(`failed: ${request.url()}: ${request.failure()?.errorText}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => {
      console.error(`policy: ${e.violatedDirective} forbids ${e.blockedURI} in ${e.sourceFile}:${e.lineNumber}`);
    });
  });
  return { page, troubles };
}

/** Where a test leaves a picture for people to look at. */
export function artifact(name: string): string {
  const dir = path.join(root, 'artifacts');
  mkdirSync(dir, { recursive: true });
  return path.join(dir, name);
}
