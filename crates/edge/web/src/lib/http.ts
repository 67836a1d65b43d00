// One way to call usher. The browser sends its cookies by itself; scripts never see a
// token. Whatever goes wrong comes back as a plain sentence that can be shown.

const TIMEOUT_MS = 20_000;
const UNREACHABLE = 'We could not reach the server. Please check your connection and try again.';
const UNEXPECTED = 'Something went wrong on our side. Please try again in a moment.';

export interface Success<T> {
  ok: true;
  status: number;
  body: T;
}

export interface Failure {
  ok: false;
  /** 0 when there was no answer, and so nobody knows whether the call arrived. */
  status: number;
  code: string;
  message: string;
  retryAfterMs: number | null;
  /** Everything the server said about the failure. */
  body: Record<string, unknown>;
}

export type Answer<T> = Success<T> | Failure;

export interface CallOptions {
  body?: unknown;
  /** Hears of each response's `Date`, for keeping the server's clock. */
  onDate?: (date: string | null, sentMs: number, receivedMs: number) => void;
}

export async function call<T>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options: CallOptions = {},
): Promise<Answer<T>> {
  const sentMs = Date.now();
  try {
    const response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: 'application/json', ...contentType(options.body) },
      body: options.body === undefined ? null : JSON.stringify(options.body),
    });
    options.onDate?.(response.headers.get('date'), sentMs, Date.now());
    const body = await readJson(response);
    if (response.ok) return { ok: true, status: response.status, body: body as T };
    return failure(response, body);
  } catch {
    return {
      ok: false,
      status: 0,
      code: 'unreachable',
      message: UNREACHABLE,
      retryAfterMs: null,
      body: {},
    };
  }
}

/** Waiting helps and the same call may be sent again. */
export function isPassing(failed: Failure): boolean {
  return failed.status === 0 || failed.status === 429 || failed.status >= 500;
}

/** `Retry-After` in seconds or as a date, as milliseconds from now. */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - nowMs : seconds * 1000;
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs);
}

function contentType(body: unknown): Record<string, string> {
  return body === undefined ? {} : { 'content-type': 'application/json' };
}

/** An empty or foreign body (a proxy's page, say) counts as none. */
async function readJson(response: Response): Promise<Record<string, unknown>> {
  const text = await response.text();
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function failure(response: Response, body: Record<string, unknown>): Failure {
  return {
    ok: false,
    status: response.status,
    code: typeof body.error === 'string' ? body.error : 'unknown',
    message: typeof body.message === 'string' ? body.message : UNEXPECTED,
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), Date.now()),
    body,
  };
}
