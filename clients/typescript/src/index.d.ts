// Types of the client; those of what goes over the wire are in types.d.ts.

import type * as t from "./types.d.ts";

export type * from "./types.d.ts";

/** How a request is tried again; times in seconds. */
export interface Retries {
  /** Tries in all; 5. */
  attempts?: number;
  /** Before the second; 0.2. Then twice as long each time, shortened by chance. */
  first?: number;
  /** Longest wait; 20. A longer Retry-After ends the tries. */
  longest?: number;
}

export interface Options {
  /** The API key. */
  key?: string;
  /** For one try, in seconds; 30. */
  timeout?: number;
  retries?: Retries;
  /** Instead of the global one. */
  fetch?: typeof fetch;
  /** Waits some seconds; for tests. */
  sleep?: (seconds: number) => Promise<void>;
}

export interface Cancel {
  signal?: AbortSignal;
}

export interface ClassifyOptions extends Cancel {
  outputs?: t.Output[];
  taxonomy?: string;
  vip?: boolean;
}

export type MaskOptions = Cancel & Omit<t.MaskRequest, "id" | "text" | "json" | "items">;

export const MAX_ITEMS: 256;

export class Client {
  constructor(baseUrl: string | URL, options?: Options);
  readonly messages: Messages;
  readonly threads: Threads;
  readonly reviews: Reviews;
  readonly knowledge: Knowledge;
  readonly learning: Learning;
  /** Classifies a text, a message or a thread. */
  classify(item: string | t.ClassifyItem, options?: ClassifyOptions): Promise<t.ClassifyAnswer>;
  /** Classifies several; one that can't be classified has an `error` in its place. */
  classifyBatch(items: ReadonlyArray<string | t.ClassifyItem>, options?: ClassifyOptions): Promise<t.ItemAnswer[]>;
  /** Classifies any number in bounded memory; the answers come in order. */
  classifyStream(
    items: Iterable<string | t.ClassifyItem> | AsyncIterable<string | t.ClassifyItem>,
    options?: ClassifyOptions,
  ): AsyncGenerator<t.ItemAnswer, void, undefined>;
  /** Masks a text. */
  mask(text: string, options?: MaskOptions): Promise<t.Masked>;
  /** Masks the strings and numbers of a document. */
  maskJson(document: unknown, options?: MaskOptions): Promise<t.Masked>;
  /** Masks several; a bad one has an `error` in its place. */
  maskBatch(items: ReadonlyArray<t.MaskItem>, options?: MaskOptions): Promise<t.MaskedItem[]>;
}

export interface Messages {
  create(message: t.NewMessage, options?: Cancel & { idempotencyKey?: string }): Promise<t.Taken>;
  get(id: string): Promise<t.Message>;
  edit(id: string, change: t.NewMessage): Promise<t.Taken>;
  delete(id: string): Promise<void>;
}

export interface Paging {
  /** Items asked for at a time; 100. */
  page?: number;
}

export interface Threads {
  list(options?: Paging): AsyncGenerator<t.ThreadSummary, void, undefined>;
  get(id: string): Promise<t.ThreadView>;
}

export interface Reviews {
  /** The most urgent first; without `state` those that wait for a person. */
  list(
    options?: Paging & { state?: t.ReviewState[] | "all"; snoozed?: boolean },
  ): AsyncGenerator<t.ReviewSummary, void, undefined>;
  get(id: string): Promise<t.Review>;
  evidence(id: string): Promise<t.Evidence>;
  claim(id: string): Promise<t.Review>;
  release(id: string): Promise<t.Review>;
  /** Signs exactly what was seen: `digest` is that of the review as it was shown. */
  approve(id: string, digest: string): Promise<t.Review>;
  edit(id: string, change: t.Edit): Promise<t.Review>;
  respond(id: string, reply: t.Edit): Promise<t.Review>;
  reject(id: string, reason?: string): Promise<t.Review>;
  escalate(id: string, reason?: string): Promise<t.Review>;
  snooze(id: string, until: string | Date): Promise<t.Review>;
  assign(id: string, to: string | null): Promise<t.Review>;
  undo(id: string): Promise<t.Review>;
  settle(id: string, arrived: boolean): Promise<t.Review>;
}

export interface Knowledge {
  put(article: t.NewArticle): Promise<t.ArticlePut>;
  list(options?: Paging): AsyncGenerator<t.ArticleSummary, void, undefined>;
  get(id: string): Promise<t.ArticleView>;
  delete(id: string): Promise<void>;
}

/** Heads learnt from corrections, and topics that the taxonomy lacks. Deciding needs a lead's key. */
export interface Learning {
  /** The newest first. */
  models(): Promise<t.ModelSummary[]>;
  /** One, with how it did against what ran. */
  model(id: string): Promise<t.ModelView>;
  /** Lets a head read messages. A reason overrides what speaks against it. */
  promote(id: string, reason?: string): Promise<t.ModelSummary>;
  /** Lets what ran before a task's head run again, or the built-in head. */
  rollBack(task: string, options?: { builtin?: boolean }): Promise<t.RolledBack>;
  /** Groups among the newest messages that no intent fits, of so many messages at least. */
  topics(options?: { least?: number }): Promise<t.TopicList>;
}

export class CountersignError extends Error {}
export class ConnectionFailed extends CountersignError {}
export class TimedOut extends ConnectionFailed {}

/** The service refused (RFC 9457). */
export class ApiError extends CountersignError {
  readonly status: number;
  /** Stable; what programs go by. */
  readonly code: string;
  readonly detail: string;
  /** All members of the problem. */
  readonly problem: Record<string, unknown>;
  /** Leads to the request in the service's log. */
  readonly requestId: string | undefined;
  /** In seconds. */
  readonly retryAfter: number | undefined;
}

export class BadRequest extends ApiError {}
export class Unauthorized extends ApiError {}
export class Forbidden extends ApiError {}
export class NotFound extends ApiError {}
export class Conflict extends ApiError {}
export class Gone extends ApiError {}
export class TooLarge extends ApiError {}
export class Unprocessable extends ApiError {}
export class RateLimited extends ApiError {}
export class ServerError extends ApiError {}
