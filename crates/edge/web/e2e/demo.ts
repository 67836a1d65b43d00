// Starts `usher demo` for a browser test, in a folder of its own and on any free port,
// and ends it: what a person does with `make demo` and Ctrl-C.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const BINARY = new URL('../../../../target/debug/usher', import.meta.url).pathname;
const READY_WITHIN_MS = 90_000;
const ENDED_WITHIN_MS = 30_000;

/** The one line that `--json` prints once everything runs. */
export interface Ready {
  base_url: string;
  console_url: string;
  metrics_url: string;
  redis_url: string;
  postgres_url: string;
  api_key: string;
  events: { id: string; slug: string }[];
}

export class Demo {
  readonly ready: Ready;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(ready: Ready, child: ChildProcess, folder: string) {
    this.ready = ready;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(): Promise<Demo> {
    const folder = mkdtempSync(join(tmpdir(), 'usher-e2e-'));
    // Readable by the user that postgres runs as when we are root.
    execFileSync('chmod', ['755', folder]);
    const child = spawn(
      BINARY,
      ['demo', '--no-crowd', '--port', '0', '--json', '--data', join(folder, 'data')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const line = await within(READY_WITHIN_MS, 'usher demo was not ready', firstLine(child));
    return new Demo(JSON.parse(line) as Ready, child, folder);
  }

  get eventId(): string {
    const event = this.ready.events[0];
    if (!event) throw new Error('the demo has no event');
    return event.id;
  }

  /** The demo's signing keys, for another process over the same servers. */
  get keysFile(): string {
    return join(this.#folder, 'data', 'keys.json');
  }

  /** As with Ctrl-C: asks, and waits until it is gone. Returns its exit code. */
  async stop(): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGINT');
    const code = await within(ENDED_WITHIN_MS, 'usher demo did not end', ended);
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }

  /** Calls the operators' API. */
  async operate(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(
      `${this.ready.base_url}/api/v1/admin/events/${this.eventId}${path}`,
      {
        method,
        headers: {
          authorization: `Bearer ${this.ready.api_key}`,
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
    );
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!child.stdout) return reject(new Error('no output to read'));
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`usher demo ended with ${code}`)));
  });
}

export async function within<T>(
  limitMs: number,
  otherwise: string,
  wanted: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}
