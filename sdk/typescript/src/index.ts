export { isOrgdError, OrgdError } from './error.js';
export type { ClientErrorCode, OrgdErrorCode, OrgdErrorInit } from './error.js';
export { lines, pages } from './iterate.js';
export type { Page, Streamed } from './iterate.js';
export type { Credentials, OrgdOptions } from './options.js';
export { Orgd } from './orgd.js';
export type { CallOptions } from './orgd.js';
export type { Api } from './gen/typescript/sdk.gen.js';
export type * from './gen/typescript/types.gen.js';
