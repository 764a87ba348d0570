// Waiting for operations, imports and exports, with answers from a script.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isConflict, isOrgdError, Orgd, type ImportProgress, type OrgdOptions } from '@orgd/sdk';
import { collect } from './support/check.js';
import { Clock, fetchFailed, json, problem, scriptedFetch, token, type Step } from './support/script.js';

const id = '019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071';
const operation = (state: string, more: object = {}) => json({ id, kind: 'update', state, step: 'copy', ...more });
const account = { email: 'a@acme.example', password: 'correct horse' };

function client(steps: Step[], options: object = { token: 't' }) {
  const script = scriptedFetch(...steps);
  return { ...script, orgd: new Orgd({ baseUrl: 'http://orgd.test', fetch: script.fetch, ...options } as OrgdOptions) };
}

test('the waits get longer, up to a second', async (t) => {
  const clock = new Clock(t);
  const at: number[] = [];
  const running = () => (at.push(Date.now()), operation('running', { documents_copied: at.length }));
  const { orgd } = client([...Array.from({ length: 15 }, () => running), operation('succeeded')]);
  const seen: number[] = [];
  const { value } = await clock.until(orgd.waitOperation(id, { onProgress: (o) => seen.push(o.documents_copied) }));
  assert.equal(value?.state, 'succeeded');
  assert.equal(seen.length, 16);
  const waits = at.slice(1).map((time, i) => time - at[i]!);
  assert.deepEqual([waits[0], waits[1], waits.at(-1)], [50, 75, 1000]);
});

test('an operation that failed throws what it failed with', async () => {
  const { orgd } = client([operation('failed', { error: { code: 'email_taken', detail: 'Another admin has it.' } })]);
  const error: unknown = await orgd.waitOperation(id).catch((e: unknown) => e);
  assert.ok(isOrgdError(error, 'email_taken') && isConflict(error));
  assert.equal(error.message, 'Another admin has it. [email_taken]');
  assert.deepEqual([error.status, error.operationId, error.outcomeUnknown], [0, id, false]);
});

test('a wait outlasts a server that is away for a while, and no longer', async (t) => {
  const clock = new Clock(t);
  const away = () => fetchFailed('ECONNREFUSED');
  const some = client([operation('running'), ...Array.from({ length: 20 }, away), operation('succeeded')]);
  assert.equal((await clock.until(some.orgd.waitOperation(id))).value?.state, 'succeeded');
  const forever = client(Array.from({ length: 1000 }, away));
  const { error, took } = await clock.until(forever.orgd.waitOperation(id));
  assert.ok(isOrgdError(error, 'network_error'));
  assert.ok(took >= 60_000 && took < 70_000, String(took));
});

test('a wait ends with its signal', async (t) => {
  const clock = new Clock(t);
  const controller = new AbortController();
  const { orgd, requests } = client([operation('running')]);
  const waiting = assert.rejects(orgd.waitOperation(id, { signal: controller.signal }), { message: 'enough' });
  await clock.advance(10);
  controller.abort(new Error('enough'));
  await waiting;
  assert.equal(requests.length, 1);
});

test('401 is the end of a deletion, and of nothing else', async () => {
  const begun = () => operation('running', { kind: 'delete' });
  const accepted = () => json({ id, kind: 'delete', state: 'running', step: 'claim' }, 202, { 'Preference-Applied': 'respond-async' });
  const revoked = () => problem(401, 'token_revoked');
  const refused = () => problem(401, 'bad_credentials');

  const plain = client([begun, revoked]);
  assert.equal((await plain.orgd.waitOperation(id)).state, 'succeeded');
  const withPassword = client([token('one'), accepted, begun, revoked, refused], account);
  const deletion = await withPassword.orgd.startDelete();
  assert.equal((await withPassword.orgd.waitOperation(deletion.id)).state, 'succeeded');
  assert.equal(withPassword.requests[1]!.headers.get('Prefer'), 'respond-async');
  assert.deepEqual(withPassword.authorizations(), [null, 'Bearer one', 'Bearer one', 'Bearer one', null]);

  const update = client([operation('running'), revoked]);
  await assert.rejects(update.orgd.waitOperation(id), (e) => isOrgdError(e, 'token_revoked'));
  const expired = client([begun, problem(401, 'unauthenticated')]);
  await assert.rejects(expired.orgd.waitOperation(id), (e) => isOrgdError(e, 'unauthenticated'));
  const changed = client([begun, problem(401, 'unauthenticated'), refused], { ...account, token: 't' });
  await assert.rejects(changed.orgd.waitOperation(id), (e) => isOrgdError(e, 'bad_credentials') && isOrgdError(e.cause, 'unauthenticated'));
});

