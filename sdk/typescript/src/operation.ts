import type { Auth, Client } from './gen/typescript/client/index.js';
import type { ResolvedRequestOptions } from './gen/typescript/client/types.gen.js';
import type { OrganizationUpdate } from './gen/typescript/types.gen.js';
import { idempotencyKeyHeader } from './options.js';
import type { Outcome, Session } from './session.js';

/** What is special about an operation: what its method, its path and its security do not say. */
interface Special {
  /** Doing it twice is doing it once, though its method does not say so. */
  repeatable?: true;
  /** It changes nothing, though its method says so. */
  reads?: true;
  /** It takes an Idempotency-Key. */
  keyed?: true;
  /** The first answer is the answer. */
  once?: true;
  /** Open to all; a token adds something. */
  open?: true;
  /** What it does to the session: called when it begins, returns what to call when it has ended. */
  affects?: (session: Session, body: unknown) => (outcome: Outcome) => void;
}

const special: Record<string, Special> = {
  'GET /org/get': { open: true },
  'POST /admin/login': { repeatable: true, reads: true },
  'POST /org/create': { keyed: true },
  'POST /org/documents': { keyed: true },
  'POST /org/documents/query': { reads: true }, // GET /org/documents, with a body
  'POST /org/export': { reads: true },
  'PATCH /org/documents/{id}': { repeatable: true }, // a merge patch says what there is to be
  'POST /org/indexes': { repeatable: true },
  'POST /operator/organizations/{id}/suspend': { repeatable: true },
  'POST /operator/organizations/{id}/resume': { repeatable: true },
  'POST /operator/organizations/{id}/restore': { repeatable: true },
  'GET /livez': { once: true },
  'GET /readyz': { once: true },
  'PUT /org/update': { affects: (session, body) => session.change((body ?? {}) as OrganizationUpdate) },
  'DELETE /org/delete': { affects: (session) => (outcome) => outcome === 'done' && session.drop() },
};

/** One call of an operation. */
export interface Call {
  /** The first answer is the answer. */
  readonly once: boolean;
  /** Doing it twice is doing it once. */
  readonly repeatable: boolean;
  /** The server carries it out once, however often it is sent. */
  readonly keyed: boolean;
  /** A token is optional. */
  readonly open: boolean;
  /** It changes something. */
  readonly changes: boolean;
  /** Its body can be sent again. */
  readonly replayable: boolean;
  /** Of the operator's plane. */
  readonly operator: boolean;
  /** How it takes credentials, if it does. */
  readonly security: Auth | undefined;
  readonly fetch: typeof fetch;
  readonly body: unknown;
  /** Ends the call. */
  readonly signal: AbortSignal | undefined;
  readonly begin: (session: Session) => (outcome: Outcome) => void;
}

/** Says what there is to know of a call of any operation, present or future. */
export function callOf(options: ResolvedRequestOptions): Call {
  const method = options.method ?? 'GET';
  const { repeatable = false, once = false, open = false, affects, ...its } = special[`${method} ${options.url}`] ?? {};
  const reads = its.reads ?? ['GET', 'HEAD', 'OPTIONS'].includes(method);
  const hasKey = options.headers.has(idempotencyKeyHeader);
  return {
    once,
    open,
    repeatable: repeatable || reads || ['PUT', 'DELETE'].includes(method) || hasKey,
    keyed: its.keyed === true && hasKey,
    changes: !reads,
    replayable: !(options.body instanceof ReadableStream),
    operator: options.url.startsWith('/operator/'),
    security: options.security?.[0],
    fetch: options.fetch ?? fetch,
    body: options.body,
    signal: signalOf(options),
    begin: (session) => affects?.(session, options.body) ?? (() => undefined),
  };
}

/** Whether a call lacks the key with which it can be sent again. */
export function wantsKey({ method, url, headers }: ResolvedRequestOptions): boolean {
  return special[`${method} ${url}`]?.keyed === true && !headers.has(idempotencyKeyHeader);
}

const callersSignal = Symbol('signal');

/** The signal that ends a call of a client that has been through {@link withOwnSignals}. */
export function signalOf(options: object): AbortSignal | undefined {
  return (options as { [callersSignal]?: AbortSignal | null })[callersSignal] ?? undefined;
}

/**
 * Keeps callers' signals out of the requests that a client makes. In Node a Request leaves a listener with its signal
 * until it is garbage, though one signal may be for all calls of a program; and a copy of a Request, which is what is
 * sent, no longer follows the signal when the Request is garbage.
 */
export function withOwnSignals(client: Client): Client {
  for (const method of ['delete', 'get', 'head', 'options', 'patch', 'post', 'put', 'trace'] as const) {
    const send = client[method] as (options: object) => never;
    client[method] = ({ signal, ...options }: { signal?: AbortSignal | null }) => send({ ...options, [callersSignal]: signal });
  }
  return client;
}
