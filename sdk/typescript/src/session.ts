import { isOrgdError, unexpected } from './error.js';
import type { LoginRequest, OrganizationUpdate, Token } from './gen/typescript/types.gen.js';
import { abortable } from './wait.js';

/** A token is replaced this many milliseconds before it expires, or in the last tenth of its lifetime if that is later. */
const margin = 30_000;

/** For this many milliseconds after a refused login, operations whose token is optional are sent without one. */
const refusalHolds = 30_000;

/** How a change of credentials ended. */
export type Outcome = 'done' | 'refused' | 'unknown';

/** The account that a client acts for, and its token. */
export class Session {
  #account: LoginRequest | undefined;
  /** What the account may have become, by updates that are running or have an unknown outcome. The latest is first. */
  #candidates: LoginRequest[] = [];
  #token: { value: string; staleAt: number } | undefined;
  #login: Promise<void> | undefined;
  #refusedAt = -Infinity;
  readonly #logIn: (account: LoginRequest) => Promise<Token>;

  /** A session has an account, a token, both (the token is used first) or neither. logIn asks the server for a token. */
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
   * Returns a token that is not known to be bad; undefined if the session can have none. Where the token is optional, a
   * refused login means no token.
   */
  async token(signal: AbortSignal | undefined, optional: boolean): Promise<string | undefined> {
    if (!this.#account || Date.now() < (this.#token?.staleAt ?? 0)) return this.#token?.value;
    if (optional && Date.now() < this.#refusedAt + refusalHolds) return undefined;
    // All waiting calls share one login, which goes on when one of them no longer waits.
    this.#login ??= this.#refresh(this.#account).finally(() => (this.#login = undefined));
    try {
      await abortable(this.#login, signal);
    } catch (e) {
      if (optional && isOrgdError(e, 'bad_credentials')) return undefined;
      throw e;
    }
    return this.#token?.value;
  }

  /** Notes that the server refuses a token. Returns whether the session can get another. */
  reject(token: string): boolean {
    if (!this.#account) return false;
    if (this.#token?.value === token) this.#token = undefined;
    return true;
  }

  /** Forgets the token, as its organization is gone. */
  drop(): void {
    this.#token = undefined;
  }

  /** Notes that an update begins, which may change the account. The function returned is to be called when it has ended. */
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

  /** Logs in; if the account is refused, with what it has become meanwhile, or may have become. */
  async #refresh(account: LoginRequest): Promise<void> {
    const before = Date.now();
    for (const tried = [account]; ; ) {
      try {
        const token = await this.#logIn(account);
        if (this.#candidates.includes(account)) this.#adopt(account);
        return this.#keep(token, before);
      } catch (e) {
        if (!isOrgdError(e, 'bad_credentials')) throw e;
        const other = [this.#account, ...this.#candidates].find((account) => account && !tried.includes(account));
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
