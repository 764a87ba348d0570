import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isOrgdError, Orgd, type OrganizationUpdate } from '@orgd/sdk';
import { Clock, fetchFailed, json, organization, problem, scriptedFetch, token, type Step } from './support/script.js';

const account = { email: 'a@acme.example', password: 'correct horse' };
const baseUrl = 'http://orgd.test';

/** A server that knows one account and the tokens that it issued; tests change its state. */
function fakeServer() {
  const state = { ...account, life: 3600, logins: 0, refused: 0, good: new Set<string>(), answers: [] as Step[] };
  const fetch = async (input: RequestInfo | URL): Promise<Response> => {
    const request = input as Request;
    const path = new URL(request.url).pathname;
    if (path === '/admin/login') {
      state.logins++;
      const { email, password } = (await request.json()) as typeof account;
      if (email !== state.email || password !== state.password) return problem(401, 'bad_credentials');
      state.good.add(`token${state.logins}`);
      return token(`token${state.logins}`, state.life);
    }
    if (!state.good.has(request.headers.get('Authorization')?.replace('Bearer ', '') ?? '')) {
      state.refused++;
      return problem(401, 'token_revoked');
    }
    if (path === '/org/update') {
      const { email, password } = (await request.json()) as OrganizationUpdate;
      const step = state.answers.shift() ?? json(organization);
      if (step instanceof Response && !step.ok) return step; // refused: nothing changes
      if (email ?? password) state.good.clear();
      state.email = email ?? state.email;
      state.password = password ?? state.password;
      if (step instanceof Error) throw step; // done, but the answer is lost
    }
    return json(organization);
  };
  return { state, fetch };
}

function start(t: TestContext) {
  const clock = new Clock(t);
  const { state, fetch } = fakeServer();
  return { clock, state, orgd: new Orgd({ baseUrl, ...account, fetch }) };
}

test('a login comes first, and once', async (t) => {
  const { state, orgd } = start(t);
  await Promise.all(Array.from({ length: 20 }, () => orgd.updateOrganization()));
  await orgd.getOrganization('Acme Inc');
  assert.equal(state.logins, 1);
  assert.equal(state.refused, 0);
});

test('a token is replaced before it runs out', async (t) => {
  for (const [life, fresh, stale] of [[3600, 3_569_000, 2000], [40, 35_000, 2000], [1, 850, 100]] as const) {
    await t.test(`of ${life} s`, async (t) => {
      const { clock, state, orgd } = start(t);
      state.life = life;
      await orgd.updateOrganization();
      await clock.advance(fresh);
      await orgd.updateOrganization();
      assert.equal(state.logins, 1);
      await clock.advance(stale);
      await Promise.all([orgd.updateOrganization(), orgd.updateOrganization(), orgd.getOrganization('x')]);
      assert.equal(state.logins, 2);
      assert.equal(state.refused, 0);
    });
  }
});

test('a token that the server refuses is replaced, once for all calls', async (t) => {
  const { state, orgd } = start(t);
  await orgd.updateOrganization();
  state.good.clear();
  await Promise.all(Array.from({ length: 10 }, () => orgd.getOrganization('x')));
  assert.equal(state.logins, 2);
});

test('a second refusal is final', async (t) => {
  const { state, orgd } = start(t);
  state.good.add = () => state.good; // it forgets every token at once
  await assert.rejects(orgd.updateOrganization(), (e) => isOrgdError(e, 'token_revoked') && !e.outcomeUnknown);
  assert.equal(state.logins, 2);
  assert.equal(state.refused, 2);
});

test('a wrong password is an error, not a loop', async (t) => {
  const { state, orgd } = start(t);
  state.password = 'another';
  await assert.rejects(orgd.updateOrganization(), (e) => isOrgdError(e, 'bad_credentials'));
  assert.equal(state.logins, 1);
  state.password = account.password;
  await orgd.updateOrganization();
});

