import type { Auth, Client } from './gen/typescript/client/index.js';
import type { ResolvedRequestOptions } from './gen/typescript/client/types.gen.js';
import type { OrganizationUpdate } from './gen/typescript/types.gen.js';
import { operations } from './operations.gen.js';
import { idempotencyKeyHeader } from './options.js';
import type { Outcome, Session } from './session.js';

/** What the client has to know of an operation: {@link operations} has those of the contract. */
export interface Operation {
  /** What its requests authenticate with; `optionalToken`: a token if the client has a good one. */
  credential: 'none' | 'token' | 'optionalToken' | 'operatorKey';
  /** The operation changes nothing. */
  safe?: boolean;
  /** Doing it twice is the same as doing it once, with an Idempotency-Key if it is keyed. */
  repeatable?: boolean;
  /** The server acts on an Idempotency-Key. */
  keyed?: boolean;
  /** The first answer counts: the client does not try again. */
  once?: boolean;
}

/** What an operation does to the session: called when it begins, returns what to call when it has ended. */
type Effect = (session: Session, body: unknown) => (outcome: Outcome) => void;

const effects: Partial<Record<keyof typeof operations, Effect>> = {
  'PUT /org/update': (session, body) => session.change((body ?? {}) as OrganizationUpdate),
  'DELETE /org/delete': (session) => (outcome) => outcome === 'done' && session.drop(),
};

/** Returns the operation of a method and a path; of one that is newer than the table, method and path tell. */
function operationOf({ method = 'GET', url }: ResolvedRequestOptions): Operation {
  const safe = ['GET', 'HEAD', 'OPTIONS'].includes(method);
  const later: Operation = {
    credential: url.startsWith('/operator/') ? 'operatorKey' : 'token',
    safe,
    repeatable: safe || ['PUT', 'DELETE'].includes(method),
  };
  return (operations as Record<string, Operation>)[`${method} ${url}`] ?? later;
}

/** One call of an operation. */
export interface Call {
  /** The first answer counts: the client does not try again. */
  readonly once: boolean;
  /** Sending it twice is the same as sending it once. */
  readonly repeatable: boolean;
  /** The server carries it out once, however often it is sent. */
  readonly keyed: boolean;
  /** A token is optional. */
  readonly open: boolean;
  /** The call changes something. */
  readonly changes: boolean;
  /** Its body can be sent again. */
  readonly replayable: boolean;
  /** The call takes the operator's key. */
  readonly operator: boolean;
  /** How the request carries its credential, if it has one. */
  readonly security: Auth | undefined;
  readonly fetch: typeof fetch;
  readonly body: unknown;
  /** Ends the call. */
  readonly signal: AbortSignal | undefined;
  readonly begin: (session: Session) => (outcome: Outcome) => void;
}

/** Describes a call of any operation, including operations that are newer than this package. */
export function callOf(options: ResolvedRequestOptions): Call {
  const { method = 'GET', url } = options;
  const affects = (effects as Record<string, Effect>)[`${method} ${url}`];
  const { credential, safe = false, repeatable = false, keyed = false, once = false } = operationOf(options);
  const hasKey = options.headers.has(idempotencyKeyHeader);
  return {
    once,
    open: credential === 'optionalToken',
    repeatable: (repeatable && !keyed) || hasKey,
    keyed: keyed && hasKey,
    changes: !safe,
    replayable: !(options.body instanceof ReadableStream),
    operator: credential === 'operatorKey',
    security: options.security?.[0],
    fetch: options.fetch ?? fetch,
    body: options.body,
    signal: signalOf(options),
    begin: (session) => affects?.(session, options.body) ?? (() => undefined),
  };
}

/** Whether a call lacks the key with which it can be sent again. */
export function wantsKey(options: ResolvedRequestOptions): boolean {
  return operationOf(options).keyed === true && !options.headers.has(idempotencyKeyHeader);
}

const callersSignal = Symbol('signal');

/** The signal that ends a call of a client that has been through {@link withOwnSignals}. */
export function signalOf(options: object): AbortSignal | undefined {
  return (options as { [callersSignal]?: AbortSignal | null })[callersSignal] ?? undefined;
}

/**
 * Keeps callers' signals out of the requests that a client makes. In Node a Request keeps a listener on its signal until
 * the Request is collected, and a program may use one signal for all its calls; and a copy of a Request, such as the one
 * that is sent, no longer follows the signal once the Request is collected.
 */
export function withOwnSignals(client: Client): Client {
  for (const method of ['delete', 'get', 'head', 'options', 'patch', 'post', 'put', 'trace'] as const) {
    const send = client[method] as (options: object) => never;
    client[method] = ({ signal, ...options }: { signal?: AbortSignal | null }) => send({ ...options, [callersSignal]: signal });
  }
  return client;
}
