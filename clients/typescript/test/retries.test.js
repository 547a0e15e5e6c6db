// Retries, time-outs and broken connections, against a server that misbehaves on request.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { Client, Conflict, ConnectionFailed, RateLimited, ServerError, TimedOut } from "../src/index.js";

let server;
let url;
let script;
let seen;
let slept;

before(async () => {
  server = createServer((request, response) => {
    request.resume().on("end", () => {
      seen.push(request.headers);
      const step = script.shift() ?? [200, {}, { id: "x", result: "received" }];
      if (step === "drop") return request.socket.destroy();
      if (step === "hang") return undefined;
      const [status, headers, body] = step;
      response.writeHead(status, { "content-type": "application/json", ...headers });
      return response.end(JSON.stringify(body));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${server.address().port}`;
});
beforeEach(() => {
  [script, seen, slept] = [[], [], []];
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function client(options = {}) {
  return new Client(url, { key: "k", sleep: async (s) => slept.push(s), ...options });
}

const busy = { status: 429, code: "busy", detail: "later" };

test("waits at least as long as it is told, and repeats under the same key", async () => {
  script = [[429, { "retry-after": "3" }, busy], [503, { "retry-after": "1" }, {}]];
  assert.equal((await client().messages.create({})).id, "x");
  assert.ok(slept[0] >= 3 && slept[1] >= 1, `${slept}`);
  assert.equal(new Set(seen.map((h) => h["idempotency-key"])).size, 1);
  assert.equal(seen.length, 3);
});

test("a broken connection, and a first request that still runs", async () => {
  script = ["drop", [409, { "retry-after": "1" }, { code: "idempotency_running" }]];
  assert.equal((await client().messages.create({})).id, "x");
  assert.equal(slept.length, 2);
});

test("pauses grow", async () => {
  script = Array.from({ length: 4 }, () => [503, {}, {}]);
  await client().mask("x");
  slept.forEach((pause, n) => assert.ok(pause >= 0.1 * 2 ** n && pause <= 0.2 * 2 ** n, `${slept}`));
});

test("gives up", async () => {
  script = Array.from({ length: 9 }, () => [429, { "retry-after": "1" }, busy]);
  await assert.rejects(client().mask("x"), (e) => e instanceof RateLimited && e.retryAfter === 1);
  assert.equal(seen.length, 5);
  [seen, script] = [[], [[429, { "retry-after": "3600" }, busy]]];
  await assert.rejects(client().mask("x"), RateLimited);
  assert.equal(seen.length, 1);
});

test("a 429 for ever is not repeated, and batches fit the burst", async () => {
  script = [[429, {}, { code: "rate_limited" }]];
  await assert.rejects(client().mask("x"), RateLimited);
  assert.deepEqual([seen.length, slept], [1, []]);
  const never = [429, {}, { code: "rate_limited", burst: 2 }];
  const items = (n) => [200, {}, { items: Array.from({ length: n }, () => ({ id: 0 })) }];
  [seen, script] = [[], [never, items(2), items(2), items(1)]];
  assert.equal((await client().classifyBatch([..."abcde"])).length, 5);
  assert.equal(seen.length, 4);
  script = [never];
  await assert.rejects(client().maskBatch([{ text: "a" }, { text: "b" }]), RateLimited);
});

test("what is no use is not repeated", async () => {
  for (const [status, kind] of [[409, Conflict], [500, ServerError], [507, ServerError]]) {
    [seen, script] = [[], [[status, {}, { code: "internal" }]]];
    await assert.rejects(client().mask("x"), kind);
    assert.equal(seen.length, 1);
  }
});

test("time is bounded, and so is a missing service", async () => {
  script = ["hang", "hang"];
  await assert.rejects(client({ timeout: 0.2, retries: { attempts: 2 } }).mask("x"), TimedOut);
  assert.equal(seen.length, 2);
  const nobody = new Client("http://127.0.0.1:9", { retries: { attempts: 2, first: 0 } });
  await assert.rejects(nobody.mask("x"), ConnectionFailed);
  assert.throws(() => new Client("ftp://example.com"), TypeError);
});