test('a login that fails is tried again by itself, not by every call that waits for it', async (t) => {
  const clock = new Clock(t);
  const script = scriptedFetch(...Array.from({ length: 4 }, () => problem(503, 'unavailable')));
  const orgd = new Orgd({ baseUrl, ...account, fetch: script.fetch });
  const calls: Promise<unknown>[] = [orgd.updateOrganization(), orgd.deleteOrganization()];
  for (const { error } of await Promise.all(calls.map((call) => clock.until(call)))) assert.ok(isOrgdError(error, 'unavailable') && !error.outcomeUnknown);
  assert.equal(script.requests.length, 4);
});

test('a call that no longer waits does not end the login of others', async (t) => {
  new Clock(t);
  let answer: (response: Response) => void = () => undefined;
  const script = scriptedFetch(() => new Promise((resolve) => (answer = resolve)), json(organization));
  const orgd = new Orgd({ baseUrl, ...account, fetch: script.fetch });
  const controller = new AbortController();
  const left = assert.rejects(orgd.updateOrganization({}, { signal: controller.signal }), { name: 'AbortError' });
  const stays = orgd.updateOrganization();
  await new Promise(setImmediate);
  controller.abort();
  await left;
  answer(token('t1'));
  await stays;
  assert.deepEqual(script.authorizations(), [null, 'Bearer t1']);
});

test('new credentials are used from then on', async (t) => {
  const { state, orgd } = start(t);
  await orgd.updateOrganization({ password: 'staple gun' });
  await orgd.updateOrganization({ email: 'b@acme.example' });
  await orgd.api.updateOrganization({ body: { email: 'c@acme.example', password: 'third one' } });
  await orgd.updateOrganization();
  assert.equal(state.logins, 4);
  assert.equal(state.refused, 0);
});

test('credentials that were refused are not used', async (t) => {
  const { state, orgd } = start(t);
  state.answers = [problem(409, 'email_taken')];
  await assert.rejects(orgd.updateOrganization({ email: 'b@acme.example' }), (e) => isOrgdError(e, 'email_taken'));
  state.good.clear();
  await orgd.updateOrganization();
  assert.equal(state.logins, 2);
});

test('credentials whose change had no answer work, whichever are in force', async (t) => {
  await t.test('changed, and found out while trying again', async (t) => {
    const { clock, state, orgd } = start(t);
    state.answers = [fetchFailed('ECONNRESET')];
    const { error } = await clock.until(orgd.updateOrganization({ password: 'staple gun' }));
    assert.equal(error, undefined);
    await orgd.updateOrganization();
    assert.equal(state.password, 'staple gun');
  });
  await t.test('changed, and found out later', async (t) => {
    const { state, orgd } = start(t);
    state.answers = [problem(503, 'outcome_unknown')];
    await assert.rejects(orgd.updateOrganization({ password: 'staple gun' }), (e) => isOrgdError(e) && e.outcomeUnknown);
    state.password = 'staple gun';
    state.good.clear();
    await orgd.updateOrganization();
  });
  await t.test('not changed', async (t) => {
    const { state, orgd } = start(t);
    state.answers = [problem(503, 'outcome_unknown')];
    await assert.rejects(orgd.updateOrganization({ password: 'staple gun' }), (e) => isOrgdError(e, 'outcome_unknown'));
    state.good.clear();
    await orgd.updateOrganization();
  });
});

test('an update after one that had no clear answer is carried out, and its credentials are used', async (t) => {
  const { clock, state, orgd } = start(t);
  state.answers = [problem(503, 'outcome_unknown')];
  await assert.rejects(orgd.updateOrganization({ password: 'staple gun' }));
  state.password = 'staple gun';
  state.good.clear();
  state.answers = [problem(409, 'email_taken'), json(organization)];
  await assert.rejects(orgd.updateOrganization({ email: 'b@acme.example' }), (e) => isOrgdError(e, 'email_taken'));
  await orgd.updateOrganization({ email: 'c@acme.example' });
  await clock.settle();
  await orgd.updateOrganization();
  assert.equal(state.email, 'c@acme.example');
  assert.equal(state.password, 'staple gun');
});

