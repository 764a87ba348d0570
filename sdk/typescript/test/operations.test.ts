// Every operation of the contract, those to come included, logs in, tries again and fails as an OrgdError.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOrgdError, Orgd, type Api } from '@orgd/sdk';
import { Clock, json, problem, scriptedFetch, token } from './support/script.js';

const account = { email: 'a@acme.example', password: 'correct horse' };
type Operation = (options: object) => Promise<{ data: unknown; response: Response }>;

const api = new Orgd({ baseUrl: 'http://orgd.test' }).api;
const operations = Object.getOwnPropertyNames(Object.getPrototypeOf(api)).filter((name) => name !== 'constructor');

/** Calls an operation with anything for everything: the generated code does not check. */
function call(orgd: Orgd, name: string) {
  const operation = (orgd.api as unknown as Record<string, Operation>)[name]!;
  const body = /\.get\(/.test(operation.toString()) ? {} : { body: {} };
  return operation.call(orgd.api, { ...body, query: {}, path: new Proxy({}, { get: () => 'x' }) });
}

test('there are operations', () => {
  const some: (keyof Api)[] = ['createOrganization', 'getOrganization', 'updateOrganization', 'deleteOrganization', 'login'];
  assert.deepEqual(some.filter((name) => !operations.includes(name)), []);
});

for (const name of operations) {
  test(name, async (t) => {
    const clock = new Clock(t);
    const probe = scriptedFetch(json({}));
    await call(new Orgd({ baseUrl: 'http://orgd.test', token: 'T', operatorKey: 'O', fetch: probe.fetch }), name);
    const request = probe.requests[0]!;
    const path = new URL(request.url).pathname;
    const credential = request.headers.get('Authorization');
    assert.ok([null, path.startsWith('/operator/') ? 'Bearer O' : 'Bearer T'].includes(credential));

    const failing = scriptedFetch(problem(422, 'invalid'));
    const failed = call(new Orgd({ baseUrl: 'http://orgd.test', fetch: failing.fetch }), name);
    await assert.rejects(failed, (e) => isOrgdError(e, 'invalid') && e.status === 422);

    if (!/^\/(livez|readyz)$/.test(path)) {
      const busy = scriptedFetch(problem(503, 'unavailable'), problem(429, 'rate_limited'), json({ fine: true }));
      const { value } = await clock.until(call(new Orgd({ baseUrl: 'http://orgd.test', fetch: busy.fetch }), name));
      assert.deepEqual(value?.data, { fine: true });
    }
    if (credential === 'Bearer T') {
      const steps = [token('one'), problem(401, 'token_revoked'), token('two'), json({ fine: true })];
      const revoked = scriptedFetch(...steps);
      const { data } = await call(new Orgd({ baseUrl: 'http://orgd.test', ...account, fetch: revoked.fetch }), name);
      assert.deepEqual(data, { fine: true });
      assert.deepEqual(revoked.authorizations(), [null, 'Bearer one', null, 'Bearer two']);
    }
  });
}
