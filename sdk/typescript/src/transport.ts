import { errorOf, extend, isOrgdError, networkError, OrgdError, unexpected } from './error.js';
import type { Auth } from './gen/typescript/client/index.js';
import type { Call } from './operation.js';
import { delayBefore, mayPass, nothingDone } from './retry.js';
import type { Outcome, Session } from './session.js';
import { guarded } from './stream.js';
import { abortable, sleep } from './wait.js';

export interface TransportConfig {
  retries: number;
  session: Session;
  operatorKey: string | undefined;
}

/** Sends the requests of all operations: logs in, tries again, and fails with an {@link OrgdError}. */
export class Transport {
  readonly #config: TransportConfig;

  constructor(config: TransportConfig) {
    this.#config = config;
  }

  /** Returns a success, or throws an {@link OrgdError} or the reason of the call's signal. */
  async send(request: Request, call: Call): Promise<Response> {
    const ended = call.begin(this.#config.session);
    const doubts: OrgdError[] = [];
    try {
      const response = await this.#attempts(request, call, doubts);
      ended(response.status === 202 ? 'unknown' : 'done'); // 202: the operation has only begun
      return response;
    } catch (e) {
      const error = withDoubt(e, doubts);
      ended(outcomeOf(error));
      throw error;
    }
  }

  /** Sends the request until it succeeds or fails for good. Adds to doubts every attempt that may have been carried out. */
  async #attempts(request: Request, call: Call, doubts: OrgdError[]): Promise<Response> {
    const { session } = this.#config;
    let renewed: OrgdError | undefined;
    for (let attempt = 1; ; ) {
      const token = takesToken(request, call)
        ? await session.token(call.signal, call.open).catch((e: unknown) => refused(e, renewed))
        : undefined;
      const answer = await this.#exchange(request, call, token);
      if (!(answer instanceof OrgdError)) return answer;
      if (answer.status === 401 && token && session.reject(token) && call.replayable && !renewed) {
        renewed = answer; // a 401 says that nothing was done
        continue;
      }
      if (answer.outcomeUnknown) doubts.push(answer);
      const delay = this.#mayRepeat(answer, call, attempt) ? delayBefore(attempt, answer.retryAfter) : undefined;
      if (delay === undefined) throw answer;
      await sleep(delay, call.signal);
      attempt++;
    }
  }

  #mayRepeat(error: OrgdError, call: Call, attempt: number): boolean {
    if (call.once || !call.replayable || attempt > this.#config.retries) return false;
    if (call.keyed && error.code === 'outcome_unknown') return true;
    return mayPass(error) && (call.repeatable || nothingDone(error));
  }

  /** Sends a copy, so that the credential is not in the request that the caller gets to see. */
  async #exchange(request: Request, call: Call, token: string | undefined): Promise<Response | OrgdError> {
    call.signal?.throwIfAborted();
    const sent = call.replayable ? request.clone() : new Request(request);
    this.#authorize(sent, call, token);
    let answer: Response | OrgdError;
    try {
      answer = await stoppable(call.signal, async (signal) => {
        const { fetch } = call; // a browser's fetch cannot be called as a method
        const response = await fetch(sent, { signal });
        return response.ok ? whole(response, call.signal) : errorOf(response, censorOf(sent, call));
      });
    } catch (e) {
      call.signal?.throwIfAborted();
      answer = networkError(e);
    }
    const unsure = answer instanceof OrgdError && call.changes && !nothingDone(answer);
    return unsure ? extend(answer as OrgdError, { outcomeUnknown: true }) : answer;
  }

  /** Adds the operation's credential, unless the caller has set the header. */
  #authorize(sent: Request, { operator, security }: Call, token: string | undefined): void {
    const credential = operator ? this.#config.operatorKey : token;
    if (!security || credential === undefined || sent.headers.has(headerOf(security))) return;
    sent.headers.set(headerOf(security), security.type === 'http' ? `Bearer ${credential}` : credential);
  }
}

/** Throws the error of a login, with the refusal of the old token as its cause. */
function refused(e: unknown, rejection: OrgdError | undefined): never {
  throw rejection && isOrgdError(e, 'bad_credentials') ? extend(e, { cause: rejection }) : e;
}

function takesToken(request: Request, { operator, security }: Call): boolean {
  return security !== undefined && !operator && !request.headers.has(headerOf(security));
}

function headerOf(security: Auth): string {
  return security.name ?? 'Authorization';
}

/** Does some work with a signal of its own, which follows the given signal for as long as the work lasts. */
async function stoppable<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await abortable(work(controller.signal), signal);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Reads a JSON answer to its end, so that the request can be sent again if it breaks off. Streams stay streams. */
async function whole(response: Response, signal: AbortSignal | undefined): Promise<Response | OrgdError> {
  const type = response.headers.get('Content-Type') ?? '';
  if (/^text\/html\b/i.test(type)) {
    response.body?.cancel().catch(() => undefined);
    return unexpected(response, 'The answer is a web page, not from orgd. Is baseUrl right?');
  }
  // Chromium gives a 204 a body, and refuses to make a Response of a 204 with a body.
  if (response.body === null || response.status === 204) return response;
  const { status, statusText, headers } = response;
  if (!/^application\/([^;]+\+)?json\b/i.test(type)) {
    return new Response(guarded(response.body, signal), { status, statusText, headers });
  }
  const body = await response.arrayBuffer();
  if (body.byteLength === 0) return unexpected(response, 'The answer is empty.');
  return new Response(body, { status, statusText, headers });
}

/** Returns a function that cuts a request's token, and the passwords in its body, out of the server's answer. */
function censorOf(sent: Request, { body, security }: Call): (text: string) => string {
  const members = typeof body === 'object' && body ? Object.entries(body) : [];
  const passwords = members.filter(([name]) => /password/i.test(name)).map(([, value]) => String(value));
  const token = (security && sent.headers.get(headerOf(security))?.split(' ').at(-1)) ?? '';
  const secrets = [token, ...passwords].filter((secret) => secret.length >= 4); // shorter secrets would cut up every text
  secrets.sort((a, b) => b.length - a.length); // one may be the beginning of another
  return (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text);
}

/** Marks an error that follows an attempt that may have been carried out: the refusal may be that attempt's effect. */
function withDoubt(e: unknown, doubts: OrgdError[]): unknown {
  const doubt = doubts.at(-1);
  if (!doubt || !(e instanceof OrgdError) || e === doubt) return e;
  return extend(e, { outcomeUnknown: true, cause: doubt });
}

function outcomeOf(error: unknown): Outcome {
  return error instanceof OrgdError && !error.outcomeUnknown ? 'refused' : 'unknown';
}
