import type { Auth, Client } from './gen/typescript/client/index.js';
import type { ResolvedRequestOptions } from './gen/typescript/client/types.gen.js';
import type { OrganizationUpdate } from './gen/typescript/types.gen.js';
import { operations } from './operations.gen.js';
import { idempotencyKeyHeader } from './options.js';
import type { Outcome, Session } from './session.js';

/** What there is to know of an operation: {@link operations} has those of the contract. */
export interface Operation {
  /** Whose credential it takes; anybody's is a token where there is one. */
  credential: 'nobody' | 'anybody' | 'tenant' | 'operator';
  /** It changes nothing. */
  safe?: boolean;
  /** Doing it twice is doing it once, with a key where it is keyed. */
  repeatable?: boolean;
  /** It takes an Idempotency-Key. */
  keyed?: boolean;
  /** The first answer is the answer. */
  once?: boolean;
}

/** What an operation does to the session: called when it begins, returns what to call when it has ended. */
type Effect = (session: Session, body: unknown) => (outcome: Outcome) => void;

const effects: Partial<Record<keyof typeof operations, Effect>> = {
  'PUT /org/update': (session, body) => session.change((body ?? {}) as OrganizationUpdate),
  'DELETE /org/delete': (session) => (outcome) => outcome === 'done' && session.drop(),
};

/** Returns the operation behind a method and a path of the contract, or what they tell of one of a later contract. */
function operationOf({ method = 'GET', url }: ResolvedRequestOptions): Operation {
  const safe = ['GET', 'HEAD', 'OPTIONS'].includes(method);
  const later: Operation = {
    credential: url.startsWith('/operator/') ? 'operator' : 'tenant',
    safe,
    repeatable: safe || ['PUT', 'DELETE'].includes(method),
  };
  return (operations as Record<string, Operation>)[`${method} ${url}`] ?? later;
}

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
  const { method = 'GET', url } = options;
  const affects = (effects as Record<string, Effect>)[`${method} ${url}`];
  const { credential, safe = false, repeatable = false, keyed = false, once = false } = operationOf(options);
  const hasKey = options.headers.has(idempotencyKeyHeader);
  return {
    once,
    open: credential === 'anybody',
    repeatable: (repeatable && !keyed) || hasKey,
    keyed: keyed && hasKey,
    changes: !safe,
    replayable: !(options.body instanceof ReadableStream),
    operator: credential === 'operator',
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
