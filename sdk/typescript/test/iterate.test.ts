import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOrgdError, lines, pages } from '@orgd/sdk';

function ndjson(...chunks: (string | Uint8Array)[]): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
      controller.close();
    },
  });
  return new Response(body, { headers: { 'X-Request-Id': 'r1' } });
}

const trailer = (line: unknown) => (line as { total?: number } | null)?.total;

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
}

test('pages gives the items of all pages, and asks for a page when its items are wanted', async () => {
  const asked: unknown[] = [];
  const get = async (at: { cursor?: string }) => {
    asked.push(at);
    return { data: { items: [asked.length, asked.length * 10], next_cursor: ['a', 'b', null][asked.length - 1] } };
  };
  assert.deepEqual(await collect(pages(get)), [1, 10, 2, 20, 3, 30]);
  assert.deepEqual(asked, [{}, { cursor: 'a' }, { cursor: 'b' }]);
  asked.length = 0;
  for await (const item of pages(get)) if (item === 2) break;
  assert.equal(asked.length, 2);
});

test('pages reads lists of another shape', async () => {
  const get = async (at: { cursor?: string }) => ({ data: { things: [at.cursor ?? 'first'], after: at.cursor ? undefined : 'x' } });
  assert.deepEqual(await collect(pages(get, ({ things, after }) => ({ items: things, next_cursor: after }))), ['first', 'x']);
});

test('pages does not go round in circles', async () => {
  await assert.rejects(collect(pages(async () => ({ data: { items: [], next_cursor: 'a' } }))), (e) => isOrgdError(e));
});

test('lines gives what is before the trailer, however it is cut', async () => {
  const text = '{"s":"é\\n"}\r\n\n[1]\n"x"\nnull\n{"total":4}';
  const bytes = new TextEncoder().encode(text);
  const want = [{ s: 'é\n' }, [1], 'x', null];
  for (const size of [1, 2, 3, 7, 100]) {
    const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    assert.deepEqual(await collect(lines(ndjson(...cut), trailer)), want);
    assert.deepEqual(await collect(lines(Promise.resolve({ response: ndjson(...cut, '\n') }), trailer)), want);
  }
});

test('lines knows a stream that is not whole', async () => {
  for (const [text, code] of [
    ['', 'network_error'],
    ['1\n2\n', 'network_error'],
    ['1\n{"total":2}\n', 'network_error'],
    ['1\n{"a":', 'unexpected_response'],
    ['{"total":0}\n1\n', 'unexpected_response'],
  ] as const) {
    await assert.rejects(collect(lines(ndjson(text), trailer)), (e) => isOrgdError(e, code) && e.requestId === 'r1', text);
  }
  assert.deepEqual(await collect(lines(ndjson('{"total":0}\n'), trailer)), []);
});

test('without a trailer the end of the stream is its end', async () => {
  assert.deepEqual(await collect(lines(ndjson('{"total":3}\n2'))), [{ total: 3 }, 2]);
  await assert.rejects(collect(lines(ndjson('1\n{'))), (e) => isOrgdError(e, 'unexpected_response'));
});

test('leaving the loop ends the stream', async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('1\n')),
    cancel: () => void (cancelled = true),
  });
  for await (const line of lines(new Response(body))) if (line === 1) break;
  assert.equal(cancelled, true);
});

test('a long line costs no more than its length', async () => {
  const chunk = 'x'.repeat(64 * 1024);
  const [line] = await collect(lines<string>(ndjson('"', ...Array.from({ length: 512 }, () => chunk), '"\n')));
  assert.equal(line!.length, 32 * 1024 * 1024);
});
