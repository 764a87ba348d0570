import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOrgdError, Orgd, OrgdError } from '@orgd/sdk';
import { Clock, fetchFailed, json, organization, problem, scriptedFetch, type Step } from './support/script.js';

const creation = { organization_name: 'Acme Inc', email: 'a@acme.example', password: 'correct horse' };
const calls: Record<string, (orgd: Orgd) => Promise<unknown>> = {
  get: (orgd) => orgd.getOrganization('Acme Inc'),
  put: (orgd) => orgd.updateOrganization({}),
  delete: (orgd) => orgd.deleteOrganization(),
  patch: (orgd) => orgd.api.patchDocument({ path: { id: 'x' }, body: {} }),
  post: (orgd) => orgd.api.importDocuments({ body: '{}' as never }),
  keyed: (orgd) => orgd.createOrganization(creation, { headers: { 'Idempotency-Key': 'k1' } }),
  login: (orgd) => orgd.login(creation),
  live: (orgd) => orgd.live(),
  ready: (orgd) => orgd.ready(),
};
const page = () => new Response('<html>', { status: 502, headers: { 'Content-Type': 'text/html' } });
const teapot = (status: number) => new Response('busy', { status });

const repeatable = ['get', 'put', 'patch', 'delete', 'keyed', 'login'];
const all = [...repeatable, 'post'];
const cases: { name: string; answer: () => Step; repeated: string[]; doubtful: string[] }[] = [
  { name: '429', answer: () => problem(429, 'rate_limited'), repeated: all, doubtful: [] },
  { name: '429 of a proxy', answer: () => teapot(429), repeated: all, doubtful: [] },
  { name: '503 unavailable', answer: () => problem(503, 'unavailable'), repeated: all, doubtful: [] },
  { name: '503 outcome_unknown', answer: () => problem(503, 'outcome_unknown'), repeated: ['keyed'], doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: '502 of a proxy', answer: page, repeated: repeatable, doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: '503 of a proxy', answer: () => teapot(503), repeated: repeatable, doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: '504 of a proxy', answer: () => teapot(504), repeated: repeatable, doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: 'a lost connection', answer: () => fetchFailed('ECONNRESET'), repeated: repeatable, doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: 'no connection', answer: () => fetchFailed('ECONNREFUSED'), repeated: all, doubtful: [] },
  { name: 'no such host', answer: () => fetchFailed('ENOTFOUND'), repeated: [], doubtful: [] },
  { name: 'a certificate that is not trusted', answer: () => fetchFailed('DEPTH_ZERO_SELF_SIGNED_CERT'), repeated: [], doubtful: [] },
  { name: '500', answer: () => problem(500, 'internal'), repeated: [], doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: '507', answer: () => problem(507, 'quota_exceeded'), repeated: [], doubtful: [] },
  { name: '503 storage_full', answer: () => problem(503, 'storage_full'), repeated: [], doubtful: [] },
  { name: '503 query_timeout', answer: () => problem(503, 'query_timeout'), repeated: [], doubtful: [] },
  { name: 'the first of two with a key is under way', answer: () => problem(409, 'idempotency_in_progress'), repeated: repeatable, doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: '404', answer: () => problem(404, 'not_found'), repeated: [], doubtful: [] },
  { name: '409', answer: () => problem(409, 'operation_in_progress'), repeated: [], doubtful: [] },
  { name: 'no JSON', answer: () => new Response('{"a', { headers: { 'Content-Type': 'application/json' } }), repeated: [], doubtful: ['put', 'patch', 'delete', 'post', 'keyed', 'login'] },
  { name: 'nothing', answer: () => new Response('', { headers: { 'Content-Type': 'application/json' } }), repeated: [], doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
  { name: 'a web page', answer: () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }), repeated: [], doubtful: ['put', 'patch', 'delete', 'post', 'keyed'] },
];

for (const { name, answer, repeated, doubtful } of cases) {
  test(`after ${name}, what may be sent again is sent again`, async (t) => {
    const clock = new Clock(t);
    for (const [call, send] of Object.entries(calls)) {
      const once = scriptedFetch(answer());
      const plain = new Orgd({ baseUrl: 'http://orgd.test', token: 't', retries: 0, fetch: once.fetch });
      const { error } = await clock.until(send(plain));
      assert.ok(isOrgdError(error), call);
      assert.equal(error.outcomeUnknown, doubtful.includes(call), `${call}: outcomeUnknown`);
      assert.equal(/may have been carried out/.test(error.message), doubtful.includes(call), error.message);

      const script = scriptedFetch(answer(), json(organization));
      const ended = await clock.until(send(new Orgd({ baseUrl: 'http://orgd.test', token: 't', fetch: script.fetch })));
      assert.equal(script.requests.length, repeated.includes(call) ? 2 : 1, `${call}: requests`);
      assert.equal(isOrgdError(ended.error), !repeated.includes(call), `${call}: fails`);
    }
  });
}

test('the waits double, with jitter, and end after three', async (t) => {
  const clock = new Clock(t);
  const least = [100, 200, 400];
  let total = 0;
  for (const random of [0, 0.999999]) {
    t.mock.method(Math, 'random', () => random);
    const at: number[] = [];
    const script = scriptedFetch(...Array.from({ length: 4 }, () => () => (at.push(Date.now()), problem(503, 'unavailable'))));
    const { error, took } = await clock.until(new Orgd({ baseUrl: 'http://orgd.test', fetch: script.fetch }).getOrganization('x'));
    assert.ok(isOrgdError(error, 'unavailable'));
    assert.equal(script.requests.length, 4);
    const waits = at.slice(1).map((time, i) => time - at[i]!);
    assert.deepEqual(waits, least.map((ms) => ms * (random === 0 ? 1 : 2)));
    total += took;
  }
  assert.equal(total, 700 + 1400);
});

