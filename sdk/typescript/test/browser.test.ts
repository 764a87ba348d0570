// The built package in a real browser, as it is: no bundler. The server has no CORS headers, so the page, the package
// and the API have one origin, as they have behind a reverse proxy.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { BrowserContext } from 'playwright-core';
import { startChromium, watchedPage } from './support/chromium.js';
import { root, startOrgd, type RunningOrgd } from './support/server.js';

const dist = path.join(root, 'sdk/typescript/dist');
const html = `<!doctype html><meta charset="utf-8"><title>Sign up</title><link rel="icon" href="data:,">
<form><input name="organization"><input name="email"><input name="password" type="password"><button>Sign up</button></form>
<ol></ol>
<script type="module">
  import { isOrgdError, Orgd } from '/sdk/index.js';
  const say = (text) => document.querySelector('ol').append(Object.assign(document.createElement('li'), { textContent: text }));
  document.forms[0].addEventListener('submit', async (event) => {
    event.preventDefault();
    const { organization, email, password } = Object.fromEntries(new FormData(event.target));
    const visitor = new Orgd({});
    try {
      say('created ' + (await visitor.createOrganization({ organization_name: organization, email, password })).state);
      const token = await visitor.login({ email, password });
      say('logged in ' + token.token_type);
      const member = new Orgd({ baseUrl: '/', token: token.access_token });
      say('updated ' + (await member.updateOrganization({ organization_name: organization + ' & Söhne' })).generation);
      const { organization_name, generation } = await member.getOrganization(organization + ' & söhne');
      say('read ' + organization_name + ' ' + generation);
      const admin = new Orgd({ email, password });
      await admin.updateOrganization({ password: password + '!', migrate: false });
      say('rotated ' + (await admin.getOrganization(organization + ' & Söhne')).generation);
      const things = admin.documents();
      const { document, etag } = await things.insert({ n: 2n ** 60n, at: new Date(0) });
      say('inserted ' + document.n.$numberLong + ' ' + document.at.$date);
      const id = document._id;
      await things.put(id, { n: 1 }, { ifMatch: etag });
      const lost = await things.patch(id, { n: 2 }, { ifMatch: etag }).catch((e) => e.code);
      say('patched ' + lost + ' ' + (await things.patch(id, { n: 2 })).document.n);
      async function* more() { for (let n = 0; n < 2000; n++) yield { _id: 'n' + n, n }; }
      for (const from of [more(), new Response('{"_id":"x"}').body, new File(['{"_id":"y"}\\n{"_id":"y"}'], 'y.ndjson')]) {
        const { inserted, errors } = await admin.importDocuments(from);
        say('imported ' + inserted + ' ' + errors.map((e) => e.code));
      }
      let listed = 0, exported = 0;
      for await (const one of things.list({ limit: 1000 })) listed++;
      for await (const one of admin.exportDocuments({ filter: { n: { $gte: 1000 } } })) exported++;
      say('listed ' + listed + ', exported ' + exported);
      await things.delete(id);
      const moved = await admin.waitOperation(await admin.startUpdate());
      say('moved ' + moved.state + ' ' + moved.documents_copied);
      const stopped = await admin.ready({ signal: AbortSignal.abort() }).catch((e) => e.name);
      say('stopped ' + stopped);
      say('deleted ' + (await admin.deleteOrganization()).organization_name);
      await visitor.getOrganization(organization);
    } catch (e) {
      say(isOrgdError(e, 'not_found') ? 'gone ' + e.status : 'error ' + e);
    }
    say('end');
  });
</script>`;

let server: RunningOrgd;
let browser: BrowserContext;
const site = createServer(serve);

before(async () => {
  server = await startOrgd();
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  browser = await startChromium();
});
after(async () => {
  await browser?.close();
  site.closeAllConnections();
  site.close();
  await server?.stop();
});

test('a page signs up, logs in, updates and reads back', async () => {
  const { page, troubles } = await watchedPage(browser);
  await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  await page.fill('[name=organization]', 'Acme');
  await page.fill('[name=email]', 'admin@acme.example');
  await page.fill('[name=password]', 'correct horse');
  await page.click('button');
  await page.getByText(/^end$/).waitFor();
  assert.deepEqual(await page.locator('li').allTextContents(), [
    'created active', 'logged in Bearer', 'updated 2', 'read Acme & Söhne 2', 'rotated 2',
    'inserted 1152921504606846976 1970-01-01T00:00:00Z', 'patched precondition_failed 2', 'imported 2000 ', 'imported 1 ',
    'imported 1 document_exists', 'listed 2003, exported 1000', 'moved succeeded 2002', 'stopped AbortError', 'deleted Acme & Söhne', 'gone 404', 'end',
  ]);
  // Chromium reports refusals that were asked for; and some streams as aborted that were read to their last line, which
  // is checked above: an import's result, an export's trailer.
  const other = troubles.filter((t) => !/\b(404|412)\b|\/org\/(import|export)\b.*ERR_ABORTED$/.test(t));
  assert.deepEqual(other, []);
});

function serve(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://site');
  if (pathname === '/') {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(html);
  } else if (pathname.startsWith('/sdk/')) {
    const file = path.join(dist, pathname.slice('/sdk'.length));
    if (!file.endsWith('.js') || !existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': 'text/javascript' });
    createReadStream(file).pipe(response);
  } else {
    pass(request, response);
  }
}

function pass(request: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url } = request;
  const onward = forward(server.url + url, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}
