import { extend, isOrgdError, OrgdError, unexpected } from './error.js';
import { stringify } from './extjson.js';
import type { Api } from './gen/typescript/sdk.gen.js';
import type { ImportDocumentsData, ImportError, ImportLine, ImportProgress, ImportResult } from './gen/typescript/types.gen.js';
import type { ExportTrailer } from './gen/typescript/types.gen.js';
import type { WithId } from './documents.js';
import { lines } from './iterate.js';
import { callOptions, isShort, type CallOptions } from './options.js';
import { Source, type ImportSource, type Origin } from './upload.js';
import { abortable } from './wait.js';

export interface ImportOptions extends CallOptions {
  /** What to do with a document whose `_id` or unique key is taken: `fail` (refuse it), `skip` or `replace`. */
  onConflict?: 'fail' | 'skip' | 'replace' | undefined;
  /** Called at most once a second. The documents that it counts are durable. */
  onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Called for each refused line, up to a thousand. */
  onError?: ((error: ImportError) => void) | undefined;
  /**
   * Whether to send documents as they come, rather than to collect them first. By default true, except in browsers,
   * which can send a stream only over HTTP/2, or not at all.
   */
  stream?: boolean | undefined;
}

/** How an import ended, and the first thousand refused lines. */
export type Imported = ImportResult & { errors: ImportError[] };

export interface ExportOptions extends CallOptions {
  /** A MongoDB filter that selects the documents. Without it, all. */
  filter?: Record<string, unknown> | undefined;
  /** Whether to write every number with its type, such as `{ $numberInt: '1' }`. */
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
    if (source?.failure) throw source.failure.reason; // the rest failed because of it
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

/** Collects the lines of the answer to an import. */
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
