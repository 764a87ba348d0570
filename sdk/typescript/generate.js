// Makes gen/typescript from openapi.yaml. See `make generate-typescript`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createClient } from '@hey-api/openapi-ts';

const output = '../../gen/typescript';

// Its filter warns of what it does not follow, which is not generated either.
const { warn } = console;
console.warn = (text, ...more) => /^unsupported type: (headers|examples)$/.test(text) || warn(text, ...more);

await createClient({
  input: '../../openapi.yaml',
  output: {
    path: output,
    clean: true, // what the contract no longer has goes
    module: { extension: '.js' }, // the output runs as it is in Node and in browsers
  },
  logs: { level: 'silent', file: false },
  parser: { filters: { tags: { exclude: ['docs'] } } }, // pages for people
  plugins: [
    '@hey-api/typescript',
    { name: '@hey-api/client-fetch', baseUrl: false, throwOnError: true },
    {
      name: '@hey-api/sdk',
      client: false, // no global one: each Orgd brings its own
      operations: { strategy: 'single', containerName: 'Api' },
    },
  ],
});

// Comments advertise other packages, with links to where to get them.
const types = `${output}/client/types.gen.ts`;
writeFileSync(types, readFileSync(types, 'utf8').replaceAll(/\{@link https:\/\/[^ ]+\/package\/[^ ]+ ([^}]+)\}/g, '$1'));
