// Requests by fetch, tried again where that can do no harm.

import { ApiError, ConnectionFailed, CountersignError, TimedOut, errorOf } from "./errors.js";

const RETRIES = { attempts: 5, first: 0.2, longest: 20 };

/**
 * Seconds before attempt number `attempt + 1`, undefined when there is to be no other: twice as long each
 * time, shortened by chance, and never sooner than the service's Retry-After says.
 */
export function wait(retries, attempt, retryAfter) {
  if (attempt >= retries.attempts || (retryAfter ?? 0) > retries.longest) return undefined;
  const most = Math.min(retries.longest, retries.first * 2 ** (attempt - 1));
  const pause = most * (0.5 + Math.random() / 2);
  return retryAfter === undefined ? pause : retryAfter + pause / 4;
}

export class Transport {
  constructor(baseUrl, { key, timeout = 30, retries = {}, fetch: own, sleep } = {}) {
    const url = new URL(baseUrl);
    if (!["http:", "https:"].includes(url.protocol)) throw new TypeError("expected an http or https address");
    this.base = url.href.replace(/\/+$/, "");
    this.key = key;
    this.timeout = timeout;
    this.retries = { ...RETRIES, ...retries };
    this.fetch = own ?? ((...call) => globalThis.fetch(...call));
    this.sleep = sleep ?? ((seconds) => new Promise((done) => setTimeout(done, seconds * 1000)));
  }

  /** One call. A write carries an idempotency key, so that it may be tried again like any other. */
  async call(method, path, { body, query, write = false, idempotencyKey, signal } = {}) {
    const headers = this.headers();
    if (write) headers["idempotency-key"] = idempotencyKey ?? globalThis.crypto.randomUUID();
    if (body !== undefined) headers["content-type"] = "application/json";
    const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
    for (let attempt = 1; ; attempt += 1) {
      let pause;
      try {
        return await this.once(this.url(path, query), request, signal);
      } catch (error) {
        const again = error instanceof ApiError ? mayPass(error) : error instanceof ConnectionFailed;
        pause = again && !signal?.aborted ? wait(this.retries, attempt, error.retryAfter) : undefined;
        if (pause === undefined) throw error;
      }
      await this.sleep(pause);
    }
  }

  async once(url, request, signal) {
    const limit = AbortSignal.timeout(this.timeout * 1000);
    const both = signal ? AbortSignal.any([limit, signal]) : limit;
    try {
      const response = await this.fetch(url, { ...request, signal: both });
      if (!response.ok) throw await errorOf(response);
      return response.status === 204 ? undefined : await response.json();
    } catch (error) {
      throw failed(error, limit, signal);
    }
  }

  /**
   * Sends items as JSON Lines and gives the answers. Node sends while it receives; browsers don't, so there
   * items go in parts. It isn't tried again: part of the answers may have been used.
   */
  async *lines(path, items, { query, signal } = {}) {
    const headers = { ...this.headers(), "content-type": "application/x-ndjson" };
    const url = this.url(path, query);
    // Whoever stops reading stops the sending, too.
    const left = new AbortController();
    const both = signal ? AbortSignal.any([left.signal, signal]) : left.signal;
    const send = (body, more) => this.fetch(url, { method: "POST", headers, body, signal: both, ...more });
    try {
      if (streams()) {
        yield* answers(await send(encoded(items, both), { duplex: "half" }));
        return;
      }
      for await (const body of parts(items)) yield* answers(await send(body));
    } catch (error) {
      throw failed(error, undefined, signal);
    } finally {
      left.abort();
    }
  }

  headers() {
    const headers = { accept: "application/json" };
    if (this.key) headers.authorization = `Bearer ${this.key}`;
    return headers;
  }

  url(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return `${this.base}${path}${text ? `?${text}` : ""}`;
  }
}

// A 429 that doesn't say when to come back is of no use at any time.
function mayPass(error) {
  if (error.status === 429) return error.retryAfter !== undefined;
  return [502, 503, 504].includes(error.status) || error.code === "idempotency_running";
}

function failed(error, limit, signal) {
  if (error instanceof CountersignError || signal?.aborted) return error;
  if (limit?.aborted) return new TimedOut("the service did not answer in time", { cause: error });
  if (error instanceof TypeError || error?.name === "AbortError" || error?.code) {
    return new ConnectionFailed("the connection to the service failed", { cause: error });
  }
  return error;
}

function streams() {
  return globalThis.process?.versions?.node !== undefined;
}

const LINES_OF_PART = 1000;

async function* parts(items) {
  let lines = [];
  for await (const item of items) {
    lines.push(`${JSON.stringify(item)}\n`);
    if (lines.length === LINES_OF_PART) {
      yield lines.join("");
      lines = [];
    }
  }
  if (lines.length > 0) yield lines.join("");
}

// Ends by itself when the call is given up: fetch goes on reading a body whose request is gone.
function encoded(items, signal) {
  const encoder = new TextEncoder();
  const each = (async function* () {
    for await (const item of items) {
      if (signal.aborted) return;
      yield encoder.encode(`${JSON.stringify(item)}\n`);
    }
  })();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await each.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await each.return();
    },
  });
}

async function* answers(response) {
  if (!response.ok) throw await errorOf(response);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
    if (done) return;
  }
}
