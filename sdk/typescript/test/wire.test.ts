// Behaviour that only a socket can show. There are no timers: retries are requested with Retry-After: 0, or not wanted.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { isOrgdError, lines, Orgd, type OrgdOptions } from '@orgd/sdk';
import { scripted, type Answer } from './support/server.js';

const organization = JSON.stringify({ id: 'x', organization_name: 'Acme Inc' });
const account = { email: 'a@acme.example', password: 'correct horse' };

const ok: Answer = (response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(organization);
const brokenOff: Answer = (response) => {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' });
  response.write('{"id":', () => response.destroy());
};

async function against(answers: Answer[], options: object = {}) {
  const server = await scripted(...answers);
  after(server.close);
  return { ...server, orgd: new Orgd({ baseUrl: server.url, retries: 1, ...options } as OrgdOptions) };
}

test('an answer that breaks off is asked for again, or is an error', async () => {
  const { orgd, received } = await against([brokenOff, ok, brokenOff, brokenOff]);
  assert.equal((await orgd.getOrganization('Acme Inc')).organization_name, 'Acme Inc');
  const error = await orgd.createOrganization({ organization_name: 'x', ...account }).catch((e: unknown) => e);
  assert.ok(isOrgdError(error, 'network_error') && error.outcomeUnknown);
  assert.equal(received.length, 4);
});

test('a connection that is closed without an answer is tried again', async () => {
  const { orgd, received } = await against([(response) => response.destroy(), ok]);
  await orgd.getOrganization('x');
  assert.equal(received.length, 2);
});

test('the error says that no server listens', async () => {
  const { orgd, close } = await against([], { retries: 0 });
  await close();
  const error = await orgd.createOrganization({ organization_name: 'x', ...account }).catch((e: unknown) => e);
  assert.ok(isOrgdError(error, 'network_error'));
  assert.equal(error.message, 'No answer from the server (ECONNREFUSED). [network_error]');
  assert.equal(error.status, 0);
  assert.equal(error.outcomeUnknown, false);
});

test('redirects are not followed', async () => {
  for (const status of [301, 302, 307, 308]) {
    const other = await scripted(ok);
    after(other.close);
    const { orgd, received } = await against([(response) => response.writeHead(status, { Location: other.url }).end()]);
    await assert.rejects(orgd.login(account), (e) => isOrgdError(e, 'unexpected_response') && /redirect/.test(e.message));
    assert.equal(received.length, 1);
    assert.equal(other.received.length, 0);
  }
});

test('a call in flight ends with its signal', async () => {
  const controller = new AbortController();
  const reason = new Error('the user has left');
  const { orgd, received } = await against([() => controller.abort(reason)]);
  await assert.rejects(orgd.getOrganization('x', { signal: controller.signal }), reason);
  assert.equal(received.length, 1);
  const timedOut = await against([() => undefined]);
  await assert.rejects(timedOut.orgd.live({ signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' });
});

test('an answer in flight ends with the signal', async () => {
  const controller = new AbortController();
  const { orgd } = await against([
    (response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('{', () => setImmediate(() => controller.abort()));
    },
  ]);
  await assert.rejects(orgd.getOrganization('x', { signal: controller.signal }), { name: 'AbortError' });
});

test('a body that is a stream is sent once', async () => {
  const busy: Answer = (response) => response.writeHead(503, { 'Retry-After': '0' }).end();
  const { orgd, received } = await against([busy]);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(organization));
      controller.close();
    },
  });
  const options = { body: body as never, bodySerializer: null };
  await assert.rejects(orgd.api.updateOrganization(options), (e) => isOrgdError(e) && e.status === 503);
  assert.deepEqual(received.map((r) => r.body), [organization]);
});

test('lines arrive while the stream goes on', async () => {
  let write: (text: string) => void = () => undefined;
  const { orgd } = await against([
    (response) => {
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
      write = (text) => void response.write(text);
      write('{"n":1}\n{"n"');
    },
  ]);
  const result = await orgd.api.getOrganization({ query: { organization_name: 'x' } });
  const stream = lines<{ n: number }>(result);
  assert.deepEqual((await stream.next()).value, { n: 1 });
  write(':2}\n');
  assert.deepEqual((await stream.next()).value, { n: 2 });
  await stream.return();
});

