import type { TestContext } from 'node:test';

/** One answer of a scripted fetch: a response, or what it throws. */
export type Step = Response | Error | ((request: Request) => Response | Promise<Response>);

/** A fetch that gives the answers of a script, at once, and keeps what it was asked. */
export function scriptedFetch(...steps: Step[]) {
  const requests: Request[] = [];
  const fetch = async (input: RequestInfo | URL): Promise<Response> => {
    const request = input as Request;
    const step = steps[requests.push(request) - 1];
    if (step === undefined) throw new Error('the script is over');
    if (step instanceof Error) throw step;
    return typeof step === 'function' ? step(request) : step;
  };
  return { fetch, requests, authorizations: () => requests.map((r) => r.headers.get('Authorization')) };
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

export function problem(status: number, code: string, headers: Record<string, string> = {}, more: object = {}): Response {
  const body = { type: 'about:blank', title: 'Title', status, code, detail: 'Detail.', request_id: 'r1', ...more };
  return json(body, status, { 'Content-Type': 'application/problem+json', ...headers });
}

export const token = (access_token: string, expires_in = 3600): Response =>
  json({ access_token, token_type: 'Bearer', expires_in });

export const organization = {
  id: '019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55',
  organization_name: 'Acme Inc',
  collection_name: 'org_acme_inc',
  state: 'active',
  created_at: '2026-11-23T12:00:00.000Z',
};

/** What fetch throws in Node when there is no connection. */
export function fetchFailed(code: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(`connect ${code}`), { code }) });
}

/** A clock that only tests move. */
export class Clock {
  readonly #timers: TestContext['mock']['timers'];

  constructor(t: TestContext) {
    this.#timers = t.mock.timers;
    this.#timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 10, 23) });
  }

  /** Lets everything happen that waits for no timer. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  }

  async advance(ms: number): Promise<void> {
    await this.settle();
    this.#timers.tick(ms);
    await this.settle();
  }

  /** Moves on until a call has ended, and says how many milliseconds that took. */
  async until<T>(call: Promise<T>): Promise<{ value?: T; error?: unknown; took: number }> {
    const begin = Date.now();
    let end: { value?: T; error?: unknown } | undefined;
    call.then(
      (value) => (end = { value }),
      (error: unknown) => (end = { error }),
    );
    for (await this.settle(); end === undefined; await this.advance(1)) {
      if (Date.now() - begin > 200_000) throw new Error('the call does not end');
    }
    return { ...end, took: Date.now() - begin };
  }
}
