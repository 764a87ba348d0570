import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** The root of the repository; tests run as build/*.test.js. */
export const root = path.resolve(import.meta.dirname, '../../../..');

/** A directory that is gone when the process ends. */
export function tempDir(): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'orgd-sdk-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Runs a command to its end; throws with its output when it fails. */
export function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} in ${cwd}: ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A real orgd. */
export interface RunningOrgd {
  url: string;
  stop(): Promise<void>;
}

/** Starts the real orgd on a free port, in a directory of its own; $ORGD is its program, else it is built. */
export async function startOrgd(env: Record<string, string> = {}): Promise<RunningOrgd> {
  const dir = tempDir();
  const program = process.env['ORGD'] ?? build(dir);
  const settings = { BCRYPT_COST: '4', RATE_LIMIT_SIGNUP: '0', RATE_LIMIT_LOGIN: '0', LISTEN_ADDR: '127.0.0.1:0' };
  const child = spawn(program, ['serve'], {
    cwd: dir,
    env: { PATH: process.env['PATH'], ...settings, DATA_DIR: path.join(dir, 'data'), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  const url = await addressOf(child);
  const ready = await fetch(`${url}/readyz`);
  if (!ready.ok) throw new Error(`orgd is not ready: ${ready.status}`);
  return {
    url,
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function build(dir: string): string {
  const program = path.join(dir, 'orgd');
  run('go', ['build', '-o', program, './cmd/orgd'], root);
  return program;
}

/** Reads the log until it says where orgd serves. */
async function addressOf(child: ChildProcess): Promise<string> {
  const log: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    log.push(line);
    const address = /\b127\.0\.0\.1:\d+/.exec(line);
    if (address) {
      child.stderr!.resume();
      return `http://${address[0]}`;
    }
  }
  throw new Error(`orgd did not start:\n${log.join('\n')}`);
}

/** What a scripted server got. */
export interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Answer = (response: ServerResponse, request: Received) => void;

/** A server that gives the answers of a script, one to each request, whatever it is. */
export async function scripted(...answers: Answer[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      const answer = answers[received.push(one) - 1];
      if (answer) answer(response, one);
      else response.writeHead(599).end('the script is over');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { url, received, close };
}
