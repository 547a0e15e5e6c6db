// What goes wrong, as classes. Programs go by `code`, which is stable; people read `detail`.

export class CountersignError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The service could not be reached, or the connection broke off. */
export class ConnectionFailed extends CountersignError {}

/** The service did not answer in time. */
export class TimedOut extends ConnectionFailed {}

/** The service refused (RFC 9457). */
export class ApiError extends CountersignError {
  constructor(status, problem, headers) {
    const code = String(problem.code ?? `http_${status}`);
    const detail = String(problem.detail ?? "");
    super(`${status} ${code}: ${detail}`);
    this.status = status;
    this.problem = problem;
    this.code = code;
    this.detail = detail;
    this.requestId = headers.get("x-request-id") ?? undefined;
    const after = Number.parseFloat(headers.get("retry-after") ?? "");
    this.retryAfter = Number.isFinite(after) && after >= 0 ? after : undefined;
  }
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

const BY_STATUS = {
  400: BadRequest,
  401: Unauthorized,
  403: Forbidden,
  404: NotFound,
  409: Conflict,
  410: Gone,
  413: TooLarge,
  422: Unprocessable,
  429: RateLimited,
};

/** The error for an answer of 4xx or 5xx. */
export async function errorOf(response) {
  const kind = BY_STATUS[response.status] ?? (response.status >= 500 ? ServerError : ApiError);
  const problem = await response.json().catch(() => ({}));
  const object = problem !== null && typeof problem === "object" ? problem : {};
  return new kind(response.status, object, response.headers);
}
