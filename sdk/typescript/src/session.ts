import { isOrgdError, unexpected } from './error.js';
import type { LoginRequest, OrganizationUpdate, Token } from './gen/typescript/types.gen.js';
import { abortable } from './wait.js';

/** A token is replaced this many milliseconds before it runs out, or in the last tenth of its time if that is later. */
const margin = 30_000;

/** For this many milliseconds, operations that are open to all do without a login that was refused. */
const refusalHolds = 30_000;

/** How a change of credentials ended. */
export type Outcome = 'done' | 'refused' | 'unknown';

/** Whom a client acts for, and the token it has for that. */
export class Session {
  #account: LoginRequest | undefined;
  /** What the account may be instead: updates under way, and those whose outcome is not known. The last goes first. */
  #candidates: LoginRequest[] = [];
  #token: { value: string; staleAt: number } | undefined;
  #login: Promise<void> | undefined;
  #refusedAt = -Infinity;
  readonly #logIn: (account: LoginRequest) => Promise<Token>;

  /** Acts with an account, a token, both (the token first) or neither. logIn asks the server for a token. */
  constructor(
    account: LoginRequest | undefined,
    token: string | undefined,
    logIn: (account: LoginRequest) => Promise<Token>,
  ) {
    this.#account = account;
    this.#token = token === undefined ? undefined : { value: token, staleAt: Infinity };
    this.#logIn = logIn;
  }

  /**
   * A token that is good as far as one can tell from here; undefined if there is none to be had. Where it is optional, a
   * login that is refused means to do without.
   */
  async token(signal: AbortSignal | undefined, optional: boolean): Promise<string | undefined> {
    if (!this.#account || Date.now() < (this.#token?.staleAt ?? 0)) return this.#token?.value;
    if (optional && Date.now() < this.#refusedAt + refusalHolds) return undefined;
    // However many wait, one login is under way; it does not end when one of them no longer waits.
    this.#login ??= this.#refresh(this.#account).finally(() => (this.#login = undefined));
    try {
      await abortable(this.#login, signal);
    } catch (e) {
      if (optional && isOrgdError(e, 'bad_credentials')) return undefined;
      throw e;
    }
    return this.#token?.value;
  }

  /** Takes note that the server refuses a token. Says whether another is to be had. */
  reject(token: string): boolean {
    if (!this.#account) return false;
    if (this.#token?.value === token) this.#token = undefined;
    return true;
  }

  /** Forgets the token: what it was for is gone. */
  drop(): void {
    this.#token = undefined;
  }

  /** Begins an update, which may change the account. Call what it returns when the update has ended. */
  change({ email, password }: OrganizationUpdate): (outcome: Outcome) => void {
    if (email === undefined && password === undefined) return () => undefined;
    const changed = (old: LoginRequest) => ({ email: email ?? old.email, password: password ?? old.password });
    const next = this.#account && changed(this.#account);
    if (next) this.#candidates.unshift(next);
    return (outcome) => {
      if (outcome === 'done' && this.#account) this.#adopt(changed(this.#account));
      if (outcome === 'refused') this.#candidates = this.#candidates.filter((account) => account !== next);
    };
  }

  #adopt(account: LoginRequest): void {
    this.#account = account;
    this.#candidates = [];
    this.#token = undefined;
    this.#refusedAt = -Infinity;
  }

  /** Logs in, if need be with what the account has become, or may have become, meanwhile. */
  async #refresh(account: LoginRequest): Promise<void> {
    const before = Date.now();
    for (const tried = [account]; ; ) {
      try {
        const token = await this.#logIn(account);
        if (this.#candidates.includes(account)) this.#adopt(account);
        return this.#keep(token, before);
      } catch (e) {
        if (!isOrgdError(e, 'bad_credentials')) throw e;
        const other = [this.#account, ...this.#candidates].find((one) => one && !tried.includes(one));
        if (!other) {
          this.#refusedAt = Date.now();
          throw e;
        }
        tried.push((account = other));
      }
    }
  }

  #keep({ access_token, expires_in }: Token, before: number): void {
    if (!/^[!-~]+$/.test(access_token) || !(expires_in > 0)) throw unexpected(undefined, 'The answer to a login has no token.');
    const life = expires_in * 1000; // expires_at is by the server's clock, which may be another
    this.#token = { value: access_token, staleAt: before + life - Math.min(margin, life / 10) };
    this.#refusedAt = -Infinity;
  }
}
