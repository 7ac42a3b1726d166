/** The list of documents: one card each, updated in place, newest first. */

import { announce } from './announce.js';
import { Card } from './card.js';

/** @typedef {import('./api.js').Document} Document */
/** @typedef {import('./look.js').Act} Act */
/** @typedef {import('./upload.js').Transfer} Transfer */

export class DocumentList {
  /** @type {Card[]} in the order of the page */
  #cards = [];

  /**
   * @param {HTMLElement} element
   * @param {(card: Card, act: Act) => void} again called by a card's button
   * @param {() => void} changed called after each change
   */
  constructor(element, again, changed) {
    this.element = element;
    this.again = again;
    this.changed = changed;
  }

  get size() {
    return this.#cards.length;
  }

  /** @returns {string[]} ids of the queued and working documents */
  get inProgress() {
    return this.#documents()
      .filter(({ status }) => status === 'queued' || status === 'working')
      .map(({ id }) => id);
  }

  /** @returns {string[]} ids of the documents whose upload is neither finished nor running on this page */
  get unfinished() {
    return this.#cards
      .filter((card) => card.document.status === 'uploading' && !card.transfer)
      .map((card) => card.document.id);
  }

  /** Number of documents that are uploaded from this page, queued or working. */
  get busy() {
    return this.#cards.filter(
      ({ transfer, document }) => (transfer && !transfer.problem) || /queued|working/.test(document.status),
    ).length;
  }

  /** Show documents of the API. @param {Document[]} documents @returns {boolean} true when something changed */
  merge(documents) {
    let changed = false;
    for (const document of documents) {
      const card = this.#cards.find((card) => card.document.id === document.id);
      if (!card) this.#insert(new Card(document, this.again), this.#placeOf(document));
      else if (stale(document, card.document)) continue;
      else this.#advance(card, document);
      changed = true;
    }
    if (changed) this.changed();
    return changed;
  }

  /**
   * Show an upload.
   * @param {Transfer} transfer
   * @param {Card} [instead] the card that it replaces
   */
  track(transfer, instead) {
    const known = this.#cards.find((card) => card.transfer === transfer);
    const card = known ?? new Card(asDocument(transfer), this.again);
    card.transfer = transfer;
    card.document.id = transfer.upload?.document_id ?? '';
    if (known) card.render();
    else this.#insert(card, 0);
    if (instead) this.remove(instead);
    if (transfer.problem)
      announce(
        `${card.document.name} was not uploaded. ${transfer.problem.message} ${transfer.problem.remedy}`,
      );
    this.changed();
  }

  /** Show an upload as complete. @param {Transfer} transfer */
  complete(transfer) {
    const card = this.#cards.find((card) => card.transfer === transfer);
    if (!card) return;
    card.transfer = null;
    this.#advance(card, { ...card.document, status: 'queued' });
    this.changed();
  }

  /** @param {Card} card */
  remove(card) {
    this.#cards = this.#cards.filter((other) => other !== card);
    card.element.remove();
    this.changed();
  }

  /** @param {string} id @returns {Card | undefined} */
  find(id) {
    return this.#cards.find((card) => card.document.id === id);
  }

  /** @param {Card} card @param {Document} document */
  #advance(card, document) {
    const before = card.document.status;
    card.document = document;
    if (document.status !== 'uploading') card.transfer = null;
    card.render();
    if (document.status === before) return;
    if (document.status === 'done') announce(`The summary of ${document.name} is ready.`);
    if (document.status === 'failed')
      announce(`${document.name} failed. ${document.error?.message ?? ''} ${document.error?.remedy ?? ''}`);
  }

  /** @param {Card} card @param {number} place */
  #insert(card, place) {
    card.render();
    this.element.insertBefore(card.element, this.#cards[place]?.element ?? null);
    this.#cards.splice(place, 0, card);
  }

  /** Index before the first older card; other cards do not move. @param {Document} document */
  #placeOf(document) {
    const place = this.#cards.findIndex(
      (card) => Date.parse(card.document.created_at) < Date.parse(document.created_at),
    );
    return place < 0 ? this.#cards.length : place;
  }

  #documents() {
    return this.#cards.map((card) => card.document);
  }
}

/** @param {Transfer} transfer @returns {Document} the document as the API will show it */
function asDocument({ file, started }) {
  return {
    id: '',
    name: file.name,
    size: file.size,
    status: 'uploading',
    created_at: started,
    updated_at: '',
    attempts: 0,
  };
}

/**
 * True for a response that changes nothing, or that is older than the known state.
 * @param {Document} received @param {Document} known
 */
function stale(received, known) {
  if (received.status === 'uploading' && known.status !== 'uploading') return true;
  if (Date.parse(received.updated_at) < Date.parse(known.updated_at)) return true;
  return JSON.stringify(received) === JSON.stringify(known);
}
