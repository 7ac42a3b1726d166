/** Uploads: announced to the API, sent straight to the object store, completed. */

import { pause, problemIn, Refused } from './api.js';

/** @typedef {import('./api.js').Api} Api */
/** @typedef {import('./api.js').Upload} Upload */
/** @typedef {import('./api.js').Problem} Problem */

const AT_ONCE = 3; // uploads; more would share the same bandwidth
const LARGEST = 100 * 2 ** 20; // bytes, as in the API's description
const TRIES = 4; // to send the bytes while the store is unreachable
const SILENCE = 60_000; // ms without progress before an attempt is aborted
const STORED = 412; // an earlier attempt, whose response was lost, stored the object
const CONFLICT = 409; // with another attempt at the same time
const SET_BY_BROWSER = new Set(['content-length', 'host']); // a page cannot set these

/** One upload. */
export class Transfer {
  /** @type {Upload | null} the announced upload */
  upload = null;
  /** @type {number | null} bytes; null while it is queued */
  sent = null;
  /** @type {Problem | null} */
  problem = null;
  started = new Date().toISOString();

  /** @param {File} file */
  constructor(file) {
    this.file = file;
  }
}

/** Sends files, a few at a time, in the order in which they were added. */
export class Uploads {
  /** @type {Transfer[]} */
  #waiting = [];
  #running = 0;

  /**
   * @param {Api} api
   * @param {(transfer: Transfer) => void} changed called at each step
   * @param {(transfer: Transfer) => void} completed called when the application has the document
   */
  constructor(api, changed, completed) {
    this.api = api;
    this.changed = changed;
    this.completed = completed;
  }

  /** True while leaving the page would abort an upload. */
  get busy() {
    return this.#running > 0 || this.#waiting.length > 0;
  }

  /** @param {Transfer} transfer */
  add(transfer) {
    transfer.problem = null;
    transfer.sent = null;
    this.#waiting.push(transfer);
    this.changed(transfer);
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE) {
      const transfer = this.#waiting.shift();
      if (!transfer) return;
      this.#running += 1;
      this.#send(transfer).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  /** @param {Transfer} transfer */
  async #send(transfer) {
    try {
      refuseSize(transfer.file);
      transfer.upload ??= await this.api.upload(transfer.file.name, transfer.file.size);
      await put(this.api.base, transfer.upload, transfer.file, (sent) => {
        transfer.sent = sent;
        this.changed(transfer);
      });
      await this.api.complete(transfer.upload.document_id);
      this.completed(transfer);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401 || error.status === 403) transfer.upload = null; // the URL has expired
      transfer.problem = error.problem;
      this.changed(transfer);
    }
  }
}

/** Refuse a size that the API refuses, too. @param {File} file */
function refuseSize({ name, size }) {
  if (size > 0 && size <= LARGEST) return;
  const problem = size
    ? { code: 'TOO_LARGE', message: `${name} is larger than 100 MB.`, remedy: 'Split the document and upload its parts.' }
    : { code: 'EMPTY_DOCUMENT', message: `${name} is empty: 0 bytes.`, remedy: 'Check the file.' };
  throw new Refused(0, problem);
}

/**
 * Send the bytes; a lost connection is retried.
 * @param {URL} base @param {Upload} upload @param {File} file @param {(sent: number) => void} progress
 */
async function put(base, upload, file, progress) {
  for (let tries = 1; ; tries += 1) {
    progress(0);
    const answer = await putOnce(base, upload, file, progress);
    if (answer !== null && (answer.status < 300 || answer.status === STORED)) return;
    if (answer !== null && answer.status < 500 && answer.status !== CONFLICT) throw storeRefused(file, answer);
    if (tries === TRIES) throw storeUnavailable(file, answer);
    await pause(1_000 * 2 ** tries);
  }
}

/**
 * By XMLHttpRequest, because fetch does not report progress.
 * @param {URL} base @param {Upload} upload @param {File} file @param {(sent: number) => void} progress
 * @returns {Promise<{status: number, text: string} | null>} null without a response
 */
function putOnce(base, upload, file, progress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(upload.method, new URL(upload.upload_url, base));
    for (const [name, value] of Object.entries(upload.headers)) {
      if (!SET_BY_BROWSER.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    const watch = () => setTimeout(() => request.abort(), SILENCE);
    let silence = watch();
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(silence);
      silence = watch();
      progress(loaded);
    };
    request.onloadend = () => {
      clearTimeout(silence);
      resolve(request.status ? { status: request.status, text: request.responseText } : null);
    };
    request.send(file.slice()); // a slice has no type, so no unsigned Content-Type is sent
  });
}

/** @param {File} file @param {{status: number, text: string}} answer */
function storeRefused(file, answer) {
  return new Refused(
    answer.status,
    problemIn(answer.text) ?? {
      code: 'STORE_UNAVAILABLE',
      message: `The object store answered ${answer.status} to the upload of ${file.name}.`,
      remedy: 'The upload URL may have expired: try again.',
    },
  );
}

/** @param {File} file @param {{status: number} | null} answer */
function storeUnavailable(file, answer) {
  const outcome = answer ? `answered ${answer.status}` : 'did not answer';
  return new Refused(answer?.status ?? 0, {
    code: 'STORE_UNAVAILABLE',
    message: `The object store ${outcome} to ${TRIES} uploads of ${file.name}.`,
    remedy:
      'Check the connection and try again. If other pages work, the store may not allow uploads from this page (CORS).',
  });
}