test('Retry-After is waited for', async (t) => {
  const clock = new Clock(t);
  t.mock.method(Math, 'random', () => 0);
  for (const [value, ms] of [['7', 7000], ['0', 1], ['Mon, 23 Nov 2026 00:01:00 GMT', undefined], ['soon', 100]] as const) {
    const script = scriptedFetch(problem(429, 'rate_limited', { 'Retry-After': value }), json(organization));
    const { took, error } = await clock.until(new Orgd({ baseUrl: 'http://orgd.test', fetch: script.fetch }).createOrganization(creation));
    if (ms !== undefined) assert.equal(took, ms, value);
    else assert.ok(isOrgdError(error, 'rate_limited') && error.retryAfter! > 30 && error.retryAfter! <= 60, value);
  }
});

test('a wait that is too long is not begun', async (t) => {
  const clock = new Clock(t);
  const script = scriptedFetch(problem(429, 'rate_limited', { 'Retry-After': '31' }));
  const { error, took } = await clock.until(new Orgd({ baseUrl: 'http://orgd.test', fetch: script.fetch }).createOrganization(creation));
  assert.ok(isOrgdError(error, 'rate_limited'));
  assert.equal(error.retryAfter, 31);
  assert.equal(took, 0);
});

test('every attempt has the same body, headers and method', async (t) => {
  const clock = new Clock(t);
  const bodies: string[] = [];
  const keep = (answer: Response) => async (request: Request) => {
    bodies.push(`${request.method} ${request.url} ${request.headers.get('X-Request-Id')} ${await request.text()}`);
    return answer;
  };
  const script = scriptedFetch(keep(problem(503, 'unavailable')), keep(problem(429, 'rate_limited')), keep(json(organization, 201)));
  const orgd = new Orgd({ baseUrl: 'http://orgd.test/base/', fetch: script.fetch });
  await clock.until(orgd.createOrganization(creation, { headers: { 'X-Request-Id': 'mine' } }));
  const want = `POST http://orgd.test/base/org/create mine ${JSON.stringify(creation)}`;
  assert.deepEqual(bodies, [want, want, want]);
});

test('a refusal after an attempt that may have been carried out says so', async (t) => {
  const clock = new Clock(t);
  const script = scriptedFetch(fetchFailed('ECONNRESET'), problem(401, 'token_revoked'));
  const { error } = await clock.until(new Orgd({ baseUrl: 'http://orgd.test', token: 't', fetch: script.fetch }).deleteOrganization());
  assert.ok(isOrgdError(error, 'token_revoked'));
  assert.equal(error.outcomeUnknown, true);
  assert.ok(isOrgdError(error.cause, 'network_error'));
});

test('a wait ends with the signal', async (t) => {
  const clock = new Clock(t);
  const script = scriptedFetch(problem(503, 'unavailable', { 'Retry-After': '20' }));
  const controller = new AbortController();
  const call = new Orgd({ baseUrl: 'http://orgd.test', fetch: script.fetch }).getOrganization('x', { signal: controller.signal });
  const reason = new Error('enough');
  const rejected = assert.rejects(call, reason);
  await clock.advance(1000);
  controller.abort(reason);
  await rejected;
  await clock.advance(60_000);
  assert.equal(script.requests.length, 1);
});

test('a signal that is aborted before sends nothing', async () => {
  const script = scriptedFetch();
  const orgd = new Orgd({ baseUrl: 'http://orgd.test', email: 'a', password: 'b', fetch: script.fetch });
  const signal = AbortSignal.abort();
  for (const call of [orgd.live({ signal }), orgd.deleteOrganization({ signal }), orgd.createOrganization(creation, { signal })]) {
    await assert.rejects(call, { name: 'AbortError' });
  }
  assert.deepEqual(script.requests.map((r) => new URL(r.url).pathname).filter((p) => p !== '/admin/login'), []);
});

test('an error has what the problem says', async () => {
  const errors = [{ pointer: '#/email', detail: 'is no address' }];
  const more = { operation_id: '019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071', errors };
  const script = scriptedFetch(problem(409, 'operation_in_progress', { 'X-Request-Id': 'r1', 'Retry-After': '3' }, more));
  const error = await new Orgd({ baseUrl: 'http://orgd.test', token: 't', fetch: script.fetch }).updateOrganization().catch((e: unknown) => e);
  assert.ok(error instanceof OrgdError);
  const want = {
    name: 'OrgdError', message: 'Detail. #/email: is no address [operation_in_progress, 409, request r1]', status: 409,
    code: 'operation_in_progress', detail: 'Detail.', errors, requestId: 'r1', operationId: more.operation_id, retryAfter: 3,
    outcomeUnknown: false,
  };
  assert.deepEqual(JSON.parse(JSON.stringify(error)), want);
  assert.equal(isOrgdError(error), true);
  assert.equal(isOrgdError(error, 'name_taken', 'email_taken'), false);
  if (isOrgdError(error, 'operation_in_progress')) error.code satisfies 'operation_in_progress';
  assert.equal(isOrgdError(new Error('other')), false);
});