test('creates have a key, the same for every attempt, another for every call', async (t) => {
  const clock = new Clock(t);
  const steps = () => [fetchFailed('ECONNRESET'), problem(409, 'idempotency_in_progress', { 'Retry-After': '1' }), problem(503, 'outcome_unknown'), json({}, 201, { ETag: '"1"' })];
  const { orgd, requests } = client([...steps(), ...steps()]);
  await clock.until(orgd.documents().insert({ n: 1 }));
  await clock.until(orgd.createOrganization({ organization_name: 'Acme', ...account }));
  const keys = requests.map((request) => request.headers.get('Idempotency-Key'));
  assert.equal(keys.length, 8);
  assert.match(keys[0]!, /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys.slice(0, 4)).size, 1);
  assert.equal(new Set(keys.slice(4)).size, 1);
  assert.notEqual(keys[0], keys[4]);

  const own = client([json({}, 201, { ETag: '"1"' }), json({}), json({}, 201)], { token: 't' });
  await own.orgd.documents().insert({}, { idempotencyKey: 'mine' });
  await own.orgd.updateOrganization();
  await own.orgd.api.createDocument({ body: {}, headers: { 'Idempotency-Key': 'mine' } });
  assert.deepEqual(own.requests.map((request) => request.headers.get('Idempotency-Key')), ['mine', null, 'mine']);
  const once = client([json({}, 201, { ETag: '"1"' })], { token: 't', retries: 0 });
  await once.orgd.documents().insert({});
  assert.equal(once.requests[0]!.headers.get('Idempotency-Key'), null);
});

test('a request whose first attempt is still running is tried again', async (t) => {
  const clock = new Clock(t);
  const { orgd, requests } = client(Array.from({ length: 4 }, () => problem(409, 'idempotency_in_progress', { 'Retry-After': '1' })));
  const { error } = await clock.until(orgd.documents().insert({}, { idempotencyKey: 'mine' }));
  assert.ok(isOrgdError(error, 'idempotency_in_progress') && error.outcomeUnknown);
  assert.equal(requests.length, 4);
});

test('an error that would not pass is not tried again', async () => {
  for (const [status, code] of [[503, 'query_timeout'], [507, 'quota_exceeded'], [412, 'precondition_failed']] as const) {
    const { orgd, requests } = client([problem(status, code, { 'Retry-After': '1' })]);
    const error: unknown = await orgd.documents().put('x', {}).catch((e: unknown) => e);
    assert.ok(isOrgdError(error, code) && !error.outcomeUnknown, code);
    assert.equal(requests.length, 1);
  }
});

test('a condition that failed after an attempt in doubt is in doubt', async (t) => {
  const clock = new Clock(t);
  const { orgd, requests } = client([fetchFailed('ECONNRESET'), problem(412, 'precondition_failed')]);
  const { error } = await clock.until(orgd.documents().put('x', {}, { ifMatch: '"1"' }));
  assert.ok(isOrgdError(error, 'precondition_failed') && error.outcomeUnknown);
  assert.deepEqual(requests.map((request) => request.headers.get('If-Match')), ['"1"', '"1"']);
});

const ndjson = (...lines: object[]) => new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { headers: { 'Content-Type': 'application/x-ndjson', 'X-Request-Id': 'r1' } });
const counts = { lines: 3, inserted: 3, replaced: 0, skipped: 0, failed: 0 };

test('an import without its result, or that did not come to its end, is an error with what is known', async () => {
  const progress = { type: 'progress', ...counts };
  const result = { type: 'result', ...counts, complete: true };
  for (const [lines, code, imported] of [
    [[], 'network_error', undefined],
    [[progress], 'network_error', progress],
    [[progress, { ...result, complete: false, code: 'suspended', detail: 'Suspended.' }], 'suspended', { ...result, complete: false, code: 'suspended', detail: 'Suspended.' }],
    [[result, progress], 'unexpected_response', result],
  ] as const) {
    const { orgd } = client([ndjson(...lines)]);
    const told: ImportProgress[] = [];
    const error: unknown = await orgd.importDocuments([{ n: 1 }], { onProgress: (p) => told.push(p) }).catch((e: unknown) => e);
    assert.ok(isOrgdError(error, code), String(error));
    assert.equal(error.outcomeUnknown, true);
    assert.equal(error.requestId, 'r1');
    assert.deepEqual(error.imported, imported);
    assert.deepEqual(told, lines[0] === progress ? [progress] : []);
  }
  const { orgd } = client([ndjson(progress, result)]);
  assert.deepEqual(await orgd.importDocuments('{}'), { ...result, errors: [] });
});

