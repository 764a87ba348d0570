// How gen/typescript is made from openapi.yaml. See `make generate-typescript`.

// Its filter warns of what it does not follow, which is not generated either.
const { warn } = console;
console.warn = (text, ...more) => /^unsupported type: (headers|examples)$/.test(text) || warn(text, ...more);

/** @type {import('@hey-api/openapi-ts').UserConfig} */
export default {
  input: '../../openapi.yaml',
  output: {
    path: '../../gen/typescript',
    clean: true, // what the contract no longer has goes
    module: { extension: '.js' }, // the output runs as it is in Node and in browsers
  },
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
};
