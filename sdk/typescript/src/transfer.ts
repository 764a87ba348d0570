import { extend, isOrgdError, OrgdError, unexpected } from './error.js';
import { stringify, type Writable } from './extjson.js';
import type { Api } from './gen/typescript/sdk.gen.js';
import type { ImportDocumentsData, ImportError, ImportLine, ImportProgress, ImportResult } from './gen/typescript/types.gen.js';
import type { ExportTrailer } from './gen/typescript/types.gen.js';
import type { WithId } from './documents.js';
import { lines } from './iterate.js';
import { callOptions, isShort, type CallOptions } from './options.js';
import { abortable } from './wait.js';

/**
 * Where documents to import come from: documents; or NDJSON, as a string, a `Blob`, such as a `File`, or in chunks, such
 * as the body of a `Response` or a file that Node reads.
 */
export type ImportSource<T extends object> =
  | string
  | Blob
  | Uint8Array
  | ReadableStream<Writable<T> | Uint8Array | string>
  | AsyncIterable<Writable<T> | Uint8Array | string>
  | Iterable<Writable<T>>;

export interface ImportOptions extends CallOptions {
  /** What to do with a document whose `_id` or unique key is taken: `fail` (refuse it), `skip` or `replace`. */
  onConflict?: 'fail' | 'skip' | 'replace' | undefined;
  /** Called once a second at most. What is counted is durable. */
  onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Called for each line that is refused, of at most a thousand. */
  onError?: ((error: ImportError) => void) | undefined;
  /**
   * Whether to send documents while they come. Else they are collected first. Unless said otherwise, that is what
   * happens in browsers, which cannot send a stream, or over HTTP/2 only.
   */
  stream?: boolean | undefined;
}

/** How an import ended, and which lines were refused, as far as the server says: a thousand. */
export type Imported = ImportResult & { errors: ImportError[] };

export interface ExportOptions extends CallOptions {
  /** Which documents, in MongoDB's form. */
  filter?: Record<string, unknown> | undefined;
  /** Whether every number says its type, such as `{ $numberInt: '1' }`. */
  canonical?: boolean | undefined;
}

export async function importDocuments<T extends object>(
  api: Api,
  from: ImportSource<T>,
  options: ImportOptions,
): Promise<Imported> {
  const whole = typeof from === 'string' || from instanceof Blob || ArrayBuffer.isView(from);
  const source = whole ? undefined : new Source(from as Origin);
  let body = from as string | Blob | Uint8Array | ReadableStream<Uint8Array>;
  const report = new Report(options);
  try {
    if (source && (options.stream ?? !inBrowser())) body = source.stream(options.signal);
    else if (source) body = await abortable(source.blob(options.signal), options.signal);
    const query = options.onConflict ? { on_conflict: options.onConflict } : {};
    const call = { ...callOptions(options), query, body: body as ImportDocumentsData['body'] };
    const { response } = await api.importDocuments(body === '' ? { ...call, body: undefined } : call);
    for await (const line of lines<ImportLine>(response)) report.add(line, response);
    return report.result(response);
  } catch (e) {
    options.signal?.throwIfAborted();
    if (source?.failure) throw source.failure.reason; // which is why the rest failed
    throw report.began && isOrgdError(e) ? extend(e, { outcomeUnknown: true, imported: report.counts }) : e;
  } finally {
    source?.stop();
  }
}

export function exportDocuments<T extends object>(
  api: Api,
  options: ExportOptions,
): AsyncGenerator<WithId<T>, void, undefined> {
  const { filter, canonical } = options;
  const text = filter && stringify(filter);
  const call = callOptions(options);
  const how = canonical && { canonical };
  return exported(() =>
    isShort(text)
      ? api.exportDocuments({ ...call, query: { ...(text && { filter: text }), ...how } })
      : api.exportQuery({ ...call, body: { ...(filter && { filter }), ...how } }),
  );
}

async function* exported<T>(begin: () => Promise<{ response: Response }>): AsyncGenerator<T, void, undefined> {
  const { response } = await begin();
  yield* lines<T>(response, (line) => {
    const trailer = (line as { _trailer?: ExportTrailer } | null)?._trailer;
    if (trailer && !trailer.complete) {
      const { code = 'internal', detail = 'The export could not go on.' } = trailer;
      throw new OrgdError({ status: response.status, code, detail, requestId: response.headers.get('X-Request-Id') ?? undefined });
    }
    return trailer?.documents;
  });
}

/** What is known of an import under way. */
class Report {
  began = false;
  counts: ImportProgress | ImportResult | undefined;
  readonly #errors: ImportError[] = [];
  readonly #options: ImportOptions;

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  add(line: ImportLine, response: Response): void {
    this.began = true;
    if (this.counts?.type === 'result') throw unexpected(response, 'The answer goes on after its end.');
    if (line.type === 'error') {
      this.#errors.push(line);
      this.#options.onError?.(line);
    } else if (line.type === 'progress') {
      this.counts = line;
      this.#options.onProgress?.(line);
    } else if (line.type === 'result') {
      this.counts = line;
    }
  }

