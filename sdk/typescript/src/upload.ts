import { stringify, type Writable } from './extjson.js';

/**
 * The documents to import: objects; or NDJSON as a string, as a `Blob`, such as a `File`, or in chunks, such as the body
 * of a `Response` or a file that Node reads.
 */
export type ImportSource<T extends object> =
  | string
  | Blob
  | Uint8Array
  | ReadableStream<Writable<T> | Uint8Array | string>
  | AsyncIterable<Writable<T> | Uint8Array | string>
  | Iterable<Writable<T>>;

const chunkSize = 64 * 1024; // bytes
const gatherFor = 20; // milliseconds
const idleFor = 10_000; // milliseconds; the server ends a connection on which nothing arrives for 30 seconds

export type Origin = Exclude<ImportSource<object>, string | Blob | Uint8Array>;
type Items = AsyncIterator<object | Uint8Array | string> | Iterator<object>;

/** Documents written as NDJSON. Chunks that are NDJSON stay as they are. */
export class Source {
  /** The error of the origin, if it failed. */
  failure: { reason: unknown } | undefined;
  readonly #items: Items;
  readonly #encoder = new TextEncoder();
  #next: Promise<IteratorResult<unknown>> | undefined;
  #betweenLines = true;
  #half = ''; // the first half of a surrogate pair
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

  /** Ends the stream and the origin: the documents have ended, or no more are wanted. */
  stop(): void {
    const controller = this.#controller;
    this.#controller = undefined;
    try {
      controller?.close();
    } catch {
      // The stream has failed, or was cancelled.
    }
    this.#end().catch(() => undefined);
  }

  async blob(signal: AbortSignal | undefined): Promise<Blob> {
    let parts: BlobPart[] = [];
    let size = 0;
    for (let chunk; (chunk = await this.#chunk(signal)); ) {
      parts.push(chunk as BlobPart);
      // A browser can keep Blobs on disk.
      if ((size += chunk.length) > 16 << 20) [parts, size] = [[new Blob(parts)], 0];
    }
    return new Blob(parts);
  }

  /** The next bytes: those that come within a short time, up to a size; a space if none come for long; undefined at the end. */
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
          if (this.#betweenLines) return this.#encoder.encode(' '); // keeps the connection open; between lines it means nothing
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
    if (typeof item !== 'object' || item === null) throw new TypeError('orgd: a value to import is not a document');
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
