import { extend, OrgdError, unexpected } from './error.js';
import { createClient, type Client } from './gen/typescript/client/index.js';
import type { ResolvedRequestOptions } from './gen/typescript/client/types.gen.js';
import { Api } from './gen/typescript/sdk.gen.js';
import type {
  DeletionReceipt,
  Health,
  LoginRequest,
  Organization,
  OrganizationCreate,
  OrganizationSummary,
  OrganizationUpdate,
  Token,
} from './gen/typescript/types.gen.js';
import { callOf, signalOf, withOwnSignals } from './operation.js';
import { parse, type OrgdOptions } from './options.js';
import { Session } from './session.js';
import { Transport } from './transport.js';

/** What every call takes besides. */
export interface CallOptions {
  /** Ends the call, which then throws the signal's reason. What was sent may be carried out all the same. */
  signal?: AbortSignal | undefined;
  /** More headers, such as `X-Request-Id`. */
  headers?: Record<string, string>;
}

/**
 * A client of one orgd server.
 *
 * ```ts
 * const orgd = new Orgd({ baseUrl: 'https://orgd.example', email, password });
 * await orgd.updateOrganization({ organization_name: 'Acme Corporation' });
 * ```
 *
 * It logs in when a token is first needed, again shortly before that runs out, and once more when the server refuses
 * it. What may pass is tried again. All failures are {@link OrgdError}s, except that a call whose signal is aborted
 * throws the signal's reason.
 */
export class Orgd {
  /**
   * The generated operations, one method for every operation of the contract, each returning
   * `{ data, request, response }`. Login, retries and errors are as everywhere in this class.
   */
  readonly api: Api;

  constructor(options: OrgdOptions) {
    const { baseUrl, account, token, operatorKey, retries, fetch } = parse(options);
    const session = new Session(account, token, (account) => this.login(account));
    this.api = newApi(newClient(baseUrl, fetch, new Transport({ retries, session, operatorKey })));
  }

  /** Creates an organization and its first admin. Needs no credentials, and does not change those of this client. */
  async createOrganization(organization: OrganizationCreate, options?: CallOptions): Promise<Organization> {
    return (await this.api.createOrganization({ ...options, body: organization })).data;
  }

  /** Looks an organization up by its name, in any spelling. Its own admins see more of it. */
  async getOrganization(name: string, options?: CallOptions): Promise<OrganizationSummary> {
    return (await this.api.getOrganization({ ...options, query: { organization_name: name } })).data;
  }

  /**
   * Changes what is given of the client's own organization, and moves its data into a fresh collection unless
   * `migrate` is `false`. A new e-mail address or password is that of the client's admin; the client uses it from
   * then on.
   */
  async updateOrganization(changes: OrganizationUpdate = {}, options?: CallOptions): Promise<Organization> {
    return (await this.api.updateOrganization({ ...options, body: changes })).data;
  }

  /** Deletes the client's own organization and every trace of it. It cannot be undone. */
  async deleteOrganization(options?: CallOptions): Promise<DeletionReceipt> {
    return (await this.api.deleteOrganization({ ...options })).data;
  }

  /** Exchanges an e-mail address and a password for a token. It does not change the credentials of this client. */
  async login(credentials: LoginRequest, options?: CallOptions): Promise<Token> {
    return (await this.api.login({ ...options, body: credentials })).data;
  }

  /** Returns when the server's process answers, or throws. It asks once. */
  async live(options?: CallOptions): Promise<Health> {
    return (await this.api.getLiveness({ ...options })).data;
  }

  /** Returns when the server can serve requests, or throws. It asks once. */
  async ready(options?: CallOptions): Promise<Health> {
    return (await this.api.getReadiness({ ...options })).data;
  }
}

/** A generated client that sends all it sends through a transport. */
function newClient(baseUrl: string, fetch: typeof globalThis.fetch, transport: Transport): Client {
  const client = createClient({
    baseUrl,
    fetch,
    throwOnError: true,
    redirect: 'manual', // followed, it would take passwords along
    ...{ duplex: 'half' }, // what fetch wants to be told of a body that is a stream
  });
  client.interceptors.request.use((request, options) => {
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

/** What is thrown besides: the signal's reason; and by parsers, whose errors show what they could not parse. */
function ownError(error: unknown, response?: Response, request?: Request, options?: ResolvedRequestOptions): unknown {
  if (error instanceof OrgdError || (options && signalOf(options)?.aborted)) return error;
  if (response) {
    const outcomeUnknown = request?.method !== 'GET';
    return extend(unexpected(response, 'The answer is not the JSON that its header says.'), { outcomeUnknown });
  }
  return error instanceof TypeError ? new TypeError('orgd: there is a header or a body that cannot be sent') : error;
}

function isStream(response: Response): boolean {
  return /^application\/(x-)?ndjson\b/i.test(response.headers.get('Content-Type') ?? '');
}

function newApi(client: Client): Api {
  const api = new Api({ client });
  // The generated class keeps the latest instance, and with it the credentials, for others to find.
  Api.__registry.set(undefined as unknown as Api);
  return api;
}
