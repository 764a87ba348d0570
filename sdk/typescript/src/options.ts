import type { LoginRequest } from './gen/typescript/types.gen.js';

/** The credentials for organizations: an admin's account, a token, or none. */
export type Credentials =
  /** The client logs in when it needs a token. If a token is given, it begins with that. */
  | { email: string; password: string; token?: string | undefined }
  /** The client uses this `access_token` until it expires. */
  | { token: string; email?: undefined; password?: undefined }
  | { token?: undefined; email?: undefined; password?: undefined };

/** The options of an {@link Orgd}. */
export type OrgdOptions = Credentials & {
  /** The server's address, such as `https://orgd.example`, with a path if a proxy adds one. In a browser, by default the page's origin. */
  baseUrl?: string | URL | undefined;
  /** The operator's key. It is sent with operations under `/operator/` only. */
  operatorKey?: string | undefined;
  /** How often a call is tried again when that may help. By default 3. */
  retries?: number | undefined;
  /** A function to use in place of the global `fetch`. */
  fetch?: typeof fetch | undefined;
};

/** The options that every call takes. */
export interface CallOptions {
  /** Ends the call, which then throws the signal's reason. A request that was sent may be carried out all the same. */
  signal?: AbortSignal | undefined;
  /** More headers, such as `X-Request-Id`. */
  headers?: Record<string, string>;
}

/** The options of calls that create something. */
export interface CreateOptions extends CallOptions {
  /**
   * Names the request: when it is sent again within 24 hours, for example by another process, it gets the first answer.
   * By default the key is random, and serves the retries of this call.
   */
  idempotencyKey?: string | undefined;
}

/** The options of a call as the generated operations take them, with more headers. */
export function callOptions(options: CreateOptions = {}, more: Record<string, string> = {}) {
  const { signal, headers, idempotencyKey } = options;
  const key = idempotencyKey === undefined ? {} : { [idempotencyKeyHeader]: idempotencyKey };
  return { signal: signal ?? null, headers: { ...headers, ...key, ...more } };
}

/** Whether a parameter is sent in the URL, as older servers expect; longer parameters are sent in the body. */
export function isShort(parameter: string | undefined): boolean {
  return parameter === undefined || parameter.length <= 1024;
}

export const idempotencyKeyHeader = 'Idempotency-Key';

/** Checks options. Its errors do not show them: people paste passwords into the wrong places. */
export function parse(options: OrgdOptions) {
  const { email, password, token, operatorKey, retries = 3 } = options;
  if ((email === undefined) !== (password === undefined)) throw new TypeError('orgd: email and password go together');
  for (const [name, value] of Object.entries({ token, operatorKey })) {
    if (value !== undefined && !/^[!-~]+$/.test(value)) throw new TypeError(`orgd: ${name} is not what a header can carry`);
  }
  if (!Number.isInteger(retries) || retries < 0) throw new TypeError('orgd: retries is not a whole number');
  const account: LoginRequest | undefined =
    email === undefined || password === undefined ? undefined : { email, password };
  return {
    baseUrl: parseBase(options.baseUrl),
    account,
    token,
    operatorKey,
    retries,
    fetch: options.fetch ?? ((...args: Parameters<typeof fetch>) => globalThis.fetch(...args)),
  };
}

function parseBase(given: string | URL | undefined): string {
  const origin = (globalThis as { location?: { origin: string } }).location?.origin;
  if (given === undefined && origin === undefined) throw new TypeError('orgd: baseUrl is missing');
  let base: URL;
  try {
    base = new URL(given ?? '', origin);
  } catch {
    throw new TypeError('orgd: baseUrl is not a URL');
  }
  if (!/^https?:$/.test(base.protocol)) throw new TypeError('orgd: baseUrl does not begin with http:// or https://');
  if (base.username || base.password) throw new TypeError('orgd: credentials do not belong in baseUrl; use email and password');
  if (base.search || base.hash) throw new TypeError('orgd: baseUrl has a query or a fragment');
  return base.href.replace(/\/+$/, '');
}
