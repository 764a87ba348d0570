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
  assert.deepEqual(await execute(page, 'organizations-getOrganization', 200, { params: name }), created);
  const renamed = { organization_name: 'Acme Corporation' };
  const updated = await execute(page, 'organizations-updateOrganization', 200, { body: renamed });
  assert.equal(updated['generation'], 2);
  const read = await execute(page, 'organizations-getOrganization', 200, { params: renamed });
  assert.deepEqual(read, updated);
  await page.locator('#operations-organizations-updateOrganization button.execute').evaluate((e) => e.scrollIntoView());
  await page.screenshot({ path: artifact('swagger-ui-executed.png') });
  const deleted = await execute(page, 'organizations-deleteOrganization', 200);
  assert.equal(deleted['organization_name'], 'Acme Corporation');

  assert.deepEqual(troubles, []);
  assert.deepEqual([...origins], [server.url]);
});

test('the life of a document can be tried out', async () => {
  const { page, troubles } = await watchedPage(browser);
  await page.goto(`${server.url}/docs`);
  const operation = (name: string) => `documents-${name}`;
  const body = { organization_name: 'Documents Inc', email: 'documents@acme.example', password: account.password };
  await execute(page, 'organizations-createOrganization', 201, { body });
  const login = await execute(page, 'admins-login', 200, { body: { email: body.email, password: body.password } });
  await authorize(page, String(login['access_token']));

  const typed = { _id: 'ada', name: 'Ada Lovelace', born: { $date: '1990-12-10T00:00:00Z' }, large: { $numberLong: '9007199254740993' } };
  assert.deepEqual(await execute(page, operation('createDocument'), 201, { body: typed }), typed);
  const { items, total } = await execute(page, operation('listDocuments'), 200, {
    params: { filter: '{"name": "Ada Lovelace"}', sort: '_id', fields: 'name', limit: '10' }, select: { count: 'true' }, shows: 'Ada Lovelace',
  });
  assert.deepEqual([items, total], [[{ _id: 'ada', name: 'Ada Lovelace' }], 1]);
  assert.deepEqual(await execute(page, operation('getDocument'), 200, { params: { id: 'ada' } }), typed);
  const replaced = await execute(page, operation('putDocument'), 200, { params: { id: 'ada' }, body: { name: 'Ada King' } });
  assert.deepEqual(replaced, { _id: 'ada', name: 'Ada King' });
  const patched = await execute(page, operation('patchDocument'), 200, { params: { id: 'ada' }, body: { city: 'London' } });
  assert.deepEqual(patched, { _id: 'ada', name: 'Ada King', city: 'London' });
  const refused = await execute(page, operation('putDocument'), 412, {
    params: { id: 'ada', 'If-None-Match': '*' }, body: { name: 'lost update' }, shows: 'precondition_failed',
  });
  assert.equal(refused['code'], 'precondition_failed');
  await page.locator('#operations-documents-patchDocument button.execute').evaluate((e) => e.scrollIntoView());
  await page.screenshot({ path: artifact('swagger-ui-documents.png') });
  assert.deepEqual(await execute(page, operation('deleteDocument'), 204, { params: { id: 'ada' } }), {});
  await execute(page, operation('getDocument'), 404, { params: { id: 'ada' }, shows: 'not_found' });
  const second = await execute(page, operation('createDocument'), 201, { body: { _id: 'grace', name: 'Grace Hopper' } });
  assert.equal(second['_id'], 'grace');

  const other = troubles.filter((t) => !/\b(404|412)\b/.test(t)); // Chromium reports those that were asked for
  assert.deepEqual(other, []);
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

/** What to fill in; shows is a text of the answer, its first value unless given. */
interface Input {
  body?: object;
  params?: Record<string, string>;
  select?: Record<string, string>;
  shows?: string;
}

/** Opens an operation, fills it in, executes it; returns the answer, after both the network and the page have shown the status. */
async function execute(page: Page, operation: string, status: number, { body: sent, params = {}, select = {}, shows }: Input = {}) {
  const block = page.locator(`#operations-${operation}`);
  if (!(await block.getAttribute('class'))?.includes('is-open')) await block.locator('.opblock-summary-control').click();
  if (sent) await block.locator('textarea.body-param__text').fill(JSON.stringify(sent));
  for (const [name, value] of Object.entries(params)) await block.locator(`tr[data-param-name="${name}"] input[type=text]`).fill(value);
  for (const [name, value] of Object.entries(select)) await block.locator(`tr[data-param-name="${name}"] select`).selectOption(value);
  const method = (await block.locator('.opblock-summary-method').innerText()).toUpperCase();
  const template = (await block.locator('.opblock-summary-path').getAttribute('data-path')) ?? '';
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '');
  const answered = page.waitForResponse((r) => new URL(r.url()).pathname === path && r.request().method() === method);
  await block.locator('button.execute').click();
  const response = await answered;
  assert.equal(response.status(), status, `${operation}: ${await response.text().catch(() => '')}`);
  const body = status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
  const live = block.locator('.live-responses-table');
  const text = shows ?? Object.values(body)[0];
  if (text !== undefined) await live.locator('.highlight-code, .microlight').getByText(String(text)).first().waitFor();
  await live.locator('.response .response-col_status').getByText(new RegExp(`^${status}`)).first().waitFor();
  return body;
}

async function authorize(page: Page, token: string) {
  await page.locator('.auth-wrapper .btn.authorize').click();
  const dialog = page.locator('.dialog-ux');
  const bearer = dialog.locator('form').filter({ hasText: 'bearerAuth' });
  await bearer.locator('input').fill(token);
  await bearer.locator('button.authorize').click();
  await bearer.locator('button.btn-done').click();
  await dialog.waitFor({ state: 'detached' });
}
