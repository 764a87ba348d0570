import type { ErrorCode, FieldError, ImportProgress, ImportResult, Problem } from './gen/typescript/types.gen.js';

/**
 * What went wrong when the server's answer does not say it:
 *
 * - `network_error`: there was no answer, or the answer broke off.
 * - `unexpected_response`: the answer is not orgd's, such as a proxy's error page or a redirect.
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

/** The codes of requests that are refused because of the present state, and that may be accepted another time. */
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
 * A call that failed. Neither its message nor its JSON has any part of the request, so they have no password and no
 * token.
 */
export class OrgdError extends Error {
  override readonly name: string = 'OrgdError';
  /** The HTTP status; 0 if there was no answer, or if the error is that of a failed operation. */
  readonly status: number;
  /** What went wrong, for programs. */
  readonly code: OrgdErrorCode;
  /** What to do about the error, for people. */
  readonly detail: string;
  /** The inputs that are wrong. */
  readonly errors: readonly FieldError[];
  /** Names the request in the server's log. */
  readonly requestId: string | undefined;
  /** With `operation_in_progress`, the operation that is changing the organization; else the operation that failed. */
  readonly operationId: string | undefined;
  /** After how many seconds the server asks for the request to be sent again. */
  readonly retryAfter: number | undefined;
  /**
   * Whether the change may have been made all the same: the connection broke, a proxy gave up, or the server itself
   * does not know. When this is false, nothing was changed.
   */
  readonly outcomeUnknown: boolean;
  /** The server's last count of an import that did not finish. The documents counted are durable; more may have been added. */
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

/** The error of an answer that is not a success. censor cuts secrets out of the answer's texts. */
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
    // The body is left out: it may repeat the request.
    detail: redirected
      ? 'The server redirects, which is not followed with credentials. Set baseUrl to the final address.'
      : `The answer (${status}) is not from orgd. Is baseUrl right?`,
  });
}

/** The error of a request whose answer did not come, or broke off. */
export function networkError(cause: unknown, what = 'No answer from the server'): OrgdError {
  const code = systemCode(cause); // the rest of the cause may have secrets, which do not belong in a log
  return new OrgdError({ status: 0, code: 'network_error', detail: `${what}${code ? ` (${code})` : ''}.`, cause });
}

/** The error of a success that is not orgd's. */
export function unexpected(response: Response | undefined, detail: string): OrgdError {
  const requestId = response?.headers.get('X-Request-Id') ?? undefined;
  return new OrgdError({ status: response?.status ?? 0, code: 'unexpected_response', detail, requestId });
}

/** A copy of an error, with more in it. */
export function extend(error: OrgdError, more: Pick<OrgdErrorInit, 'outcomeUnknown' | 'imported' | 'cause'>): OrgdError {
  const { status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported, cause } = error;
  const all = { status, code, detail, errors, requestId, operationId, retryAfter, outcomeUnknown, imported, cause };
  return new OrgdError({ ...all, ...more });
}

/** The code of the system error behind a failed fetch, in Node; browsers do not tell. */
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
