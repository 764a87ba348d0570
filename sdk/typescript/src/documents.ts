import { unexpected } from './error.js';
import { stringify, type ObjectId, type Patch, type Writable } from './extjson.js';
import type { Api } from './gen/typescript/sdk.gen.js';
import type { Document } from './gen/typescript/types.gen.js';
import { pages } from './iterate.js';
import { callOptions, isShort, type CallOptions, type CreateOptions } from './options.js';

/** The `_id` of a document: a string or an ObjectId, for which its 24 hexadecimal digits may be passed as well. */
export type DocumentId = string | ObjectId;

/** A document as it is stored. */
export type WithId<T> = T & { _id: DocumentId };

/** A document to store. A document without an `_id` gets an ObjectId. */
export type Draft<T> = Writable<T> & { _id?: DocumentId };

/** A document and its revision. */
export interface Stored<T> {
  document: WithId<T>;
  /** The revision, for `ifMatch`. Every write changes it. */
  etag: string;
}

export interface MatchOptions extends CallOptions {
  /** The revision, or revisions, that the document has to have; `*`: it has to exist. Else `precondition_failed`. */
  ifMatch?: string | readonly string[] | undefined;
}

export interface PutOptions extends MatchOptions {
  /** Whether to store the document only if no document has this `_id`. Else `precondition_failed`. */
  ifAbsent?: boolean | undefined;
}

/** Which documents to list, and how. */
export interface ListOptions extends CallOptions {
  /** A MongoDB filter, such as `{ city: 'London', age: { $gte: 30 } }`. */
  filter?: Record<string, unknown> | undefined;
  /** `_id`, or the paths of an index; a `-` before a path means descending. Without it, `_id`. */
  sort?: string | readonly string[] | undefined;
  /** The paths to return, beside `_id`. Without it, all. */
  fields?: readonly string[] | undefined;
  /** The most documents of a page: 1 to 1000. */
  limit?: number | undefined;
}

export interface PageOptions extends ListOptions {
  /** The `next_cursor` of the previous page, with the same filter and sort. */
  cursor?: string | undefined;
  /** Whether `total` is to count all documents that the filter selects. */
  count?: boolean | undefined;
}

/** A page of documents. */
export interface DocumentPage<T> {
  items: WithId<T>[];
  /** Missing on the last page. */
  next_cursor?: string;
  total?: number;
}

type Only = { fields: readonly string[] };
type All = { fields?: undefined };

/**
 * The documents of the client's own organization, assumed to be of the type T; nothing checks that.
 *
 * ```ts
 * const people = orgd.documents<Person>();
 * const { etag } = await people.put('ada', { name: 'Ada Lovelace' });
 * await people.patch('ada', { city: 'London' }, { ifMatch: etag });
 * for await (const person of people.list({ filter: { city: 'London' } })) …
 * ```
 */
export class Documents<T extends object = Document> {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Adds a document; throws `document_exists` or `duplicate_key` when its `_id` or a unique key is taken. */
  async insert(document: Draft<T>, options?: CreateOptions): Promise<Stored<T>> {
    return stored(await this.#api.createDocument({ ...callOptions(options), body: document as Document }));
  }

  /** Gets a document, or throws `not_found`. */
  async get(id: DocumentId, options?: CallOptions): Promise<Stored<T>> {
    return stored(await this.#api.getDocument({ ...callOptions(options), path: pathOf(id) }));
  }

  /** Stores a document under an `_id`, whether or not there was one; the options set conditions. */
  async put(id: DocumentId, document: Draft<T>, options?: PutOptions): Promise<Stored<T> & { created: boolean }> {
    const body = document as Document;
    const headers = { ...ifMatch(options), ...(options?.ifAbsent && { 'If-None-Match': '*' }) };
    const result = await this.#api.putDocument({ ...callOptions(options, headers), path: pathOf(id), body });
    return { ...stored<T>(result), created: result.response.status === 201 };
  }

  /** Changes a document in part, by a merge patch; throws `not_found` when there is none. */
  async patch(id: DocumentId, patch: Patch<T>, options?: MatchOptions): Promise<Stored<T>> {
    const body = patch as Document;
    return stored(await this.#api.patchDocument({ ...callOptions(options, ifMatch(options)), path: pathOf(id), body }));
  }

  /** Deletes a document; throws `not_found` when there is none. */
  async delete(id: DocumentId, options?: MatchOptions): Promise<void> {
    await this.#api.deleteDocument({ ...callOptions(options, ifMatch(options)), path: pathOf(id) });
  }

  /**
   * All documents, or those that the filter selects. Each page is requested when the loop reaches it. A document that
   * does not change meanwhile comes exactly once, whatever else is written.
   */
  list(options?: ListOptions & All): AsyncGenerator<WithId<T>, void, undefined>;
  list(options: ListOptions & Only): AsyncGenerator<WithId<Partial<T>>, void, undefined>;
  list(options: ListOptions = {}): AsyncGenerator<WithId<T>, void, undefined> {
    return pages(async (at) => ({ data: await this.#page({ ...options, ...at }) }));
  }

  /** One page of the list. */
  page(options?: PageOptions & All): Promise<DocumentPage<T>>;
  page(options: PageOptions & Only): Promise<DocumentPage<Partial<T>>>;
  page(options: PageOptions = {}): Promise<DocumentPage<T>> {
    return this.#page(options);
  }

  async #page(options: PageOptions): Promise<DocumentPage<T>> {
    const { filter, sort, fields, limit, cursor, count } = options;
    const text = filter && stringify(filter);
    const all = { sort: joined(sort), fields: joined(fields), limit, cursor, count };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const call = callOptions(options);
    const { data } = [text, all.sort, all.fields].every(isShort)
      ? await this.#api.listDocuments({ ...call, query: { ...given, ...(text && { filter: text }) } })
      : await this.#api.queryDocuments({ ...call, body: { ...given, ...(filter && { filter }) } });
    return data as DocumentPage<T>;
  }
}

function stored<T>({ data, response }: { data: Document; response: Response }): Stored<T> {
  const etag = response.headers.get('ETag');
  if (etag === null) throw unexpected(response, 'The answer has no ETag. Does a proxy remove it?');
  return { document: data as WithId<T>, etag };
}

function pathOf(id: DocumentId): { id: string } {
  const text = typeof id === 'string' ? id : id.$oid;
  // "." and ".." would name another path, however they are escaped.
  if (typeof text !== 'string' || /^\.{0,2}$/.test(text)) throw new TypeError('orgd: no document can have this _id');
  return { id: text };
}

function ifMatch(options: MatchOptions | undefined): Record<string, string> {
  if (options?.ifMatch === undefined) return {};
  const value = [options.ifMatch].flat().join(', ');
  if (value === '') throw new TypeError('orgd: ifMatch is empty'); // the server would take it for no condition
  return { 'If-Match': value };
}

function joined(paths: string | readonly string[] | undefined): string | undefined {
  return typeof paths === 'object' ? paths.join(',') : paths;
}
