/** Calls of the application's HTTP API. What it accepts and answers is defined in `schema.py`. */

/** @typedef {{code: string, message: string, remedy: string}} Problem */
/** @typedef {{document_id: string, upload_url: string, method: string, headers: Record<string, string>}} Upload */
/** @typedef {'uploading' | 'queued' | 'working' | 'done' | 'failed'} Status */
/** @typedef {{prompt_tokens: number, completion_tokens: number, calls: number}} Usage */
/**
 * @typedef {object} Document
 * @property {string} id
 * @property {string} name
 * @property {number | null} size
 * @property {Status} status
 * @property {string} created_at
 * @property {string} updated_at
 * @property {number} attempts
 * @property {{done: number, total: number} | null} [progress]
 * @property {string | null} [kind]
 * @property {string | null} [summary]
 * @property {string | null} [model]
 * @property {string | null} [inference_mode]
 * @property {string | null} [endpoint]
 * @property {string[]} [replicas]
 * @property {Usage | null} [usage]
 * @property {number | null} [cost_usd]
 * @property {Problem | null} [error]
 */
/** @typedef {{documents: Document[], next_cursor?: string}} Page */
/**
 * @typedef {object} Health
 * @property {'ok' | 'degraded'} status
 * @property {string} version
 * @property {string} variant
 * @property {string} inference_mode
 * @property {string} model
 * @property {string} prompt_version
 */

const TIMEOUT = 30_000; // ms for one response
const FIRST_PAUSE = 1_000; // ms before the first retry, doubled each time
const LAST_PAUSE = 15_000;
const TEMPORARY = new Set([429, 502, 503, 504]);

/** An error response that a retry does not change. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {Problem} problem
   */
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
  }
}

/** The API, relative to the page's own folder, so that it works under any path prefix. */
export class Api {
  base = new URL('.', document.baseURI);

  /** Called with the reason while calls are being retried, with null when all succeed again. */
  onTrouble = (/** @type {string | null} */ _reason) => {};

  /** Called when the token is missing or wrong. */
  onUnauthorized = () => {};

  /** @type {Map<symbol, string>} Calls that are being retried, with the reason. */
  #troubles = new Map();

  /** @param {() => string | null} token */
  constructor(token) {
    this.token = token;
  }

  /** @returns {Promise<Health>} */
  health() {
    return this.#call('GET', 'healthz');
  }

  /** @param {string} name @param {number} size bytes @returns {Promise<Upload>} */
  upload(name, size) {
    return this.#call('POST', 'api/uploads', { name, size });
  }

  /** @param {string} id @returns {Promise<void>} */
  complete(id) {
    return this.#call('POST', `api/documents/${encodeURIComponent(id)}/complete`);
  }

  /** @param {string} id @returns {Promise<void>} */
  retry(id) {
    return this.#call('POST', `api/documents/${encodeURIComponent(id)}/retry`);
  }

  /** @param {string} id @returns {Promise<Document>} */
  document(id) {
    return this.#call('GET', `api/documents/${encodeURIComponent(id)}`);
  }

  /** @param {string} [cursor] @returns {Promise<Page>} newest first */
  documents(cursor) {
    const query = cursor === undefined ? '' : `?${new URLSearchParams({ cursor })}`;
    return this.#call('GET', `api/documents${query}`);
  }

  /**
   * Call until there is a response: temporary errors are retried here, not by the caller.
   * @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>}
   */
  async #call(method, path, body) {
    const call = Symbol(path);
    try {
      for (let wait = FIRST_PAUSE; ; wait = Math.min(wait * 2, LAST_PAUSE)) {
        const outcome = await this.#once(method, path, body);
        if ('answer' in outcome) return outcome.answer;
        this.#troubles.set(call, outcome.reason);
        this.onTrouble(outcome.reason);
        await pause(Math.max(wait, outcome.after));
      }
    } finally {
      if (this.#troubles.delete(call)) this.onTrouble([...this.#troubles.values()].pop() ?? null);
    }
  }

  /**
   * @param {string} method @param {string} path @param {object} [body]
   * @returns {Promise<{answer: any} | {reason: string, after: number}>}
   */
  async #once(method, path, body) {
    const token = this.token();
    let response, text;
    try {
      response = await fetch(new URL(path, this.base), {
        method,
        headers: {
          ...(token && { Authorization: `Bearer ${token}` }),
          ...(body && { 'Content-Type': 'application/json' }),
        },
        body: body && JSON.stringify(body),
        cache: 'no-store',
        signal: AbortSignal.timeout(TIMEOUT),
      });
      text = await response.text();
    } catch {
      return { reason: 'The application is unreachable.', after: 0 };
    }
    // 503 of `healthz` describes the application, too: a part of it is away.
    if (response.ok || (path === 'healthz' && isHealth(text)))
      return { answer: text ? JSON.parse(text) : undefined };
    const problem = problemIn(text) ?? {
      code: 'INTERNAL',
      message: `The application answered ${response.status} to ${method} ${path}.`,
      remedy: 'Check the log of the application.',
    };
    if (TEMPORARY.has(response.status) || (method === 'GET' && response.status === 500)) {
      const after = Number(response.headers.get('Retry-After')) || 0;
      return { reason: `${problem.message} ${problem.remedy}`, after: after * 1_000 };
    }
    if (response.status === 401) this.onUnauthorized();
    throw new Refused(response.status, problem);
  }
}

/** @param {string} text a body */
function isHealth(text) {
  try {
    return 'version' in JSON.parse(text);
  } catch {
    return false;
  }
}

/** @param {string} text a body @returns {Problem | null} the error in it, if any */
export function problemIn(text) {
  try {
    return JSON.parse(text).error ?? null;
  } catch {
    return null;
  }
}

/** Wait, at most until the browser is online again. @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve(undefined);
    }
    addEventListener('online', done);
  });
}
