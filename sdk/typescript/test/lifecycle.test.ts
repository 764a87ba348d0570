// Operations and the operator's plane, against the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isOrgdError, Orgd, type Operation } from '@orgd/sdk';
import { collect, fails } from './support/check.js';
import { startOrgd, type RunningOrgd } from './support/server.js';

const operatorKey = 'operator-key-of-thirty-two-bytes-or-more';
let server: RunningOrgd;
let graceful: RunningOrgd;
let count = 0;

before(async () => {
  [server, graceful] = await Promise.all([
    startOrgd({ OPERATOR_KEY: operatorKey }),
    startOrgd({ OPERATOR_KEY: operatorKey, DELETE_GRACE: '1h' }),
  ]);
});
after(() => Promise.all([server, graceful].map((one) => one.stop())));

async function member(baseUrl = server.url) {
  const account = { email: `admin${++count}@acme.example`, password: `correct horse ${count}` };
  const orgd = new Orgd({ baseUrl, operatorKey, ...account });
  const organization = await orgd.createOrganization({ organization_name: `Acme ${count}`, ...account });
  return { orgd, account, organization, id: organization.id };
}

test('an update goes on while the client waits for it', async () => {
  const { orgd, organization } = await member();
  await orgd.importDocuments(Array.from({ length: 2000 }, (_, n) => ({ n })));
  const begun = await orgd.startUpdate({ organization_name: 'Acme Corporation' });
  assert.equal(begun.kind, 'update');
  const seen: Operation[] = [];
  const ended = await orgd.waitOperation(begun, { onProgress: (operation) => seen.push(operation) });
  assert.equal(ended.state, 'succeeded');
  assert.equal(ended.documents_copied, 2000);
  assert.deepEqual(seen.at(-1), ended);
  assert.deepEqual(await orgd.waitOperation(begun.id), ended);
  assert.deepEqual(await orgd.getOperation(begun.id), ended);
  const now = await orgd.getOrganization('Acme Corporation');
  assert.equal(now.id, organization.id);
  assert.equal(now.generation, 2);

  await orgd.updateOrganization({ migrate: false });
  await orgd.updateOrganization();
  const all = await collect(orgd.operations({ limit: 2 }));
  assert.ok(all.length >= 3);
  assert.equal(all.at(-1)?.kind, 'create');
  assert.ok(all.some(({ id }) => id === ended.id));
  await fails(orgd.getOperation('019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55'), 404, 'not_found');
});

test('new credentials are used as soon as they are in force', async () => {
  const { orgd, account } = await member();
  const email = `new${count}@acme.example`;
  for (const change of [{ password: 'staple gun and a horse' }, { email }]) {
    assert.equal((await orgd.waitOperation(await orgd.startUpdate(change))).state, 'succeeded');
    await orgd.stats();
  }
  await fails(orgd.login(account), 401, 'bad_credentials');
  await orgd.login({ email, password: 'staple gun and a horse' });
});

test('an update that cannot begin throws at once', async () => {
  const { orgd } = await member();
  const other = await member();
  await fails(orgd.startUpdate({ organization_name: other.organization.organization_name }), 409, 'name_taken');
});

test('a deletion has succeeded when nothing is left to ask for', async () => {
  for (const how of ['operation', 'id', 'token'] as const) {
    const { orgd, account, organization } = await member();
    const client = how === 'token' ? new Orgd({ baseUrl: server.url, token: (await orgd.login(account)).access_token }) : orgd;
    await client.documents().insert({ n: 1 });
    const begun = await client.startDelete();
    assert.ok('state' in begun);
    const ended = await client.waitOperation(how === 'operation' ? begun : begun.id);
    assert.equal(ended.state, 'succeeded', how);
    assert.equal(ended.id, begun.id);
    await fails(orgd.getOrganization(organization.organization_name), 404, 'not_found');
    await orgd.createOrganization({ organization_name: organization.organization_name, ...account });
    await orgd.stats();
  }
});

test('a wait for an operation that does not exist, or is not allowed, fails', async () => {
  const { orgd } = await member();
  await fails(orgd.waitOperation('019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55'), 404, 'not_found');
  await fails(new Orgd({ baseUrl: server.url }).waitOperation('019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55'), 401, 'unauthenticated');
});

test('the operator suspends, resumes and limits', async () => {
  const { orgd, account, organization, id } = await member();
  const { operator } = orgd;
  assert.equal((await operator.inspect(id)).organization_name, organization.organization_name);
  assert.equal((await operator.suspend(id)).state, 'suspended');
  await fails(orgd.documents().insert({}), 423, 'suspended');
  await fails(orgd.login(account), 423, 'suspended');
  await fails(orgd.importDocuments('{}'), 423, 'suspended');
  assert.ok((await collect(operator.organizations({ state: 'suspended', limit: 1 }))).some((one) => one.id === id));
  assert.equal((await operator.resume(id)).state, 'active');

  assert.deepEqual((await operator.setQuota(id, { max_documents: 1 })).quota, { max_documents: 1 });
  await orgd.documents().insert({ _id: 'first' });
  await fails(orgd.documents().insert({ _id: 'second' }), 507, 'quota_exceeded');
  await fails(orgd.documents().put('second', {}), 507, 'quota_exceeded');
  const refused = await orgd.importDocuments('{"_id":"second"}');
  assert.deepEqual([refused.failed, refused.errors[0]?.code], [1, 'quota_exceeded']);
  assert.equal((await operator.setQuota(id, { max_documents: null })).quota, undefined);
  await orgd.documents().insert({ _id: 'second' });

  const ids = (await collect(operator.organizations({ limit: 1 }))).map((one) => one.id);
  assert.ok(ids.includes(id) && ids.length > 1 && new Set(ids).size === ids.length);
  await fails(operator.inspect('019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55'), 404, 'not_found');
  await fails(new Orgd({ baseUrl: server.url, operatorKey: 'wrong' }).operator.suspend(id), 401, 'unauthenticated');
  await fails(new Orgd({ baseUrl: server.url, token: 'x' }).operator.suspend(id), 401, 'unauthenticated');
});

test('within its time of grace a deleted organization can be restored', async () => {
  const { orgd, id } = await member(graceful.url);
  await orgd.documents().insert({ _id: 'kept' });
  const receipt = await orgd.startDelete();
  assert.ok('purge_after' in receipt && !('state' in receipt));
  await assert.rejects(orgd.documents().get('kept'), (e) => isOrgdError(e) && e.status === 401);
  await fails(orgd.operator.suspend(id), 409, 'organization_deleting');
  assert.equal((await orgd.operator.inspect(id)).state, 'deleting');
  assert.equal((await orgd.operator.restore(id)).state, 'active');
  assert.deepEqual((await orgd.documents().get('kept')).document, { _id: 'kept' });
});
