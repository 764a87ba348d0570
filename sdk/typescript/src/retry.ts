import { systemCode, type OrgdError } from './error.js';

const firstDelay = 200;
const maxBackoff = 10_000;
const maxDelay = 30_000; // milliseconds, the longest wait that the server may ask for

/** System codes, in Node, that say that no connection was made. */
const notConnected = /^(ECONNREFUSED|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** System codes that say that no connection was made, nor would be in a moment: no such host, no trusted certificate, no TLS. */
const hopeless = /^ENOTFOUND$|CERT|^UNABLE_TO_VERIFY_LEAF_SIGNATURE$|^ERR_SSL_WRONG_VERSION_NUMBER$/;

/** Whether the error may pass, so that the same request may succeed later. */
export function mayPass({ code, status, cause }: OrgdError): boolean {
  if (code === 'idempotency_in_progress') return true;
  if (code === 'network_error') return !hopeless.test(systemCode(cause) ?? '');
  return [429, 502, 503, 504].includes(status) && !/^(outcome_unknown|query_timeout|storage_full)$/.test(code);
}

/** Whether it is certain that the server did nothing. */
export function nothingDone({ code, status, cause }: OrgdError): boolean {
  const failure = systemCode(cause) ?? '';
  if (code === 'network_error') return notConnected.test(failure) || hopeless.test(failure);
  if (code === 'idempotency_in_progress') return false; // the first request is running
  if (status >= 500) return /^(unavailable|query_timeout|quota_exceeded|storage_full)$/.test(code);
  return status < 200 || status >= 300; // a success that is not orgd's says nothing
}

/**
 * How many milliseconds to wait before the next attempt: twice as long each time, with jitter so that clients do not
 * come back all at once, and not before the server wants. undefined when that is too long to wait for.
 */
export function delayBefore(attempt: number, retryAfter: number | undefined): number | undefined {
  const backoff = Math.min(maxBackoff, firstDelay * 2 ** (attempt - 1));
  if (retryAfter === undefined) return backoff / 2 + (Math.random() * backoff) / 2;
  const asked = retryAfter * 1000;
  return asked > maxDelay ? undefined : asked + Math.random() * backoff;
}
