import type { Api } from './gen/typescript/sdk.gen.js';
import type { OperatorOrganization, QuotaUpdate, State } from './gen/typescript/types.gen.js';
import { pages } from './iterate.js';
import { callOptions, type CallOptions } from './options.js';

export interface OrganizationsOptions extends CallOptions {
  /** List only organizations in this state. */
  state?: State | undefined;
  /** The most organizations of a page: 1 to 100. */
  limit?: number | undefined;
}

/** What the operator of the service can do, with its key. Organizations are named by their ids. */
export class Operator {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** All organizations of the service, the newest first. Each page is requested when the loop reaches it. */
  organizations(options: OrganizationsOptions = {}): AsyncGenerator<OperatorOrganization, void, undefined> {
    const { state, limit } = options;
    const query = { ...(state && { state }), ...(limit !== undefined && { limit }) };
    return pages((at) => this.#api.listOrganizations({ ...callOptions(options), query: { ...query, ...at } }));
  }

  /** Returns an organization, whatever its state. */
  async inspect(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.inspectOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Suspends an organization: its admins are refused until it is resumed. */
  async suspend(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.suspendOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Ends a suspension. */
  async resume(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.resumeOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Restores a deleted organization, within the time of grace. */
  async restore(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.restoreOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Limits how much an organization may have. A property that is left out means no limit. */
  async setQuota(id: string, quota: QuotaUpdate, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.setQuota({ ...callOptions(options), path: { id }, body: quota })).data;
  }
}
