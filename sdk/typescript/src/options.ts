import type { LoginRequest } from './gen/typescript/types.gen.js';

/** As whom to act towards organizations: as an admin, with a token, or as nobody. */
export type Credentials =
  /** Logs in when needed. With a token: begins with that. */
  | { email: string; password: string; token?: string | undefined }
  /** Acts with an `access_token` until that runs out. */
  | { token: string; email?: undefined; password?: undefined }
  | { token?: undefined; email?: undefined; password?: undefined };

/** What to make an {@link Orgd} of. */
export type OrgdOptions = Credentials & {
  /** Where orgd is, such as `https://orgd.example`, with a path if it is under one. In a browser: the page's origin. */
  baseUrl?: string | URL | undefined;
  /** The operator's key. It goes to operations under `/operator/` and to no others. */
  operatorKey?: string | undefined;
  /** How often a call is tried again when that may help: 3, unless said otherwise. */
  retries?: number | undefined;
  /** What to use instead of the global `fetch`. */
  fetch?: typeof fetch | undefined;
};

/** What every call takes besides. */
export interface CallOptions {
  /** Ends the call, which then throws the signal's reason. What was sent may be carried out all the same. */
  signal?: AbortSignal | undefined;
  /** More headers, such as `X-Request-Id`. */
  headers?: Record<string, string>;
}

/** What every call takes besides that creates something. */
export interface CreateOptions extends CallOptions {
  /**
   * Names the request: sent again within 24 hours, by another process for example, it has the answer of the first time.
   * Unless given it is random, and holds for the retries of this call.
   */
  idempotencyKey?: string | undefined;
}

/** The options of a call as the generated operations take them, with more headers. */
export function callOptions(options: CreateOptions = {}, more: Record<string, string> = {}) {
  const { signal, headers, idempotencyKey } = options;
  const key = idempotencyKey === undefined ? {} : { [idempotencyKeyHeader]: idempotencyKey };
  return { signal: signal ?? null, headers: { ...headers, ...key, ...more } };
}

/** Whether a parameter goes into a URL, as servers of before know it. What is longer goes into a body. */
export function isShort(parameter: string | undefined): boolean {
  return parameter === undefined || parameter.length <= 1024;
}

export const idempotencyKeyHeader = 'Idempotency-Key';

/** Checks options. What it throws does not show them: people paste passwords into the wrong places. */
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
