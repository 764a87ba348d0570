import type { ErrorCode, FieldError, ImportProgress, ImportResult, Problem } from './gen/typescript/types.gen.js';

/**
 * What went wrong where there is no problem of the server to say it:
 *
 * - `network_error`: no answer, or one that broke off.
 * - `unexpected_response`: an answer that is not orgd's, such as a proxy's error page or a redirect.
 */
export type ClientErrorCode = 'network_error' | 'unexpected_response';

/** The contract's error codes, and those of this package. A newer server may have more. */
export type OrgdErrorCode = ErrorCode | ClientErrorCode;

const conflicts = [
  'name_taken',
  'email_taken',
  'operation_in_progress',
  'organization_deleting',
  'document_exists',
  'duplicate_key',
  'index_exists',
  'precondition_failed',
  'idempotency_in_progress',
] as const satisfies ErrorCode[];

/** The codes of what is refused because of what is there, or goes on, and may be accepted another time. */
export type ConflictCode = (typeof conflicts)[number];

/** What an {@link OrgdError} is made of. */
export interface OrgdErrorInit {
  status: number;
  code: OrgdErrorCode;
  detail: string;
  errors?: readonly FieldError[] | undefined;
  requestId?: string | undefined;
  operationId?: string | undefined;
  retryAfter?: number | undefined;
  outcomeUnknown?: boolean;
  imported?: ImportProgress | ImportResult | undefined;
  cause?: unknown;
}

/**
 * A call that failed. Neither its message nor its JSON has anything of the request, so no password and no token
 * either.
 */
export class OrgdError extends Error {
  override readonly name: string = 'OrgdError';
  /** The HTTP status; 0 when there was no answer, and of an operation that failed. */
  readonly status: number;
  /** What went wrong, for programs. */
  readonly code: OrgdErrorCode;
  /** What to do about it, for people. */
  readonly detail: string;
  /** Which inputs are wrong. */
  readonly errors: readonly FieldError[];
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  /** The operation in the way, with `operation_in_progress`; or the one that failed. */
  readonly operationId: string | undefined;
  /** After how many seconds the server wants to be asked again. */
  readonly retryAfter: number | undefined;
  /**
   * Whether the change may have been made all the same: the connection broke, a proxy gave up, or the server itself
   * does not know. When this is false, nothing was changed.
   */
  readonly outcomeUnknown: boolean;
  /** Of an import that did not come to its end, what the server counted last. That is durable; there may be more. */
  readonly imported: ImportProgress | ImportResult | undefined;

  constructor(init: OrgdErrorInit) {
    super(messageOf(init), init.cause === undefined ? undefined : { cause: init.cause });
    this.status = init.status;
    this.code = init.code;
    this.detail = init.detail;
    this.errors = init.errors ?? [];
    this.requestId = init.requestId;
    this.operationId = init.operationId;
    this.retryAfter = init.retryAfter;
    this.outcomeUnknown = init.outcomeUnknown ?? false;
    this.imported = init.imported;
  }

  /** For logs. Without the cause and the stack. */
  toJSON(): Record<string, unknown> {
    const { name, message, status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported } = this;
    return { name, message, status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported };
  }
}

/**
 * Whether a caught value is an {@link OrgdError} and, where codes are given, has one of them:
 *
 * ```ts
 * if (isOrgdError(e, 'name_taken', 'email_taken')) …
 * ```
 */
export function isOrgdError(e: unknown): e is OrgdError;
export function isOrgdError<C extends OrgdErrorCode>(e: unknown, ...codes: C[]): e is OrgdError & { readonly code: C };
export function isOrgdError(e: unknown, ...codes: OrgdErrorCode[]): boolean {
  // By name: a program may have this package twice.
  return e instanceof Error && e.name === 'OrgdError' && (codes.length === 0 || codes.includes((e as OrgdError).code));
}

/** Whether a caught value is an {@link OrgdError} whose code is that of a conflict. */
export function isConflict(e: unknown): e is OrgdError & { readonly code: ConflictCode } {
  return isOrgdError(e, ...conflicts);
}

/** The error of an answer that is not a success. censor cuts out what must not be in it. */
export async function errorOf(response: Response, censor: (text: string) => string): Promise<OrgdError> {
  const { status, headers } = response;
  const requestId = headers.get('X-Request-Id');
  const common = { status, requestId: requestId === null ? undefined : censor(requestId), retryAfter: retryAfter(headers) };
  const problem = await problemOf(response, censor);
  if (problem) {
    return new OrgdError({
      ...common,
      code: problem.code,
      detail: problem.detail ?? problem.title,
      errors: problem.errors,
      requestId: problem.request_id,
      operationId: problem.operation_id,
    });
  }
  const redirected = response.type === 'opaqueredirect' || (status >= 300 && status < 400);
  return new OrgdError({
    ...common,
    code: 'unexpected_response',
    // Not what the body says: it may be anything, the request among it.
    detail: redirected
      ? 'The server redirects, which is not followed with credentials. Set baseUrl to the final address.'
      : `The answer (${status}) is not from orgd. Is baseUrl right?`,
  });
}

/** The error of a request without an answer, or with one that broke off. */
export function networkError(cause: unknown, what = 'No answer from the server'): OrgdError {
  const code = systemCode(cause); // the rest of the cause may be more than is good for a log
  return new OrgdError({ status: 0, code: 'network_error', detail: `${what}${code ? ` (${code})` : ''}.`, cause });
}

/** The error of a success that is none of orgd's. */
export function unexpected(response: Response | undefined, detail: string): OrgdError {
  const requestId = response?.headers.get('X-Request-Id') ?? undefined;
  return new OrgdError({ status: response?.status ?? 0, code: 'unexpected_response', detail, requestId });
}

/** The same error, with what is known besides. */
export function extend(error: OrgdError, more: Pick<OrgdErrorInit, 'outcomeUnknown' | 'imported' | 'cause'>): OrgdError {
  const { status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported, cause } = error;
  const all = { status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported, cause };
  return new OrgdError({ ...all, ...more });
}

/** The code of the system's error behind a failed fetch, in Node; a browser has none. */
export function systemCode(e: unknown): string | undefined {
  for (let depth = 0; e instanceof Error && depth < 4; depth++) {
    const { code, errors } = e as Error & { code?: unknown; errors?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code;
    e = Array.isArray(errors) ? errors[0] : e.cause;
  }
  return undefined;
}

function messageOf({ status, code, detail, errors = [], requestId, outcomeUnknown }: OrgdErrorInit): string {
  const inputs = errors.map((e) => `${e.pointer ?? e.parameter ?? 'input'}: ${e.detail}`);
  const context = [code, status || undefined, requestId && `request ${requestId}`].filter(Boolean).join(', ');
  const doubt = outcomeUnknown ? ' It may have been carried out all the same.' : '';
  return `${[detail, ...inputs].join(' ')}${doubt} [${context}]`;
}

async function problemOf(response: Response, censor: (text: string) => string): Promise<Problem | undefined> {
  if (!/^application\/(problem\+)?json\b/i.test(response.headers.get('Content-Type') ?? '')) {
    response.body?.cancel().catch(() => undefined);
    return undefined;
  }
  const text = await response.text().catch(() => '');
  try {
    const body: unknown = JSON.parse(text, (_, value: unknown) => (typeof value === 'string' ? censor(value) : value));
    return isProblem(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(body: unknown): body is Problem {
  const { code, title, request_id } = (body ?? {}) as Record<string, unknown>;
  return [code, title, request_id].every((field) => typeof field === 'string');
}

/** Seconds from now, of a header that has seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
