import { Documents } from './documents.js';
import { extend, OrgdError, unexpected } from './error.js';
import { stringify } from './extjson.js';
import { follow, type WaitOptions } from './follow.js';
import { createClient, type Client } from './gen/typescript/client/index.js';
import type { ResolvedRequestOptions } from './gen/typescript/client/types.gen.js';
import { Api } from './gen/typescript/sdk.gen.js';
import type {
  DeletionReceipt,
  Document,
  Health,
  Index,
  IndexCreate,
  LoginRequest,
  Operation,
  Organization,
  OrganizationCreate,
  OrganizationSummary,
  OrganizationUpdate,
  Stats,
  Token,
} from './gen/typescript/types.gen.js';
import type { WithId } from './documents.js';
import { pages } from './iterate.js';
import { callOf, signalOf, wantsKey, withOwnSignals } from './operation.js';
import { Operator } from './operator.js';
import { callOptions, idempotencyKeyHeader, parse, type CallOptions, type CreateOptions, type OrgdOptions } from './options.js';
import { Session } from './session.js';
import { exportDocuments, importDocuments, type ExportOptions, type Imported, type ImportOptions } from './transfer.js';
import { Transport } from './transport.js';
import type { ImportSource } from './upload.js';

/**
 * A client of one orgd server.
 *
 * ```ts
 * const orgd = new Orgd({ baseUrl: 'https://orgd.example', email, password });
 * await orgd.updateOrganization({ organization_name: 'Acme Corporation' });
 * ```
 *
 * The client logs in when it first needs a token, again shortly before the token expires, and once more when the server
 * refuses it. Calls are tried again when that may help. All failures are {@link OrgdError}s, except that a call whose
 * signal is aborted throws the signal's reason.
 */
export class Orgd {
  /**
   * The generated client: one method for every operation of the contract, each returning
   * `{ data, request, response }`. Login, retries and errors are those of this class.
   */
  readonly api: Api;

  /** What the operator can do, with an `operatorKey`. */
  readonly operator: Operator;

  /** The deletions that this client has begun: one that has succeeded leaves no operation on the server. */
  readonly #deletions = new Map<string, Operation>();

  constructor(options: OrgdOptions) {
    const { baseUrl, account, token, operatorKey, retries, fetch } = parse(options);
    const session = new Session(account, token, (account) => this.login(account));
    this.api = newApi(newClient(baseUrl, fetch, new Transport({ retries, session, operatorKey }), retries > 0));
    this.operator = new Operator(this.api);
  }

  /** Creates an organization and its first admin. It needs no credentials, and does not change those of this client. */
  async createOrganization(organization: OrganizationCreate, options?: CreateOptions): Promise<Organization> {
    return (await this.api.createOrganization({ ...callOptions(options), body: organization })).data;
  }

  /** Looks an organization up by its name, in any spelling. Its own admins see more of it. */
  async getOrganization(name: string, options?: CallOptions): Promise<OrganizationSummary> {
    return (await this.api.getOrganization({ ...callOptions(options), query: { organization_name: name } })).data;
  }

  /**
   * Changes the given properties of the client's own organization, and moves its data into a fresh collection unless
   * `migrate` is `false`. A new e-mail address or password is for the client's admin; the client uses it from then on.
   */
  async updateOrganization(changes: OrganizationUpdate = {}, options?: CallOptions): Promise<Organization> {
    return (await this.api.updateOrganization({ ...callOptions(options), body: changes })).data as Organization;
  }

  /**
   * Begins an {@link updateOrganization}, and returns as soon as the server has accepted it. See {@link waitOperation}.
   *
   * @returns the operation
   */
  async startUpdate(changes: OrganizationUpdate = {}, options?: CallOptions): Promise<Operation> {
    const { data, response } = await this.api.updateOrganization({ ...callOptions(options, respondAsync), body: changes });
    if (response.status !== 202) throw extend(unexpected(response, 'The server did not begin an operation.'), { outcomeUnknown: true });
    return data as Operation;
  }

  /** Deletes the client's own organization and every trace of it. Only within a time of grace the operator can restore it. */
  async deleteOrganization(options?: CallOptions): Promise<DeletionReceipt> {
    return (await this.api.deleteOrganization({ ...callOptions(options) })).data as DeletionReceipt;
  }

  /**
   * Begins a {@link deleteOrganization}, and returns as soon as the server has accepted it.
   *
   * @returns the operation, for {@link waitOperation}; or, with a time of grace, the receipt
   */
  async startDelete(options?: CallOptions): Promise<Operation | DeletionReceipt> {
    const { data } = await this.api.deleteOrganization({ ...callOptions(options, respondAsync) });
    if ('state' in data) this.#deletions.set(data.id, data);
    return data;
  }

  /** Returns an operation of the client's own organization as it is now. */
  async getOperation(id: string, options?: CallOptions): Promise<Operation> {
    return (await this.api.getOperation({ ...callOptions(options), path: { id } })).data;
  }

  /**
   * The operations of the client's own organization, finished and running, the newest first. Each page is requested when
   * the loop reaches it.
   */
  operations(options: CallOptions & { limit?: number } = {}): AsyncGenerator<Operation, void, undefined> {
    const limit = options.limit === undefined ? {} : { limit: options.limit };
    return pages((at) => this.api.listOperations({ ...callOptions(options), query: { ...limit, ...at } }));
  }