  result(response: Response): Imported {
    this.began = true;
    const requestId = response.headers.get('X-Request-Id') ?? undefined;
    const { status } = response;
    if (this.counts?.type !== 'result') {
      const detail = 'The answer broke off before the result. Import again with onConflict: "skip", if the documents have an _id.';
      throw new OrgdError({ status, code: 'network_error', detail, requestId });
    }
    const { complete, code = 'internal', detail = 'The import could not go on.' } = this.counts;
    if (!complete) throw new OrgdError({ status, code, detail, requestId });
    return { ...this.counts, errors: this.#errors };
  }
}

function inBrowser(): boolean {
  const { document, importScripts } = globalThis as { document?: unknown; importScripts?: unknown };
  return document !== undefined || typeof importScripts === 'function';
}

const chunkSize = 64 * 1024;
const gatherFor = 20; // milliseconds
const idleFor = 10_000; // the server ends a connection on which nothing comes for 30 seconds

type Origin = Exclude<ImportSource<object>, string | Blob | Uint8Array>;
type Items = AsyncIterator<object | Uint8Array | string> | Iterator<object>;

/** Documents as NDJSON. Chunks of NDJSON stay as they are. */
class Source {
  /** What the origin threw. */
  failure: { reason: unknown } | undefined;
  readonly #items: Items;
  readonly #encoder = new TextEncoder();
  #next: Promise<IteratorResult<unknown>> | undefined;
  #betweenLines = true;
  #half = ''; // of a character
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(from: Origin) {
    this.#items = itemsOf(from);
  }

  stream(signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: async () => {
          const chunk = await this.#chunk(signal);
          if (chunk) this.#controller?.enqueue(chunk);
          else this.stop();
        },
        cancel: () => this.stop(),
      },
      { highWaterMark: 0 },
    );
  }

  /** No more is wanted, or there is no more. */
  stop(): void {
    const controller = this.#controller;
    this.#controller = undefined;
    try {
      controller?.close();
    } catch {
      // It failed, or was cancelled.
    }
    this.#end().catch(() => undefined);
  }

  async blob(signal: AbortSignal | undefined): Promise<Blob> {
    let parts: BlobPart[] = [];
    let size = 0;
    for (let chunk; (chunk = await this.#chunk(signal)); ) {
      parts.push(chunk as BlobPart);
      // A browser keeps Blobs where there is room for them.
      if ((size += chunk.length) > 16 << 20) [parts, size] = [[new Blob(parts)], 0];
    }
    return new Blob(parts);
  }

  /** The next bytes: as many as there are, up to a size; a space when there are none for long; undefined at the end. */
  async #chunk(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = [];
    let size = 0;
    const began = Date.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      while (size < chunkSize && !(size > 0 && Date.now() - began > gatherFor)) {
        signal?.throwIfAborted();
        this.#next ??= Promise.resolve(this.#items.next());
        this.#next.catch(() => undefined);
        const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, size > 0 ? gatherFor : idleFor)));
        const item = await Promise.race([this.#next, late]);
        clearTimeout(timer);
        if (!item) {
          if (size > 0) break;
          if (this.#betweenLines) return this.#encoder.encode(' '); // says nothing, but that there is somebody
          continue;
        }
        if (item.done) return size > 0 ? join(parts, size) : undefined;
        this.#next = undefined;
        const bytes = this.#bytes(item.value);
        parts.push(bytes);
        size += bytes.length;
      }
    } catch (e) {
      this.failure = { reason: e };
      throw e;
    } finally {
      clearTimeout(timer);
    }
    return join(parts, size);
  }

  #bytes(item: unknown): Uint8Array {
    if (ArrayBuffer.isView(item)) return this.#raw(new Uint8Array(item.buffer, item.byteOffset, item.byteLength));
    if (typeof item === 'string') {
      const text = this.#half + item;
      const whole = /[\uD800-\uDBFF]$/.test(text) ? text.length - 1 : text.length;
      this.#half = text.slice(whole);
      return this.#raw(this.#encoder.encode(text.slice(0, whole)));
    }
    if (typeof item !== 'object' || item === null) throw new TypeError('orgd: what is to be imported is not a document');
    return this.#encoder.encode(`${stringify(item)}\n`);
  }

  #raw(bytes: Uint8Array): Uint8Array {
    if (bytes.length > 0) this.#betweenLines = bytes.at(-1) === 10;
    return bytes;
  }

  async #end(): Promise<void> {
    await this.#items.return?.();
  }
}

function itemsOf(from: Origin): Items {
  if ('getReader' in from) {
    const reader = from.getReader();
    const end = async () => {
      await reader.cancel();
      return { done: true as const, value: undefined };
    };
    return { next: () => reader.read() as Promise<IteratorResult<object>>, return: end };
  }
  return Symbol.asyncIterator in from ? from[Symbol.asyncIterator]() : from[Symbol.iterator]();
}

function join(parts: Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