test('an answer that is no stream of lines is not orgd’s', async () => {
  for (const call of [(orgd: Orgd) => orgd.importDocuments('{}'), (orgd: Orgd) => collect(orgd.exportDocuments())]) {
    for (const answer of [json({}), new Response('<html>', { headers: { 'Content-Type': 'text/html' } })]) {
      await assert.rejects(call(client([answer]).orgd), (e) => isOrgdError(e, 'unexpected_response'));
    }
  }
});

test('an import that is not a stream is tried again when nothing was done', async (t) => {
  const clock = new Clock(t);
  const bodies: string[] = [];
  const answer = (response: Response) => async (request: Request) => (bodies.push(await request.text()), response);
  const steps = () => [answer(problem(503, 'unavailable')), answer(ndjson({ type: 'result', ...counts, complete: true }))];
  const { orgd, requests } = client([...steps(), ...steps(), ...steps()]);
  for (const body of ['{"n":1}\n', new Blob(['{"n":1}\n'])]) await clock.until(orgd.importDocuments(body, { onConflict: 'skip' }));
  await clock.until(orgd.importDocuments([{ n: 1 }], { stream: false, onConflict: 'skip' }));
  assert.deepEqual(bodies, Array.from({ length: 6 }, () => '{"n":1}\n'));
  assert.equal(new URL(requests[0]!.url).search, '?on_conflict=skip');
  assert.equal(requests[5]!.headers.get('Content-Type'), 'application/x-ndjson');
});

test('a source that has nothing for long keeps the connection, between lines', async (t) => {
  const clock = new Clock(t);
  let body: Promise<string> | undefined;
  const { orgd } = client([async (request) => ((body = request.text()), await body, ndjson({ type: 'result', ...counts, complete: true }))]);
  const pause = () => new Promise((done) => setTimeout(done, 25_000));
  async function* slow() {
    yield { n: 1 };
    await pause();
    yield '{"n"';
    await pause();
    yield ':2}\n';
  }
  const { value } = await clock.until(orgd.importDocuments(slow()));
  assert.equal(value?.complete, true);
  assert.equal(await body, '{"n":1}\n  {"n":2}\n');
});

const trailer = (documents: number, more: object = {}) => ({ _trailer: { documents, complete: true, ...more } });

test('an export without a whole trailer is an error, after the documents', async () => {
  for (const [lines, code] of [
    [[{ _id: 'a' }], 'network_error'],
    [[{ _id: 'a' }, trailer(2)], 'network_error'],
    [[{ _id: 'a' }, trailer(1, { complete: false, code: 'unavailable', detail: 'Gone.' })], 'unavailable'],
    [[{ _id: 'a' }, trailer(1), { _id: 'b' }], 'unexpected_response'],
  ] as const) {
    const { orgd } = client([ndjson(...lines)]);
    const seen: object[] = [];
    await assert.rejects(
      async () => {
        for await (const one of orgd.exportDocuments()) seen.push(one);
      },
      (e) => isOrgdError(e, code) && e.requestId === 'r1',
    );
    assert.deepEqual(seen, [{ _id: 'a' }]);
  }
  const { orgd, requests } = client([ndjson({ _id: 'a' }, trailer(1))]);
  assert.deepEqual(await collect(orgd.exportDocuments({ filter: { n: 2n ** 60n }, canonical: true })), [{ _id: 'a' }]);
  const { searchParams } = new URL(requests[0]!.url);
  assert.deepEqual(Object.fromEntries(searchParams), { filter: '{"n":{"$numberLong":"1152921504606846976"}}', canonical: 'true' });
});

test('a long filter goes into a body, and is sent again', async (t) => {
  const clock = new Clock(t);
  const long = Array.from({ length: 300 }, (_, i) => `value ${i}`);
  const filter = { n: { $in: [2n ** 60n, ...long] } };
  const reset = () => fetchFailed('ECONNRESET');
  const { orgd, requests } = client([reset(), ndjson({ _id: 'a' }, trailer(1)), reset(), json({ items: [{ _id: 'b' }] })]);
  const exported = await clock.until(collect(orgd.exportDocuments({ filter, canonical: true })));
  const listed = await clock.until(orgd.documents().page({ filter, sort: '-_id', limit: 2 }));
  assert.deepEqual([exported.value, listed.value?.items], [[{ _id: 'a' }], [{ _id: 'b' }]]);
  const sent = await Promise.all(requests.map(async (r) => [`${r.method} ${new URL(r.url).pathname}`, JSON.parse(await r.clone().text())]));
  const wire = { n: { $in: [{ $numberLong: '1152921504606846976' }, ...long] } };
  const [exporting, listing] = [{ filter: wire, canonical: true }, { sort: '-_id', limit: 2, filter: wire }];
  assert.deepEqual(sent, [
    ...[exporting, exporting].map((body) => ['POST /org/export', body]),
    ...[listing, listing].map((body) => ['POST /org/documents/query', body]),
  ]);
});
