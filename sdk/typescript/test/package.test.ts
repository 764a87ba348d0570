// The package as a new user meets it: packed, installed into an empty folder, imported by a small program.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { root, run, startOrgd, tempDir, type RunningOrgd } from './support/server.js';

const sdk = path.join(root, 'sdk/typescript');
const dir = tempDir();
const installed = path.join(dir, 'node_modules/@orgd/sdk');
let server: RunningOrgd;

const program = `
import { isOrgdError, Orgd, type DateTime, type Organization, type WithId } from '@orgd/sdk';

const baseUrl = process.env['ORGD_URL'] ?? '';
const account = { email: 'admin@acme.example', password: 'correct horse battery' };
const orgd = new Orgd({ baseUrl, ...account });
await orgd.createOrganization({ organization_name: 'Acme Inc', ...account });
try {
  await orgd.createOrganization({ organization_name: 'ACME INC', email: 'b@acme.example', password: 'correct horse' });
} catch (e) {
  if (!isOrgdError(e, 'name_taken')) throw e;
  console.log(e.code, e.status);
}
const changed: Organization = await orgd.updateOrganization({ organization_name: 'Acme Corporation' });
console.log(changed.organization_name, changed.generation);
interface Person { name: string; city?: string; born?: DateTime }
const people = orgd.documents<Person>();
const { etag } = await people.put('ada', { name: 'Ada', born: new Date(0) }, { ifAbsent: true });
await people.patch('ada', { city: 'London' }, { ifMatch: etag });
const found: WithId<Person>[] = [];
for await (const person of people.list({ filter: { city: 'London' } })) found.push(person);
console.log(found.length, found[0]?.born?.$date);
const { inserted } = await orgd.importDocuments<Person>([{ name: 'Grace' }, { name: 'Linus', born: new Date(1) }]);
console.log(inserted);
const { data, response } = await orgd.api.deleteOrganization();
console.log('collections' in data && data.organization_name, response.status);
`;

before(async () => {
  server = await startOrgd();
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], sdk); // dist/ is there
  const { version } = JSON.parse(readFileSync(path.join(sdk, 'package.json'), 'utf8')) as { version: string };
  writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  run('npm', ['install', '--no-audit', '--no-fund', `file:./orgd-sdk-${version}.tgz`], dir);
  writeFileSync(path.join(dir, 'program.ts'), program);
});
after(() => server.stop());

test('it has what it needs and nothing else', () => {
  const { dependencies, devDependencies, sideEffects } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8'));
  assert.deepEqual(Object.keys({ ...dependencies }), []);
  assert.equal(sideEffects, false);
  assert.ok(devDependencies);
  const lock = JSON.parse(readFileSync(path.join(dir, 'package-lock.json'), 'utf8')) as { packages: object };
  assert.deepEqual(Object.keys(lock.packages), ['', 'node_modules/@orgd/sdk']);
  for (const file of ['README.md', 'dist/index.js', 'dist/index.d.ts']) assert.ok(existsSync(path.join(installed, file)), file);
  for (const file of ['src', 'test', 'build', 'node_modules', 'tsconfig.json']) assert.ok(!existsSync(path.join(installed, file)), file);
});

test('a program compiles without the DOM, and runs', () => {
  const options = {
    target: 'es2022', module: 'nodenext', strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false,
    lib: ['es2022'], types: ['node'], typeRoots: [path.join(sdk, 'node_modules/@types')], outDir: 'out',
  };
  compile(options);
  const output = run(process.execPath, ['out/program.js'], dir, { ...process.env, ORGD_URL: server.url });
  assert.equal(output, 'name_taken 409\nAcme Corporation 2\n1 1970-01-01T00:00:00Z\n2\nAcme Corporation 200\n');
});

test('a program for browsers compiles without Node', () => {
  writeFileSync(path.join(dir, 'program.ts'), `declare const process: { env: Record<string, string> };${program}`);
  compile({ target: 'es2022', module: 'es2022', moduleResolution: 'bundler', strict: true, lib: ['es2022', 'dom'], types: [], noEmit: true });
});

for (const readme of ['README.md', '../../README.md']) {
  test(`what ${readme} shows compiles`, () => {
    const blocks = readFileSync(path.join(sdk, readme), 'utf8').matchAll(/^```ts\n([^]*?)^```/gm);
    const code = [...blocks].map((block) => block[1]).join('\n');
    assert.match(code, /new Orgd/);
    const given = code.includes('const password') ? '' : 'declare const password: string;\n';
    writeFileSync(path.join(dir, 'program.ts'), given + code);
    compile({ target: 'es2022', module: 'nodenext', strict: true, types: ['node'], typeRoots: [path.join(sdk, 'node_modules/@types')], noEmit: true });
  });
}

function compile(compilerOptions: object) {
  writeFileSync(path.join(dir, 'tsconfig.json'), JSON.stringify({ files: ['program.ts'], compilerOptions }));
  run(process.execPath, [path.join(sdk, 'node_modules/typescript/bin/tsc'), '--project', dir], dir);
}
