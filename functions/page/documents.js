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

  /** @returns {string[]} ids of the documents that the application has in hand */
  get underWay() {
    return this.#documents()
      .filter(({ status }) => status === 'queued' || status === 'working')
      .map(({ id }) => id);
  }

  /** @returns {string[]} ids of the documents whose bytes neither arrived nor come from this page */
  get unfinished() {
    return this.#cards
      .filter((card) => card.document.status === 'uploading' && !card.transfer)
      .map((card) => card.document.id);
  }

  /** How many are being uploaded from here, or are in the application's hands. */
  get busy() {
    return this.#cards.filter(
      ({ transfer, document }) => (transfer && !transfer.problem) || /queued|working/.test(document.status),
    ).length;
  }

  /** Show what the application says. @param {Document[]} documents @returns {boolean} whether it was news */
  merge(documents) {
    let news = false;
    for (const document of documents) {
      const card = this.#cards.find((card) => card.document.id === document.id);
      if (!card) this.#insert(new Card(document, this.again), this.#placeOf(document));
      else if (stale(document, card.document)) continue;
      else this.#advance(card, document);
      news = true;
    }
    if (news) this.changed();
    return news;
  }

  /**
   * Show a file on its way.
   * @param {Transfer} transfer
   * @param {Card} [instead] the card that it takes over
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

  /** The bytes are with the application now. @param {Transfer} transfer */
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

  /** Before the first one that is older; nothing that has a place moves. @param {Document} document */
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

/** @param {Transfer} transfer @returns {Document} what the application will say about it, as far as we know */
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
 * True for an answer that changes nothing, or that was overtaken on its way by a later one.
 * @param {Document} told @param {Document} known
 */
function stale(told, known) {
  if (told.status === 'uploading' && known.status !== 'uploading') return true;
  if (Date.parse(told.updated_at) < Date.parse(known.updated_at)) return true;
  return JSON.stringify(told) === JSON.stringify(known);
}
