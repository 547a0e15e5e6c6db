// Against a running service: COUNTERSIGN_URL and COUNTERSIGN_KEY (every scope, a person's).

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { Client, Conflict, NotFound, Unauthorized, Unprocessable } from "../src/index.js";

const { COUNTERSIGN_URL: url, COUNTERSIGN_KEY: key } = process.env;
const client = new Client(url, { key });

async function all(each) {
  const found = [];
  for await (const item of each) found.push(item);
  return found;
}

async function within(seconds, ask) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const found = await ask();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("it did not come");
}

test("classify: one, batch, stream", async () => {
  const one = await client.classify("Where is my parcel?", { outputs: ["intent", "language"] });
  assert.ok(one.intent.confidence > 0);
  assert.ok(!("sentiment" in one));
  const texts = Array.from({ length: 300 }, (_, i) => `Where is parcel ${i}?`);
  const batch = await client.classifyBatch([...texts, { id: "bad" }], { outputs: ["urgency"] });
  assert.equal(batch.length, 301);
  assert.equal(batch[300].error.code, "bad_item");
  assert.deepEqual([batch[300].id, batch[300].index], ["bad", 300]);
  const items = texts.map((text, id) => ({ id, text }));
  const stream = await all(client.classifyStream(items, { outputs: ["intent"] }));
  assert.deepEqual(stream.map((a) => a.id), items.map((i) => i.id));
});

test("a stream that is left early ends, and one that is refused says why", async () => {
  let ended = false;
  async function* endless() {
    try {
      for (let id = 0; ; id += 1) yield { id, text: "Where is my parcel?" };
    } finally {
      ended = true;
    }
  }
  for await (const answer of client.classifyStream(endless(), { outputs: ["intent"] })) {
    assert.equal(answer.id, 0);
    break;
  }
  await within(10, () => ended);
  const refused = all(client.classifyStream(["x"], { taxonomy: "nowhere" }));
  await assert.rejects(refused, (e) => e instanceof Unprocessable && e.code === "unknown_taxonomy");
});

test("mask", async () => {
  const masked = await client.mask("I am robin@example.com", { values: true });
  assert.equal(masked.masked, "I am <EMAIL_1>");
  assert.equal(masked.spans[0].text, "robin@example.com");
  const document = await client.maskJson({ mail: "robin@example.com", n: 1 });
  assert.deepEqual(document.masked, { mail: "<EMAIL_1>", n: 1 });
  const rows = await client.maskBatch([{ text: "a@example.com" }, { id: 7 }]);
  assert.deepEqual([rows[1].id, rows[1].error.code], [7, "bad_item"]);
});

test("learning", async () => {
  const { learning } = client;
  assert.deepEqual(await learning.models(), []);
  await assert.rejects(learning.model("00000000-0000-7000-8000-000000000000"), NotFound);
  await assert.rejects(learning.promote("00000000-0000-7000-8000-000000000000", "a trial"), NotFound);
  await assert.rejects(learning.rollBack("intent", { builtin: true }), { code: "nothing_promoted" });
  const topics = await learning.topics({ least: 1000 });
  assert.deepEqual(topics.items, []);
  assert.ok(topics.messages >= 0);
});

test("messages, reviews and knowledge", async () => {
  const run = randomUUID();
  const article = {
    source: `returns-${run}.md`,
    title: "Returns",
    text: "You can return any unworn item within 30 days of delivery. Returns are free.",
  };
  const put = await client.knowledge.put(article);
  assert.equal(put.changed, true);
  assert.ok((await all(client.knowledge.list({ page: 1 }))).some((a) => a.id === put.id));
  const message = {
    channel: "chat",
    external_id: `m-${run}`,
    thread: `t-${run}`,
    from: { address: `robin-${run}` },
    text: "How long do I have to return an item?",
  };
  const taken = await client.messages.create(message, { idempotencyKey: run });
  assert.equal(taken.result, "received");
  assert.deepEqual(await client.messages.create(message, { idempotencyKey: run }), taken);
  await assert.rejects(
    client.messages.create({ ...message, text: "another" }),
    (e) => e instanceof Conflict && e.code === "message_conflict" && e.problem.id === taken.id && e.requestId !== undefined,
  );
  const summary = await within(60, async () =>
    (await all(client.reviews.list({ page: 1 }))).find((r) => r.message === taken.id),
  );
  const review = await client.reviews.get(summary.id);
  assert.match(review.draft.text, /30 days/);
  assert.ok((await client.reviews.evidence(review.id)).passages.length > 0);
  assert.ok((await client.reviews.claim(review.id)).claimed_by);
  const free = await client.reviews.release(review.id);
  const edited = await client.reviews.edit(review.id, { text: "Within 30 days.", revision: free.revision });
  await assert.rejects(client.reviews.approve(review.id, review.digest), { code: "digest_changed" });
  const approved = await client.reviews.approve(review.id, edited.digest);
  assert.ok(["approved", "held"].includes(approved.state));
  assert.ok((await all(client.threads.list())).length > 0);
  await client.messages.delete(taken.id);
  assert.equal((await client.messages.get(taken.id)).state, "deleted");
  await client.knowledge.delete(put.id);
  await assert.rejects(client.knowledge.get(put.id), NotFound);
});

test("a wrong key", async () => {
  await assert.rejects(new Client(url, { key: "cs_live_wrong" }).mask("x"), Unauthorized);
});
