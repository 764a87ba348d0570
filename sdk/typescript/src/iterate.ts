import { OrgdError, unexpected } from './error.js';

/** A page of a list: some of its items and, unless it is the last page, the cursor of the next page. */
export interface Page<T> {
  items: readonly T[];
  next_cursor?: string | null | undefined;
}

/**
 * The items of a list. Each page is requested when the loop reaches it.
 *
 * ```ts
 * for await (const item of pages((cursor) => orgd.api.listThings({ query: { limit: 100, ...cursor } }))) …
 * ```
 *
 * @param get gets the page at a cursor: `{ cursor }`, or `{}` for the first
 * @param read returns the items and the next cursor of a page that has them under other names
 */
export function pages<T>(get: (at: { cursor?: string }) => Promise<{ data: Page<T> }>): AsyncGenerator<T, void, undefined>;
export function pages<T, P>(
  get: (at: { cursor?: string }) => Promise<{ data: P }>,
  read: (page: P) => Page<T>,
): AsyncGenerator<T, void, undefined>;
export async function* pages<T>(
  get: (at: { cursor?: string }) => Promise<{ data: unknown }>,
  read: (page: never) => Page<T> = (page) => page,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | null | undefined;
  do {
    const page: Page<T> = read((await get(cursor ? { cursor } : {})).data as never);
    yield* page.items;
    if (cursor && page.next_cursor === cursor) throw unexpected(undefined, 'The list does not advance: its cursor came twice.');
    cursor = page.next_cursor;
  } while (cursor);
}

/**
 * The lines of an NDJSON stream, parsed, as they arrive. Leaving the loop early ends the stream.
 *
 * ```ts
 * for await (const document of lines<Document>(orgd.api.exportDocuments())) …
 * ```
 *
 * A stream that breaks off throws an {@link OrgdError} with the code `network_error`, after all lines that did arrive.
 * A stream that breaks off can look complete. A trailer shows the difference: a last line that says how many lines came
 * before it. It is not among the lines returned.
 *
 * @param from an operation's result, or a response
 * @param trailer returns the number of lines that a trailer says, undefined for a line that is not a trailer. Without it
 *   any end of the stream is taken for its proper end.
 */
export async function* lines<T>(
  from: Streamed | Promise<Streamed>,
  trailer?: (line: unknown) => number | undefined,
): AsyncGenerator<T, void, undefined> {
  const source = await from;
  const response = 'response' in source ? source.response : source;
  let seen = 0;
  let complete = false;
  for await (const text of textLines(response)) {
    if (complete) throw unexpected(response, 'The stream goes on after its end.');
    const line = parseLine(text, response);
    const count = trailer?.(line);
    if (count === undefined) {
      seen++;
      yield line as T;
    } else if (count !== seen) {
      throw brokenOff(response, `The stream has ${seen} lines where it should have ${count}.`);
    } else {
      complete = true;
    }
  }
  if (trailer && !complete) throw brokenOff(response, 'The stream broke off before its end.');
}

/** What a stream can be read from. */
export type Streamed = Response | { response: Response };

function parseLine(text: string, response: Response): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unexpected(response, 'A line of the stream is not JSON.');
  }
}

function brokenOff(response: Response, detail: string): OrgdError {
  const requestId = response.headers.get('X-Request-Id') ?? undefined;
  return new OrgdError({ status: response.status, code: 'network_error', detail, requestId });
}

/** The lines of a body that are not empty. Each byte is read once, however long the lines. */
async function* textLines(response: Response): AsyncGenerator<string, void, undefined> {
  if (!response.body) return;
  if (response.bodyUsed) throw unexpected(response, 'The answer is not a stream of lines.');
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let begun: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const [first = '', ...rest] = decoder.decode(value, { stream: !done }).split('\n');
      begun.push(first);
      for (const next of rest) {
        yield* notEmpty(begun);
        begun = [next];
      }
      if (done) return yield* notEmpty(begun);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function* notEmpty(parts: string[]): Generator<string, void, undefined> {
  const text = parts.join('');
  if (text.trim() !== '') yield text;
}
