// Documents, indexes, import and export against the real server.
import assert from 'node:assert/strict';
import { createReadStream, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { bigintOf, bytesOf, dateOf, isConflict, isOrgdError, Orgd, stringify, type DateTime, type ImportProgress, type Long } from '@orgd/sdk';
import { collect, fails } from './support/check.js';
import { startOrgd, tempDir, type RunningOrgd } from './support/server.js';

let server: RunningOrgd;
let count = 0;

before(async () => {
  server = await startOrgd();
});
after(() => server.stop());

async function member() {
  const account = { email: `admin${++count}@acme.example`, password: `correct horse ${count}` };
  const orgd = new Orgd({ baseUrl: server.url, ...account });
  await orgd.createOrganization({ organization_name: `Acme ${count}`, ...account });
  return orgd;
}

interface Person {
  name: string;
  city?: string;
  age?: number;
  address?: { street?: string; zip?: string };
  tags?: string[];
  born?: DateTime;
}

test('a document lives', async () => {
  const people = (await member()).documents<Person>();
  const first = await people.insert({ _id: 'ada', name: 'Ada', born: new Date('1815-12-10') });
  assert.deepEqual(first.document, { _id: 'ada', name: 'Ada', born: { $date: { $numberLong: '-4861728000000' } } });
  assert.match(first.etag, /^"[0-9a-f]+"$/);
  assert.deepEqual(await people.get('ada'), first);
  assert.equal(dateOf(first.document.born!).getUTCFullYear(), 1815);

  const replaced = await people.put('ada', { ...first.document, city: 'London', age: 36 });
  assert.equal(replaced.created, false);
  assert.notEqual(replaced.etag, first.etag);
  const patched = await people.patch('ada', { city: null, age: 37, address: { street: 'St James’s Sq', zip: 'W1' }, tags: ['x'] });
  assert.deepEqual(patched.document, { ...first.document, age: 37, address: { street: 'St James’s Sq', zip: 'W1' }, tags: ['x'] });
  const again = await people.patch('ada', { address: { zip: null }, born: new Date(0) });
  assert.deepEqual(again.document.address, { street: 'St James’s Sq' });
  assert.deepEqual(again.document.born, { $date: '1970-01-01T00:00:00Z' });

  await people.delete('ada');
  await fails(people.get('ada'), 404, 'not_found');
  await fails(people.patch('ada', {}), 404, 'not_found');
  await fails(people.delete('ada'), 404, 'not_found');
});

test('conditions and conflicts', async () => {
  const orgd = await member();
  const people = orgd.documents<Person>();
  const { etag, created } = await people.put('ada', { name: 'Ada' }, { ifAbsent: true });
  assert.equal(created, true);
  await fails(people.put('ada', { name: 'Ada' }, { ifAbsent: true }), 412, 'precondition_failed');
  const second = await people.put('ada', { name: 'Ada L' }, { ifMatch: etag });
  await fails(people.put('ada', { name: 'lost update' }, { ifMatch: etag }), 412, 'precondition_failed');
  await fails(people.patch('ada', { name: 'lost update' }, { ifMatch: etag }), 412, 'precondition_failed');
  await fails(people.delete('ada', { ifMatch: etag }), 412, 'precondition_failed');
  await fails(people.put('nobody', { name: 'x' }, { ifMatch: '*' }), 412, 'precondition_failed');
  await assert.rejects(people.delete('ada', { ifMatch: '' }), TypeError);
  await people.delete('ada', { ifMatch: ['"0123"', second.etag] });

  await people.insert({ _id: 'ada', name: 'Ada' });
  await fails(people.insert({ _id: 'ada', name: 'Ada' }), 409, 'document_exists');
  await orgd.createIndex({ name: 'by_name', keys: [{ path: 'name' }], unique: true });
  await fails(people.insert({ name: 'Ada' }), 409, 'duplicate_key');
  await fails(orgd.createIndex({ name: 'by_name', keys: [{ path: 'city' }] }), 409, 'index_exists');
  const error: unknown = await people.insert({ name: 'Ada' }).catch((e: unknown) => e);
  assert.ok(isConflict(error));
  error.code satisfies 'name_taken' | 'duplicate_key' | string;
});

test('an _id that does not fit into a path is refused before anything is sent', async () => {
  const people = (await member()).documents();
  for (const id of ['', '.', '..', {} as never]) await assert.rejects(people.get(id), TypeError);
  await assert.rejects(people.get('\ud800'), TypeError);
  for (const id of ['a/b', '../delete', '%2e%2e', 'é ?#&', '{id}', '$&']) {
    const { document } = await people.put(id, { n: 1 });
    assert.equal(document._id, id);
    assert.deepEqual((await people.get(id)).document, { _id: id, n: 1 });
  }
});

test('ids can be ObjectIds', async () => {
  const things = (await member()).documents<{ n: number }>();
  const { document } = await things.insert({ n: 1 });
  assert.ok(typeof document._id === 'object');
  assert.match(document._id.$oid, /^[0-9a-f]{24}$/);
  assert.deepEqual((await things.get(document._id)).document, document);
  assert.deepEqual((await things.get(document._id.$oid)).document, document);
});

test('nothing is lost on the way there and back', async () => {
  const orgd = await member();
  const things = orgd.documents<Record<string, unknown>>();
  const given = {
    safe: Number.MAX_SAFE_INTEGER, long: 2n ** 63n - 1n, negative: -(2n ** 63n), small: 7n, zero: -0, double: 0.1, large: 1e20,
    larger: 1e300, tiny: 5e-324, nan: NaN, infinity: -Infinity, decimal: { $numberDecimal: '10.50' }, date: new Date(12345),
    far: new Date(8.64e15), bytes: new Uint8Array([0, 255, 128]), buffer: Buffer.from('é'), nested: [{ at: new Date(1000), list: [2n ** 60n] }],
    id: { $oid: '6b2f00000000000000000001' }, nothing: null, text: '\u0000\u2028"é😀', double2: { $numberDouble: '2.0' },
  };
  const { document } = await things.insert({ _id: 'x', ...given });
  const want = {
    _id: 'x', safe: 9007199254740991, long: { $numberLong: '9223372036854775807' }, negative: { $numberLong: '-9223372036854775808' }, small: 7,
    zero: -0, double: 0.1, large: 1e20, larger: 1e300, tiny: 5e-324, nan: { $numberDouble: 'NaN' }, infinity: { $numberDouble: '-Infinity' },
    decimal: { $numberDecimal: '10.50' }, date: { $date: '1970-01-01T00:00:12.345Z' }, far: { $date: { $numberLong: '8640000000000000' } },
    bytes: { $binary: { base64: 'AP+A', subType: '00' } }, buffer: { $binary: { base64: 'w6k=', subType: '00' } },
    nested: [{ at: { $date: '1970-01-01T00:00:01Z' }, list: [{ $numberLong: '1152921504606846976' }] }],
    id: { $oid: '6b2f00000000000000000001' }, nothing: null, text: '\u0000\u2028"é😀', double2: 2,
  };
  assert.deepEqual(document, want);
  assert.ok(Object.is(document['zero'], -0));
  const [before] = await collect(orgd.exportDocuments<Record<string, unknown>>({ canonical: true }));
  await things.put('x', document);
  const [after] = await collect(orgd.exportDocuments<Record<string, unknown>>({ canonical: true }));
  for (const name of ['small', 'double2']) assert.notDeepEqual(after?.[name], before?.[name]); // 7 and 2 are integers of 32 bits
  assert.deepEqual({ ...after, small: 0, double2: 0 }, { ...before, small: 0, double2: 0 });
  assert.equal(bigintOf(document['long'] as Long), 2n ** 63n - 1n);
  assert.equal(bigintOf(7), 7n);
  assert.deepEqual(bytesOf(want.bytes), given.bytes);
  assert.equal(dateOf(want.far as DateTime).getTime(), 8.64e15);

  for (const wrong of [2n ** 63n, new Date(NaN), new Map(), new Float64Array(1), () => 1, /x/, Symbol('x')]) {
    await assert.rejects(things.insert({ wrong }), (e) => e instanceof TypeError && e.message.startsWith('orgd: '));
  }
});

test('lists', async () => {
  const orgd = await member();
  const people = orgd.documents<Person>();
  await orgd.importDocuments<Person & { _id: string }>(
    Array.from({ length: 25 }, (_, i) => ({ _id: String(i).padStart(2, '0'), name: `P${i}`, city: i % 2 ? 'London' : 'Paris', age: i })),
  );
  const all = await collect(people.list({ limit: 10 }));
  assert.deepEqual(all.map((p) => p._id), Array.from({ length: 25 }, (_, i) => String(i).padStart(2, '0')));
  assert.equal((await collect(people.list({ filter: { city: 'London', age: { $gte: 20n } } }))).length, 2);
  const many = Array.from({ length: 500 }, (_, i) => `nobody ${i}`); // more than fits into a URL
  const long = { $or: [{ city: 'London', age: { $gte: 20n } }, { name: { $in: many } }] };
  assert.equal((await collect(people.list({ filter: long, limit: 1, fields: ['name'] }))).length, 2);
  assert.equal((await people.page({ filter: long, count: true, limit: 1 })).total, 2);
  assert.equal((await collect(orgd.exportDocuments({ filter: long }))).length, 2);
  assert.deepEqual((await collect(people.list({ sort: '-_id', limit: 7 }))).map((p) => p._id), all.map((p) => p._id).reverse());
  assert.deepEqual((await collect(people.list({ fields: ['name'], filter: { age: 3 } }))), [{ _id: '03', name: 'P3' }]);

  const page = await people.page({ limit: 10, count: true, filter: { city: 'Paris' } });
  assert.equal(page.items.length, 10);
  assert.equal(page.total, 13);
  const last = await people.page({ limit: 10, filter: { city: 'Paris' }, cursor: page.next_cursor });
  assert.equal(last.items.length, 3);
  assert.equal(last.next_cursor, undefined);
  assert.equal(last.total, undefined);

  await fails(people.page({ sort: 'city' }), 400, 'no_index');
  await orgd.createIndex({ name: 'by_city', keys: [{ path: 'city' }, { path: 'age', order: 'desc' }] });
  const sorted = await people.page({ sort: ['city', '-age'], limit: 1 });
  assert.equal(sorted.items[0]?.age, 23);
  await fails(people.page({ filter: { $where: 'x' } }), 400, 'malformed');
});

test('indexes and stats', async () => {
  const orgd = await member();
  assert.deepEqual(await orgd.indexes(), []);
  const index = await orgd.createIndex({ name: 'by_city', keys: [{ path: 'city' }] });
  assert.deepEqual(index, { name: 'by_city', keys: [{ path: 'city', order: 'asc' }], unique: false });
  assert.deepEqual(await orgd.createIndex({ name: 'by_city', keys: [{ path: 'city' }] }), index);
  assert.deepEqual(await orgd.indexes(), [index]);
  await orgd.documents().insert({ city: 'London' });
  const { documents, bytes, generation, indexes } = await orgd.stats();
  assert.equal(documents, 1);
  assert.ok(bytes > 0);
  assert.equal(generation, 1);
  assert.equal(indexes[0]?.name, 'by_city');
  await orgd.deleteIndex('by_city');
  assert.deepEqual(await orgd.indexes(), []);
  await fails(orgd.deleteIndex('by_city'), 404, 'not_found');
});

test('an idempotency key holds for later calls, too', async () => {
  const things = (await member()).documents<{ n: number }>();
  const options = { idempotencyKey: `key-${Date.now()}` };
  const first = await things.insert({ n: 1 }, options);
  assert.deepEqual(await things.insert({ n: 1 }, options), first);
  await fails(things.insert({ n: 2 }, options), 422, 'idempotency_key_reused');
  assert.equal((await things.page({ count: true })).total, 1);
});

const text = '{"_id":"a","n":1}\n\n{"_id":"b","n":{"$numberLong":"9007199254740993"}}\n{"_id":"c","s":"é😀"}';
const bytes = new TextEncoder().encode(text);
const file = path.join(tempDir(), 'documents.ndjson');
writeFileSync(file, text);

async function* documents() {
  yield { _id: 'a', n: 1 };
  await new Promise(setImmediate);
  yield { _id: 'b', n: 2n ** 53n + 1n };
  yield { _id: 'c', s: 'é😀' };
}

async function* strings() {
  yield* text; // character by character
}

async function* units() {
  for (let i = 0; i < text.length; i++) yield text[i]!;
}

for (const stream of [true, false]) {
  test(`import from anything, ${stream ? 'streamed' : 'collected'}`, async () => {
    const sources = {
      'a string': () => text,
      'bytes': () => bytes,
      'a Blob': () => new Blob([text]),
      'documents': documents,
      'an array': () => [{ _id: 'a', n: 1 }, { _id: 'b', n: 2n ** 53n + 1n }, { _id: 'c', s: 'é😀' }],
      'characters': strings,
      'code units': units,
      'a file': () => createReadStream(file, { highWaterMark: 5 }),
      'a stream of bytes': () => new Response(text).body!,
      'a stream of text': () => new Blob([text]).stream().pipeThrough(new TextDecoderStream()) as ReadableStream<string>,
    };
    const orgd = await member();
    for (const [name, source] of Object.entries(sources)) {
      const result = await orgd.importDocuments(source() as string, { onConflict: 'replace', stream });
      assert.equal(result.complete, true, name);
      assert.equal(result.lines, 3, name);
      assert.equal(result.inserted + result.replaced, 3, name);
      assert.deepEqual(result.errors, []);
      assert.deepEqual(await collect(orgd.exportDocuments()), [
        { _id: 'a', n: 1 }, { _id: 'b', n: { $numberLong: '9007199254740993' } }, { _id: 'c', s: 'é😀' },
      ], name);
    }
    assert.equal((await orgd.importDocuments('')).lines, 0);
    assert.equal((await orgd.importDocuments([], { stream })).lines, 0);
  });
}

test('an import says what was refused, and goes on', async () => {
  const orgd = await member();
  const told: number[] = [];
  const lines = ['{"_id":"a"}', 'nonsense', '', '{"_id":"a"}', '{"_id":"b"}'].join('\n');
  const result = await orgd.importDocuments(lines, { onError: ({ line }) => told.push(line) });
  assert.equal(result.failed, 2);
  assert.equal(result.inserted, 2);
  assert.deepEqual(result.errors.map(({ line, code }) => [line, code]), [[2, 'malformed'], [4, 'document_exists']]);
  assert.deepEqual(told, [2, 4]);
  assert.equal((await orgd.importDocuments(lines, { onConflict: 'skip' })).skipped, 3);
});

test('an import reports its progress while documents are sent, and ends with the signal', async () => {
  const orgd = await member();
  const progress: ImportProgress[] = [];
  let sent = 0;
  async function* slowly() {
    for (; progress.length < 2; sent++) {
      yield { n: sent };
      if (sent % 100 === 0) await new Promise((done) => setTimeout(done, 20));
    }
  }
  const result = await orgd.importDocuments(slowly(), { onProgress: (p) => progress.push(p) });
  assert.equal(result.inserted, sent);
  assert.ok(progress[1]!.inserted > 0 && progress[1]!.inserted <= sent);

  let controller: AbortController;
  let ended = false;
  async function* endless() {
    try {
      for (let i = 0; ; i++) {
        if (i === 1000) controller.abort(new Error('enough'));
        yield { i };
      }
    } finally {
      ended = true;
    }
  }
  for (const stream of [true, false]) {
    ended = false;
    controller = new AbortController();
    await assert.rejects(orgd.importDocuments(endless(), { signal: controller.signal, stream }), { message: 'enough' });
    await new Promise((done) => setTimeout(done, 50));
    assert.equal(ended, true, `stream: ${stream}`);
  }
});

test('what the source throws is what the import throws', async () => {
  const orgd = await member();
  async function* broken() {
    yield { _id: 'a' };
    throw new Error('the disk is gone');
  }
  for (const stream of [true, false]) {
    await assert.rejects(orgd.importDocuments(broken(), { stream }), { message: 'the disk is gone' });
    await assert.rejects(orgd.importDocuments([{ n: 2n ** 64n }], { stream }), TypeError);
    await assert.rejects(orgd.importDocuments([1 as never], { stream }), TypeError);
  }
});

test('an import without a good token is refused, and leaves its source', async () => {
  const orgd = new Orgd({ baseUrl: server.url, token: 'bogus' });
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        yield { text: 'x'.repeat(1000) };
        await new Promise(setImmediate);
      }
    } finally {
      ended = true;
    }
  }
  const error: unknown = await orgd.importDocuments(endless()).catch((e: unknown) => e);
  assert.ok(isOrgdError(error, 'unauthenticated'), String(error));
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(ended, true);
});

test('one organization’s export is another’s import', async () => {
  const [from, to] = [await member(), await member()];
  const n = 5000;
  await from.importDocuments((function* () {
    for (let i = 0; i < n; i++) yield { _id: String(i), i: BigInt(i), d: { $numberDouble: `${i}.0` } };
  })());
  const result = await to.importDocuments(from.exportDocuments({ canonical: true }));
  assert.equal(result.inserted, n);
  const both = await Promise.all([from, to].map((orgd) => collect(orgd.exportDocuments({ canonical: true }))));
  assert.equal(both[0]!.length, n);
  assert.deepEqual(both[0], both[1]);
  assert.equal((await collect(to.exportDocuments({ filter: { i: { $lt: 10 } } }))).length, 10);
  for await (const document of to.exportDocuments()) if (document._id === '1') break; // leaves the rest
});

test('the generated operations take the same values', async () => {
  const orgd = await member();
  const { data, response } = await orgd.api.createDocument({ body: { n: 2n ** 60n } });
  assert.deepEqual(data['n'], { $numberLong: '1152921504606846976' });
  assert.equal(response.status, 201);
  assert.equal(stringify({ n: 1n }), '{"n":{"$numberLong":"1"}}');
});