test('a stream whose connection is lost is an error, and one that is aborted ends with the reason', async () => {
  const start: Answer = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    response.write('{"n":1}\n', () => setImmediate(() => response.destroy()));
  };
  const { orgd } = await against([start, (response) => response.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).write('{"n":1}\n')]);
  const get = (signal?: AbortSignal) => orgd.api.getOrganization({ query: { organization_name: 'x' }, signal: signal ?? null });
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const line of lines(get())) seen.push(line);
  }, (e) => isOrgdError(e, 'network_error'));
  const controller = new AbortController();
  await assert.rejects(async () => {
    for await (const line of lines(get(controller.signal))) {
      seen.push(line);
      controller.abort(new Error('enough'));
    }
  }, { message: 'enough' });
  assert.deepEqual(seen, [{ n: 1 }, { n: 1 }]);
});

test('a signal that is for many calls is left as it was, and still ends a stream', async () => {
  const controller = new AbortController();
  const stream: Answer = (response) => response.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).write('1\n');
  const { orgd } = await against([...Array.from({ length: 20 }, () => ok), stream]);
  const get = () => orgd.api.getOrganization({ query: { organization_name: 'x' }, signal: controller.signal });
  for (let i = 0; i < 20; i++) await get();
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
  const rest = lines(get());
  await rest.next();
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  controller.abort(new Error('enough'));
  await assert.rejects(rest.next(), { message: 'enough' });
});

const secrets = { email: 'planted@acme.example', password: 'planted-password', token: 'planted-token', operatorKey: 'planted-key' };

test('no error and no way to print a client shows a secret', async () => {
  const echo: Answer = (response, request) => response.writeHead(502, { 'Content-Type': 'text/plain', 'X-Request-Id': request.headers.authorization ?? request.body }).end(JSON.stringify(request));
  const echoJSON: Answer = (response, request) => response.writeHead(500, { 'Content-Type': 'application/json' }).end(JSON.stringify(request));
  const echoProblem: Answer = (response, request) => {
    const [detail, request_id] = [JSON.stringify(request), `${request.headers.authorization} ${request.body}`];
    response.writeHead(422, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ title: 'T', status: 422, code: 'invalid', detail, request_id, errors: [{ pointer: '#/password', detail }] }));
  };
  const badJSON: Answer = (response, request) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(`${request.body}planted`);
  const page: Answer = (response, request) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(request.body);
  const lost: Answer = (response) => response.destroy();
  const kinds = [echo, echoJSON, echoProblem, badJSON, page, lost];
  const { orgd, received } = await against(kinds.flatMap((kind) => [kind, kind]), { ...secrets, retries: 0 });
  const errors: unknown[] = [];
  for (const _ of kinds) {
    errors.push(await orgd.login({ email: secrets.email, password: secrets.password }).catch((e: unknown) => e));
    errors.push(await orgd.updateOrganization({ password: 'planted-password-2' }).catch((e: unknown) => e));
  }
  assert.match(JSON.stringify(received), /planted-password-2.*planted-token|planted-token.*planted-password-2/);
  for (const e of errors) {
    assert.ok(isOrgdError(e));
    free(`${e.message} ${e.stack} ${JSON.stringify(e)} ${inspect(e, { depth: Infinity, showHidden: true })}`);
  }
  free(inspect(orgd, { depth: Infinity, showHidden: true }) + JSON.stringify(orgd));
});

test('what cannot be sent or used is refused without showing it', async () => {
  const orgd = new Orgd({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
  const unsendable = await orgd.live({ headers: { Authorization: 'planted\nplanted' } }).catch((e: unknown) => e);
  assert.ok(unsendable instanceof TypeError);
  free(inspect(unsendable));
  for (const [options, message] of [
    [{ baseUrl: 'https://planted:planted@orgd.example' }, /credentials do not belong/],
    [{ baseUrl: 'planted password' }, /not a URL/],
    [{ baseUrl: 'ftp://planted' }, /does not begin with/],
    [{ baseUrl: 'http://orgd.test/?planted' }, /has a query/],
    [{}, /missing/],
    [{ baseUrl: 'http://x', token: 'planted\r\nX: y' }, /token/],
    [{ baseUrl: 'http://x', token: '' }, /token/],
    [{ baseUrl: 'http://x', operatorKey: 'plänted' }, /operatorKey/],
    [{ baseUrl: 'http://x', email: 'planted' }, /go together/],
    [{ baseUrl: 'http://x', retries: -1 }, /retries/],
  ] as const) {
    assert.throws(() => new Orgd(options as OrgdOptions), (e: Error) => (free(inspect(e)), message.test(e.message)));
  }
});

function free(text: string) {
  const found = /.{0,60}planted(?!@acme).{0,20}/.exec(text);
  assert.equal(found?.[0], undefined);
}
