import assert from 'node:assert/strict';
import { isOrgdError, type OrgdErrorCode } from '@orgd/sdk';

/** Checks that a call is refused, and that nothing was done. */
export function fails(call: Promise<unknown>, status: number, code: OrgdErrorCode) {
  return assert.rejects(call, (e) => {
    assert.ok(isOrgdError(e, code), String(e));
    assert.equal(e.status, status);
    assert.match(e.requestId ?? '', /^[\w.:-]+$/);
    assert.equal(e.outcomeUnknown, false);
    return true;
  });
}

export async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
}