  /**
   * Waits until an operation has finished. A failed operation throws an {@link OrgdError} with its code, and has changed
   * nothing. A deletion has succeeded when the server no longer knows the organization.
   *
   * ```ts
   * const operation = await orgd.startUpdate({ organization_name: 'Acme Corporation' });
   * await orgd.waitOperation(operation, { onProgress: (o) => show(o.documents_copied, o.documents_total) });
   * ```
   *
   * @param operation what `startUpdate` or `startDelete` returned, or an id, such as the `operationId` of an
   *   `operation_in_progress`
   */
  async waitOperation(operation: Operation | string, options: WaitOptions = {}): Promise<Operation> {
    const id = typeof operation === 'string' ? operation : operation.id;
    const last = typeof operation === 'string' ? this.#deletions.get(id) : operation;
    const ended = await follow(() => this.getOperation(id, options), last, options);
    this.#deletions.delete(id);
    return ended;
  }

  /** The documents of the client's own organization, assumed to be of the type T; nothing checks that. */
  documents<T extends object = Document>(): Documents<T> {
    return new Documents<T>(this.api);
  }

  /**
   * Adds many documents, given as objects or as NDJSON, such as an export's. Refused documents are counted and reported,
   * the others are added.
   *
   * ```ts
   * const { inserted, errors } = await orgd.importDocuments(createReadStream('people.ndjson'), { onConflict: 'skip' });
   * ```
   *
   * An import that does not finish throws an {@link OrgdError}, with the server's last count as `imported`.
   */
  importDocuments<T extends object = Document>(from: ImportSource<T>, options: ImportOptions = {}): Promise<Imported> {
    return importDocuments(this.api, from, options);
  }

  /**
   * All documents, or those that a filter selects, ordered by `_id`, as they arrive. If not all arrive, the loop throws
   * after those that did.
   */
  exportDocuments<T extends object = Document>(options: ExportOptions = {}): AsyncGenerator<WithId<T>, void, undefined> {
    return exportDocuments(this.api, options);
  }

  /** The indexes, except the index on `_id`. */
  async indexes(options?: CallOptions): Promise<Index[]> {
    return (await this.api.listIndexes({ ...callOptions(options) })).data.items;
  }

  /** Creates an index, and returns when it can be used. Creating the same index again changes nothing. */
  async createIndex(index: IndexCreate, options?: CallOptions): Promise<Index> {
    return (await this.api.createIndex({ ...callOptions(options), body: index })).data;
  }

  /** Deletes an index; the documents stay. */
  async deleteIndex(name: string, options?: CallOptions): Promise<void> {
    await this.api.deleteIndex({ ...callOptions(options), path: { name } });
  }

  /** Counts documents, bytes and the sizes of indexes. */
  async stats(options?: CallOptions): Promise<Stats> {
    return (await this.api.getStats({ ...callOptions(options) })).data;
  }

  /** Exchanges an e-mail address and a password for a token. It does not change the credentials of this client. */
  async login(credentials: LoginRequest, options?: CallOptions): Promise<Token> {
    return (await this.api.login({ ...callOptions(options), body: credentials })).data;
  }

  /** Returns when the server's process answers, or throws. There are no retries. */
  async live(options?: CallOptions): Promise<Health> {
    return (await this.api.getLiveness({ ...callOptions(options) })).data;
  }

  /** Returns when the server can serve requests, or throws. There are no retries. */
  async ready(options?: CallOptions): Promise<Health> {
    return (await this.api.getReadiness({ ...callOptions(options) })).data;
  }
}

const respondAsync = { Prefer: 'respond-async' };

/** A generated client that sends its requests through a transport; keys: with an Idempotency-Key where one helps. */
function newClient(baseUrl: string, fetch: typeof globalThis.fetch, transport: Transport, keys: boolean): Client {
  const client = createClient({
    baseUrl,
    fetch,
    throwOnError: true,
    bodySerializer: stringify,
    redirect: 'manual', // following it would send passwords to another address
    ...{ duplex: 'half' }, // fetch requires it for a body that is a stream
  });
  client.interceptors.request.use((request, options) => {
    if (keys && wantsKey(options)) {
      options.headers.set(idempotencyKeyHeader, randomKey());
      request.headers.set(idempotencyKeyHeader, options.headers.get(idempotencyKeyHeader) ?? '');
    }
    const call = callOf(options);
    options.fetch = (request) => transport.send(request as Request, call);
    return request;
  });
  client.interceptors.response.use((response, _, options) => {
    if (options.parseAs === 'auto' && isStream(response)) options.parseAs = 'stream'; // see lines()
    return response;
  });
  client.interceptors.error.use(ownError);
  return withOwnSignals(client);
}

/** Makes the generated client's errors safe: those of its parsers show the text that they could not parse. */
function ownError(error: unknown, response?: Response, request?: Request, options?: ResolvedRequestOptions): unknown {
  if (error instanceof OrgdError || (options && signalOf(options)?.aborted)) return error;
  if (response) {
    const outcomeUnknown = request?.method !== 'GET';
    return extend(unexpected(response, 'The answer is not the JSON that its header says.'), { outcomeUnknown });
  }
  if (!(error instanceof TypeError || error instanceof URIError)) return error;
  return error.message.startsWith('orgd: ') ? error : new TypeError('orgd: a header, a path or the body cannot be sent');
}

/** 128 random bits. crypto.randomUUID() is not there on pages without TLS. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function isStream(response: Response): boolean {
  return /^application\/(x-)?ndjson\b/i.test(response.headers.get('Content-Type') ?? '');
}

function newApi(client: Client): Api {
  const api = new Api({ client });
  // The generated class keeps its latest instance, and with it the credentials, where any code can find them.
  Api.__registry.set(undefined as unknown as Api);
  return api;
}
