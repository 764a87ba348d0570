import type { Api } from './gen/typescript/sdk.gen.js';
import type { OperatorOrganization, QuotaUpdate, State } from './gen/typescript/types.gen.js';
import { pages } from './iterate.js';
import { callOptions, type CallOptions } from './options.js';

export interface OrganizationsOptions extends CallOptions {
  /** Only those in this state. */
  state?: State | undefined;
  /** How many to a page, at most: 1 to 100. */
  limit?: number | undefined;
}

/** What the operator can do: whoever runs the service, with its key. Organizations go by their ids. */
export class Operator {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Every organization of the service, the newest first, page by page as they are asked for. */
  organizations(options: OrganizationsOptions = {}): AsyncGenerator<OperatorOrganization, void, undefined> {
    const { state, limit } = options;
    const query = { ...(state && { state }), ...(limit !== undefined && { limit }) };
    return pages((at) => this.#api.listOrganizations({ ...callOptions(options), query: { ...query, ...at } }));
  }

  /** Looks an organization up, whatever state it is in. */
  async inspect(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.inspectOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Refuses an organization to its own admins until it is resumed. */
  async suspend(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.suspendOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Takes a suspension back. */
  async resume(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.resumeOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Brings a deleted organization back, within the time of grace. */
  async restore(id: string, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.restoreOrganization({ ...callOptions(options), path: { id } })).data;
  }

  /** Limits how much an organization may have. What is left out has no limit. */
  async setQuota(id: string, quota: QuotaUpdate, options?: CallOptions): Promise<OperatorOrganization> {
    return (await this.#api.setQuota({ ...callOptions(options), path: { id }, body: quota })).data;
  }
}
