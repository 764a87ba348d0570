// The package against the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isOrgdError, Orgd } from '@orgd/sdk';
import { fails } from './support/check.js';
import { startOrgd, type RunningOrgd } from './support/server.js';

let server: RunningOrgd;
let count = 0;

before(async () => {
  server = await startOrgd();
});
after(() => server.stop());

function newcomer() {
  const account = { email: `admin${++count}@acme.example`, password: `correct horse ${count}` };
  return { account, name: `Acme ${count}`, orgd: new Orgd({ baseUrl: server.url, ...account }) };
}

async function member() {
  const one = newcomer();
  await one.orgd.createOrganization({ organization_name: one.name, ...one.account });
  return one;
}

test('an organization lives', async () => {
  const { orgd, account, name } = newcomer();
  const created = await orgd.createOrganization({ organization_name: name, ...account });
  assert.equal(created.organization_name, name);
  assert.equal(created.collection_name, `org_acme_${count}`);
  assert.equal(created.state, 'active');
  assert.equal(created.generation, 1);

  assert.deepEqual(await orgd.getOrganization(name.toUpperCase()), created);
  const { id, organization_name, collection_name, state, created_at } = created;
  const summary = { id, organization_name, collection_name, state, created_at };
  assert.deepEqual(await new Orgd({ baseUrl: server.url }).getOrganization(name), summary);

  const changed = await orgd.updateOrganization({ organization_name: `${name} Corporation`, password: 'staple gun and a horse' });
  assert.equal(changed.generation, 2);
  assert.equal(changed.id, id);
  const moved = await orgd.updateOrganization(); // with the new password
  assert.equal(moved.generation, 3);
  await fails(orgd.login(account), 401, 'bad_credentials');

  const receipt = await orgd.deleteOrganization();
  assert.equal(receipt.id, id);
  assert.ok(receipt.collections.includes(moved.collection_name));
  await fails(orgd.getOrganization(`${name} Corporation`), 404, 'not_found');
  await fails(orgd.updateOrganization(), 401, 'bad_credentials');
  await orgd.createOrganization({ organization_name: name, ...account });
});

test('refusals have codes', async () => {
  const { orgd, account, name } = await member();
  const other = newcomer();
  const anonymous = new Orgd({ baseUrl: server.url });
  await fails(orgd.createOrganization({ ...other.account, organization_name: name }), 409, 'name_taken');
  await fails(orgd.createOrganization({ ...account, organization_name: other.name }), 409, 'email_taken');
  await fails(anonymous.getOrganization('nobody knows'), 404, 'not_found');
  await fails(anonymous.updateOrganization(), 401, 'unauthenticated');
  await fails(new Orgd({ baseUrl: server.url, token: 'bogus' }).deleteOrganization(), 401, 'unauthenticated');
  await fails(new Orgd({ baseUrl: server.url, ...account, password: 'wrong' }).updateOrganization(), 401, 'bad_credentials');
  await fails(orgd.updateOrganization({ email: 'no address' }), 400, 'malformed');
  await fails(orgd.updateOrganization({ password: 'é'.repeat(40) }), 422, 'invalid');
  await fails(orgd.updateOrganization({ nonsense: true } as object), 400, 'malformed');
  const error = await orgd.updateOrganization({ email: 'no address' }).catch((e: unknown) => e);
  assert.ok(isOrgdError(error));
  assert.equal(error.errors[0]?.pointer, '#/email');
});

test('a token that another revoked is replaced', async () => {
  const { orgd, account } = await member();
  await orgd.updateOrganization({ migrate: false });
  const twin = new Orgd({ baseUrl: server.url, ...account });
  await twin.updateOrganization({ password: 'another password', migrate: false });
  await twin.updateOrganization({ password: account.password, migrate: false });
  await Promise.all(Array.from({ length: 10 }, () => orgd.getOrganization('Acme 1').catch(() => undefined)));
  await orgd.updateOrganization({ migrate: false });
});

test('a token works without a password', async () => {
  const { orgd, account, name } = await member();
  const { access_token, token_type } = await orgd.login(account);
  assert.equal(token_type, 'Bearer');
  const bearer = new Orgd({ baseUrl: server.url, token: access_token });
  assert.equal((await bearer.getOrganization(name)).generation, 1);
  await bearer.deleteOrganization();
  await fails(bearer.getOrganization(name), 404, 'not_found');
});

test('the generated operations have data and response', async () => {
  const { account, name, orgd } = newcomer();
  const { data, response } = await orgd.api.createOrganization({ body: { organization_name: name, ...account } });
  assert.equal(response.status, 201);
  assert.match(response.headers.get('Location') ?? '', /^\/org\/get\?organization_name=/);
  assert.equal(data.organization_name, name);
  const { data: mine } = await orgd.api.getOrganization({ query: { organization_name: name }, headers: { 'X-Request-Id': 'mine' } });
  assert.equal(mine.generation, 1);
  const refused = await orgd.api.createOrganization({ body: { organization_name: name, ...account }, throwOnError: false });
  assert.ok(isOrgdError(refused.error, 'name_taken'));
});

test('names survive the query', async () => {
  const { account, orgd } = newcomer();
  const name = `Ünïcode & Söhne + 50% = "?" #${count} 株式会社`;
  await orgd.createOrganization({ organization_name: name, ...account });
  assert.equal((await orgd.getOrganization(name)).organization_name, name);
});

test('live and ready', async () => {
  const orgd = new Orgd({ baseUrl: `${server.url}/` });
  assert.deepEqual(await orgd.live(), { status: 'ok' });
  assert.deepEqual(await orgd.ready(), { status: 'ok' });
});
