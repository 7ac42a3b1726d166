/** The page: one list of documents, from uploads on this page and from the API. */

import { announce } from './announce.js';
import { Api, Refused } from './api.js';
import { DocumentList } from './documents.js';
import { choose, receive } from './drop.js';
import { Poller } from './poll.js';
import * as token from './token.js';
import { Transfer, Uploads } from './upload.js';

/** @typedef {import('./api.js').Health} Health */
/** @typedef {import('./card.js').Card} Card */
/** @typedef {import('./look.js').Act} Act */

const api = new Api(token.get);
const list = new DocumentList(at('documents'), again, showCounts);
const uploads = new Uploads(api, (transfer) => list.track(transfer), completed);
const poller = new Poller(() => list.inProgress.length > 0, refresh);

/** @type {string | undefined} where 'Load more' goes on */
let cursor;

/** Show the documents, or the form for the access token. */
async function start() {
  if (!token.get()) return ask('');
  const page = await allowed(() => api.documents());
  if (!page) return;
  at('entry').hidden = true;
  at('workspace').hidden = at('forget').hidden = false;
  cursor = page.next_cursor;
  at('more').hidden = !cursor;
  list.merge(page.documents);
  showCounts();
  await Promise.all(list.unfinished.map(finish));
  poller.wake();
}

/** Complete an upload that finished just before a reload. @param {string} id */
async function finish(id) {
  try {
    await api.complete(id);
    list.merge([await api.document(id)]);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // the upload is not finished; the card shows that
  }
}

/** @returns {Promise<boolean>} true when something changed */
async function refresh() {
  if (!token.get()) return false;
  const ids = list.inProgress;
  const [only] = ids;
  if (ids.length === 1 && only) return one(only);
  const page = await allowed(() => api.documents());
  if (!page) return false;
  const listed = new Set(page.documents.map(({ id }) => id));
  const rest = await Promise.all(ids.filter((id) => !listed.has(id)).map(one));
  return list.merge(page.documents) || rest.includes(true);
}

/** @param {string} id @returns {Promise<boolean>} true when something changed */
async function one(id) {
  try {
    return list.merge([await api.document(id)]);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const gone = error.status === 404 ? list.find(id) : undefined;
    if (gone) list.remove(gone);
    return gone !== undefined;
  }
}

/** @template T @param {() => Promise<T>} call @returns {Promise<T | undefined>} undefined without a valid token */
async function allowed(call) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return undefined;
    throw error;
  }
}

/** @param {File[]} files @param {Card} [instead] */
function send(files, instead) {
  for (const file of files) {
    const transfer = new Transfer(file);
    list.track(transfer, instead);
    uploads.add(transfer);
  }
  if (files.length)
    announce(files.length === 1 ? `Uploading ${files[0]?.name}.` : `Uploading ${files.length} files.`);
}

/** @param {Transfer} transfer */
function completed(transfer) {
  list.complete(transfer);
  poller.wake();
}

/** @param {Card} card @param {Act} act */
async function again(card, act) {
  if (act === 'choose') return choose((file) => send([file], card));
  if (act === 'resend') return card.transfer && uploads.add(card.transfer);
  card.busy = true;
  try {
    await api.retry(card.document.id);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // another window was faster; the document shows that
  }
  await one(card.document.id);
  card.busy = false;
  poller.wake();
}

/** @param {string} reason */
function ask(reason) {
  at('workspace').hidden = at('forget').hidden = true;
  at('entry').hidden = false;
  at('entry-error').textContent = reason;
  at('entry-memory').hidden = !token.sharedOrigin;
  at('token').focus();
}

/** @param {Health} health */
function showHealth({ variant, inference_mode, model, version, prompt_version }) {
  for (const [part, text] of Object.entries({ variant, inference_mode, model })) {
    for (const element of document.querySelectorAll(
      `#about [data-part=${part}], #local-model [data-part=${part}]`,
    ))
      element.textContent = text;
  }
  at('about').hidden = false;
  at('local-model').hidden = model !== 'extractive';
  at('version').textContent = `Seamless ${version}, prompt ${prompt_version}`;
}

function showCounts() {
  const { busy, size } = list;
  at('empty').hidden = size > 0;
  at('drop').classList.toggle('roomy', size === 0);
  at('in-progress').textContent = busy ? `${busy} in progress` : '';
  document.title = busy ? `(${busy}) Seamless` : 'Seamless';
}

/** @param {string} id @returns {HTMLElement} */
function at(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

api.onTrouble = (reason) => {
  if (!reason && at('banner').textContent) announce('Connected again.');
  at('banner').textContent = reason && `${reason} Retrying automatically.`;
};
api.onUnauthorized = () => {
  if (!token.get()) return;
  token.set(null);
  ask('The application rejected this token. Check that it belongs to this deployment.');
};

at('entry-form').onsubmit = (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (at('token'));
  token.set(field.value.trim());
  field.value = '';
  start();
};
at('forget').onclick = () => {
  token.set(null);
  location.reload();
};
at('more').onclick = async () => {
  const page = await allowed(() => api.documents(cursor));
  if (!page) return;
  cursor = page.next_cursor;
  at('more').hidden = !cursor;
  list.merge(page.documents);
};
receive(at('drop'), /** @type {HTMLInputElement} */ (at('files')), () => !at('workspace').hidden, send);

addEventListener('beforeunload', (event) => uploads.busy && event.preventDefault());
addEventListener('hashchange', () => token.takeFromAddress() && start());
token.takeFromAddress();
api.health().then(showHealth);
start();
