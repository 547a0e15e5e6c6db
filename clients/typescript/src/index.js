// Client of the countersign API. No dependency: Node 20 or later, and browsers.

import { RateLimited } from "./errors.js";
import { Transport } from "./transport.js";

export * from "./errors.js";

/** Most items of one request; `classifyBatch` and `maskBatch` cut longer lists. */
export const MAX_ITEMS = 256;

export class Client {
  #http;

  constructor(baseUrl, options) {
    this.#http = new Transport(baseUrl, options);
    this.messages = new Messages(this.#http);
    this.threads = new Threads(this.#http);
    this.reviews = new Reviews(this.#http);
    this.knowledge = new Knowledge(this.#http);
    this.learning = new Learning(this.#http);
  }

  classify(item, { outputs, taxonomy, vip, signal } = {}) {
    const body = { ...itemOf(item), outputs, taxonomy, ...(vip === undefined ? {} : { vip }) };
    return this.#http.call("POST", "/v1/classify", { body, signal });
  }

  async classifyBatch(items, { outputs, taxonomy, vip, signal } = {}) {
    const options = { outputs, taxonomy, vip };
    const answers = await this.#batches("/v1/classify", items.map(itemOf), options, signal);
    // Indexes count in the whole list.
    return answers.map((answer, index) => ("error" in answer ? { ...answer, index } : answer));
  }

  classifyStream(items, { outputs, taxonomy, vip, signal } = {}) {
    const query = { outputs: outputs?.join(","), taxonomy, vip };
    const each = (async function* () {
      for await (const item of items) yield itemOf(item);
    })();
    return this.#http.lines("/v1/classify", each, { query, signal });
  }

  mask(text, { signal, ...options } = {}) {
    return this.#http.call("POST", "/v1/mask", { body: { text, ...options }, signal });
  }

  maskJson(json, { signal, ...options } = {}) {
    return this.#http.call("POST", "/v1/mask", { body: { json, ...options }, signal });
  }

  maskBatch(items, { signal, ...options } = {}) {
    return this.#batches("/v1/mask", items, options, signal);
  }

  // A list in as many requests as it takes, smaller ones where the key's burst asks for it.
  async #batches(path, items, options, signal) {
    const answers = [];
    for (let [at, size] = [0, MAX_ITEMS]; at < items.length; ) {
      const some = items.slice(at, at + size);
      try {
        const body = { items: some, ...options };
        answers.push(...(await this.#http.call("POST", path, { body, signal })).items);
        at += some.length;
      } catch (error) {
        const burst = error instanceof RateLimited ? error.problem.burst : undefined;
        if (!(burst >= 1 && burst < some.length)) throw error;
        size = burst;
      }
    }
    return answers;
  }
}

class Messages {
  #http;

  constructor(http) {
    this.#http = http;
  }

  create(message, { idempotencyKey, signal } = {}) {
    return this.#http.call("POST", "/v1/messages", { body: message, write: true, idempotencyKey, signal });
  }

  get(id) {
    return this.#http.call("GET", `/v1/messages/${part(id)}`);
  }

  edit(id, change) {
    return this.#http.call("PATCH", `/v1/messages/${part(id)}`, { body: change, write: true });
  }

  delete(id) {
    return this.#http.call("DELETE", `/v1/messages/${part(id)}`, { write: true });
  }
}

class Threads {
  #http;

  constructor(http) {
    this.#http = http;
  }

  list({ page = 100 } = {}) {
    return pages(this.#http, "/v1/threads", {}, page);
  }

  get(id) {
    return this.#http.call("GET", `/v1/threads/${part(id)}`);
  }
}

class Reviews {
  #http;

  constructor(http) {
    this.#http = http;
  }

  list({ state, snoozed, page = 100 } = {}) {
    const states = Array.isArray(state) ? state.join(",") : state;
    return pages(this.#http, "/v1/reviews", { state: states, snoozed }, page);
  }

  get(id) {
    return this.#http.call("GET", `/v1/reviews/${part(id)}`);
  }

  evidence(id) {
    return this.#http.call("GET", `/v1/reviews/${part(id)}/evidence`);
  }

  claim(id) {
    return this.#act(id, "claim");
  }

  release(id) {
    return this.#act(id, "release");
  }

  approve(id, digest) {
    return this.#act(id, "approve", { digest });
  }

  edit(id, change) {
    return this.#act(id, "edit", change);
  }

  respond(id, reply) {
    return this.#act(id, "respond", reply);
  }

  reject(id, reason) {
    return this.#act(id, "reject", { reason });
  }

  escalate(id, reason) {
    return this.#act(id, "escalate", { reason });
  }

  snooze(id, until) {
    return this.#act(id, "snooze", { until: until instanceof Date ? until.toISOString() : until });
  }

  assign(id, to) {
    return this.#act(id, "assign", { to });
  }

  undo(id) {
    return this.#act(id, "undo");
  }

  settle(id, arrived) {
    return this.#act(id, "settle", { arrived });
  }

  #act(id, action, body = {}) {
    return this.#http.call("POST", `/v1/reviews/${part(id)}/${action}`, { body, write: true });
  }
}

class Knowledge {
  #http;

  constructor(http) {
    this.#http = http;
  }

  put(article) {
    return this.#http.call("POST", "/v1/knowledge", { body: article, write: true });
  }

  list({ page = 100 } = {}) {
    return pages(this.#http, "/v1/knowledge", {}, page);
  }

  get(id) {
    return this.#http.call("GET", `/v1/knowledge/${part(id)}`);
  }

  delete(id) {
    return this.#http.call("DELETE", `/v1/knowledge/${part(id)}`, { write: true });
  }
}

class Learning {
  #http;

  constructor(http) {
    this.#http = http;
  }

  async models() {
    return (await this.#http.call("GET", "/v1/models")).items;
  }

  model(id) {
    return this.#http.call("GET", `/v1/models/${part(id)}`);
  }

  promote(id, reason) {
    return this.#http.call("POST", `/v1/models/${part(id)}/promote`, { body: { reason }, write: true });
  }

  rollBack(task, { builtin = false } = {}) {
    return this.#http.call("POST", "/v1/models/rollback", { body: { task, builtin }, write: true });
  }

  topics({ least } = {}) {
    return this.#http.call("GET", "/v1/topics", { query: { least } });
  }
}

function itemOf(item) {
  return typeof item === "string" ? { text: item } : item;
}

function part(id) {
  return encodeURIComponent(id);
}

async function* pages(http, path, query, limit) {
  let cursor;
  do {
    const answer = await http.call("GET", path, { query: { ...query, limit, cursor } });
    yield* answer.items;
    cursor = answer.next;
  } while (cursor !== null);
}
