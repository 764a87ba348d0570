// Swagger UI of the real server, used as a person does. Not about this package: it is here because Chromium is.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { artifact, startChromium, watchedPage } from './support/chromium.js';
import { startOrgd, type RunningOrgd } from './support/server.js';

let server: RunningOrgd;
let browser: BrowserContext;

before(async () => {
  server = await startOrgd();
  browser = await startChromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const account = { email: 'admin@acme.example', password: 'correct horse battery' };

test('every step of an organization can be tried out', async () => {
  const { page, troubles } = await watchedPage(browser);
  const origins = new Set<string>();
  page.on('request', (request) => /^(data|blob):/.test(request.url()) || origins.add(new URL(request.url()).origin));
  await page.goto(`${server.url}/docs`);
  await page.locator('.opblock').first().waitFor();
  await page.screenshot({ path: artifact('swagger-ui.png') });

  const created = await execute(page, 'organizations-createOrganization', 201, { body: { organization_name: 'Acme Inc', ...account } });
  const login = await execute(page, 'admins-login', 200, { body: account });
  await authorize(page, String(login['access_token']));
  const name = { organization_name: 'Acme Inc' };
  assert.deepEqual(await execute(page, 'organizations-getOrganization', 200, { query: name }), created);
  const renamed = { organization_name: 'Acme Corporation' };
  const updated = await execute(page, 'organizations-updateOrganization', 200, { body: renamed });
  assert.equal(updated['generation'], 2);
  const read = await execute(page, 'organizations-getOrganization', 200, { query: renamed });
  assert.deepEqual(read, updated);
  await page.locator('#operations-organizations-updateOrganization button.execute').evaluate((e) => e.scrollIntoView());
  await page.screenshot({ path: artifact('swagger-ui-executed.png') });
  const deleted = await execute(page, 'organizations-deleteOrganization', 200, {});
  assert.equal(deleted['organization_name'], 'Acme Corporation');

  assert.deepEqual(troubles, []);
  assert.deepEqual([...origins], [server.url]);
});

test('it opens at an operation', async () => {
  const { page, troubles } = await watchedPage(browser);
  await page.goto(`${server.url}/docs#/admins/login`);
  await page.locator('#operations-admins-login .execute').waitFor();
  assert.deepEqual(troubles, []);
});

test('what the policy forbids does not pass unseen', async () => {
  const { page, troubles } = await watchedPage(browser);
  await page.goto(`${server.url}/docs`);
  const reported = page.waitForEvent('console', (message) => message.text().startsWith('policy:'));
  await page.evaluate(() => {
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = "run"' }));
  });
  await reported;
  assert.match(troubles.join('\n'), /policy: script-src-elem forbids inline/);
  assert.notEqual(await page.title(), 'run');
});

/** Opens an operation, fills it in, executes it; returns the answer, after both the network and the page have shown the status. */
async function execute(page: Page, operation: string, status: number, input: { body?: object; query?: Record<string, string> }) {
  const block = page.locator(`#operations-${operation}`);
  if (!(await block.getAttribute('class'))?.includes('is-open')) await block.locator('.opblock-summary-control').click();
  if (input.body) await block.locator('textarea.body-param__text').fill(JSON.stringify(input.body));
  for (const [name, value] of Object.entries(input.query ?? {})) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  }
  const method = (await block.locator('.opblock-summary-method').innerText()).toUpperCase();
  const path = await block.locator('.opblock-summary-path').getAttribute('data-path');
  const answered = page.waitForResponse((r) => new URL(r.url()).pathname === path && r.request().method() === method);
  await block.locator('button.execute').click();
  const response = await answered;
  assert.equal(response.status(), status, operation);
  const body = (await response.json()) as Record<string, unknown>;
  const live = block.locator('.live-responses-table');
  await live.locator('.highlight-code, .microlight').getByText(String(Object.values(body)[0])).first().waitFor();
  assert.match(await live.locator('.response .response-col_status').first().innerText(), new RegExp(`^${status}`));
  return body;
}

async function authorize(page: Page, token: string) {
  await page.locator('.auth-wrapper .btn.authorize').click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').fill(token);
  await dialog.locator('button.authorize').click();
  await dialog.locator('button.btn-done').click();
  await dialog.waitFor({ state: 'detached' });
}