test('credentials that change while a login with the old ones is under way are used', async (t) => {
  const clock = new Clock(t);
  const held: ((response: Response) => void)[] = [];
  const hold = () => new Promise<Response>((resolve) => held.push(resolve));
  const script = scriptedFetch(token('t1'), hold, problem(401, 'token_revoked'), hold, token('t2'), json(organization));
  const orgd = new Orgd({ baseUrl, ...account, fetch: script.fetch });
  const update = orgd.updateOrganization({ password: 'staple gun' });
  await clock.settle();
  const read = orgd.getOrganization('x'); // refused: the update is done, though its answer is not there yet
  await clock.settle();
  held[0]!(json(organization));
  await update;
  held[1]!(problem(401, 'bad_credentials'));
  await read;
  assert.deepEqual(script.authorizations(), [null, 'Bearer t1', 'Bearer t1', null, null, 'Bearer t2']);
});

test('an operation that is open to all is sent without a token when the login is refused', async (t) => {
  const clock = new Clock(t);
  const refused = () => problem(401, 'bad_credentials');
  const found = () => json(organization);
  const script = scriptedFetch(refused(), found(), found(), refused(), refused(), found(), token('t'), found());
  const orgd = new Orgd({ baseUrl, ...account, fetch: script.fetch });
  await orgd.getOrganization('x');
  await orgd.getOrganization('x'); // does not log in again so soon
  await assert.rejects(orgd.updateOrganization(), (e) => isOrgdError(e, 'bad_credentials'));
  await clock.advance(31_000);
  await orgd.getOrganization('x');
  await orgd.updateOrganization();
  assert.deepEqual(script.authorizations(), [null, null, null, null, null, null, null, 'Bearer t']);
});

test('a login whose answer has no token is an error that shows nothing of it', async () => {
  for (const body of [{}, { access_token: 'planted\r\n', expires_in: 60 }, { access_token: 'planted' }]) {
    const script = scriptedFetch(json(body));
    const error = await new Orgd({ baseUrl, ...account, fetch: script.fetch }).updateOrganization().catch((e: unknown) => e);
    assert.ok(isOrgdError(error, 'unexpected_response'));
    assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /planted/);
  }
});

test('a token whose organization is deleted is not used', async (t) => {
  const { state, orgd } = start(t);
  await orgd.deleteOrganization();
  await orgd.updateOrganization();
  assert.equal(state.logins, 2);
  assert.equal(state.refused, 0);
});

test('credentials go where they belong', async () => {
  const script = scriptedFetch(...Array.from({ length: 6 }, () => json(organization)));
  const orgd = new Orgd({ baseUrl, token: 'tenant', operatorKey: 'operator', fetch: script.fetch });
  await orgd.live();
  await orgd.createOrganization({ organization_name: 'x', ...account });
  await orgd.login(account);
  const { request } = await orgd.api.getOrganization({ query: { organization_name: 'x' } });
  await orgd.api.getOrganization({ query: { organization_name: 'x' }, headers: { Authorization: 'Bearer own' } });
  await new Orgd({ baseUrl, operatorKey: 'operator', fetch: script.fetch }).updateOrganization();
  assert.deepEqual(script.authorizations(), [null, null, null, 'Bearer tenant', 'Bearer own', null]);
  assert.equal(request.headers.get('Authorization'), null, 'the request that the caller gets has no token');
});

test('a client that has a token and an account begins with the token', async (t) => {
  new Clock(t);
  const script = scriptedFetch(json(organization), problem(401, 'unauthenticated'), token('new'), json(organization));
  const orgd = new Orgd({ baseUrl, ...account, token: 'old', fetch: script.fetch });
  await orgd.updateOrganization();
  await orgd.updateOrganization();
  assert.deepEqual(script.authorizations(), ['Bearer old', 'Bearer old', null, 'Bearer new']);
});
