// Every operation of the contract, those to come included, logs in, tries again and fails as an OrgdError.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isOrgdError, Orgd } from '@orgd/sdk';
import { Clock, json, problem, scriptedFetch, token } from './support/script.js';
import { startOrgd, type RunningOrgd } from './support/server.js';

const account = { email: 'a@acme.example', password: 'correct horse' };
const baseUrl = 'http://orgd.test';

interface Operation {
  id: string;
  path: string;
  method: string;
  /** The operation's credential: none, a token, or an optional token. */
  credential: 'none' | 'token' | 'any';
  policy: Policy;
}

/** An operation, as the contract's x-policy says. */
interface Policy {
  plane: 'public' | 'tenant' | 'operator';
  probe?: true;
}

let server: RunningOrgd;
let operations: Operation[];

before(async () => {
  server = await startOrgd();
  operations = operationsOf(await (await fetch(`${server.url}/openapi.json`)).json());
});
after(() => server.stop());

interface Contract {
  security: object[];
  paths: Record<string, Record<string, { operationId: string; tags: string[]; security?: object[]; 'x-policy': Policy }>>;
}

function operationsOf({ paths, security: usual }: Contract): Operation[] {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => /^(get|put|post|delete|patch)$/.test(method))
      .map(([method, { operationId: id, tags, security = usual, 'x-policy': policy }]) => {
        const optional = security.some((one) => Object.keys(one).length === 0);
        const credential = security.length === 0 ? ('none' as const) : optional ? ('any' as const) : ('token' as const);
        return { id, path, method, tags, credential, policy };
      }),
  );
  return all.filter(({ tags }) => !tags.includes('docs'));
}

/** Calls an operation with arbitrary arguments, which the generated code does not check. */
function call(operation: Operation, orgd: Orgd): Promise<{ data: unknown }> {
  const methods = orgd.api as unknown as Record<string, (options: object) => Promise<{ data: unknown }>>;
  const body = operation.method === 'get' ? {} : { body: {} };
  return methods[operation.id]!({ ...body, query: {}, path: new Proxy({}, { get: () => 'x' }) });
}

test('every operation', async (t) => {
  assert.ok(operations.length >= 7);
  for (const operation of operations) {
    await t.test(operation.id, async (t) => {
      const clock = new Clock(t);
      const isOperators = operation.policy.plane === 'operator';
      await t.test('sends the credential that it takes', async () => {
        const { fetch, authorizations } = scriptedFetch(json({}));
        await call(operation, new Orgd({ baseUrl, token: 'T', operatorKey: 'O', fetch }));
        assert.deepEqual(authorizations(), [operation.credential === 'none' ? null : isOperators ? 'Bearer O' : 'Bearer T']);
      });
      await t.test('fails as an OrgdError', async () => {
        const { fetch } = scriptedFetch(problem(422, 'invalid'));
        await assert.rejects(call(operation, new Orgd({ baseUrl, fetch })), (e) => isOrgdError(e, 'invalid'));
      });
      await t.test('tries again', async () => {
        const { fetch, requests } = scriptedFetch(problem(503, 'unavailable'), problem(429, 'rate_limited'), json({ fine: true }));
        const { value } = await clock.until(call(operation, new Orgd({ baseUrl, fetch })));
        const once = operation.policy.probe === true;
        assert.equal(requests.length, once ? 1 : 3);
        assert.deepEqual(value?.data, once ? undefined : { fine: true });
      });
      if (operation.credential === 'none' || isOperators) return;
      await t.test('logs in, and again', async () => {
        const script = scriptedFetch(token('one'), problem(401, 'token_revoked'), token('two'), json({ fine: true }));
        const { data } = await call(operation, new Orgd({ baseUrl, ...account, fetch: script.fetch }));
        assert.deepEqual(data, { fine: true });
        assert.deepEqual(script.authorizations(), [null, 'Bearer one', null, 'Bearer two']);
      });
      await t.test('does without a token if it can', async () => {
        const { fetch, requests } = scriptedFetch(problem(401, 'bad_credentials'), json({ fine: true }));
        const called = call(operation, new Orgd({ baseUrl, ...account, fetch }));
        if (operation.credential === 'any') assert.deepEqual((await called).data, { fine: true });
        else await assert.rejects(called, (e) => isOrgdError(e, 'bad_credentials'));
        assert.equal(requests.length, operation.credential === 'any' ? 2 : 1);
      });
    });
  }
});
