import { isOrgdError, OrgdError } from './error.js';
import type { Operation } from './gen/typescript/types.gen.js';
import type { CallOptions } from './options.js';
import { mayPass } from './retry.js';
import { sleep } from './wait.js';

const firstDelay = 50;
const maxDelay = 1000;
const patience = 60_000; // milliseconds without an answer from the server

export interface WaitOptions extends CallOptions {
  /** Called with every answer: `documents_copied` of `documents_total`, `eta`, and so on. */
  onProgress?: ((operation: Operation) => void) | undefined;
}

/** Asks until an operation has finished: returns it, or throws its error. last is its latest known state. */
export async function follow(
  ask: () => Promise<Operation>,
  last: Operation | undefined,
  { onProgress, signal }: WaitOptions,
): Promise<Operation> {
  let answeredAt = Date.now();
  for (let delay = firstDelay; ; delay = Math.min(delay * 1.5, maxDelay)) {
    const answer: unknown = await ask().catch((e: unknown) => e);
    if (answer instanceof Error || signal?.aborted) {
      signal?.throwIfAborted();
      // A deletion that has succeeded leaves no operation.
      if (last?.kind === 'delete' && isGone(answer)) return { ...last, state: 'succeeded' };
      if (!isOrgdError(answer) || !mayPass(answer) || Date.now() - answeredAt > patience) throw answer;
      await sleep(Math.max(maxDelay, (answer.retryAfter ?? 0) * 1000), signal);
      continue;
    }
    answeredAt = Date.now();
    last = answer as Operation;
    onProgress?.(last);
    if (last.state === 'succeeded') return last;
    if (last.state === 'failed') throw failure(last);
    await sleep(delay, signal);
  }
}

/** Whether the token is revoked; or a login in its place failed, as the admin is gone. */
function isGone(e: unknown): boolean {
  return isOrgdError(e, 'token_revoked') || (isOrgdError(e, 'bad_credentials') && isOrgdError(e.cause, 'token_revoked'));
}

function failure({ id, error }: Operation): OrgdError {
  const { code = 'internal', detail = 'The operation failed.' } = error ?? {};
  return new OrgdError({ status: 0, code, detail, operationId: id });
}
