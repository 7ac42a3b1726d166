/** One document on the page. All external content is set as text, never as markup. */

import { announce } from './announce.js';
import { copy } from './clipboard.js';
import * as format from './format.js';
import { lookOf } from './look.js';

/** @typedef {import('./api.js').Document} Document */
/** @typedef {import('./look.js').Act} Act */
/** @typedef {import('./look.js').Look} Look */
/** @typedef {import('./upload.js').Transfer} Transfer */
const COPIED = 2_000; // ms for which the button shows it

export class Card {
  element = /** @type {HTMLElement} */ (template().content.firstElementChild?.cloneNode(true));

  /** @type {Transfer | null} the upload, while it runs on this page */
  transfer = null;

  /**
   * @param {Document} document
   * @param {(card: Card, act: Act) => void} again
   */
  constructor(document, again) {
    this.document = document;
    this.#part('copy').onclick = () => this.#copy();
    this.#part('again').onclick = () => again(this, /** @type {any} */ (this.#part('again').dataset.act));
  }

  /** Show the current state in the same elements, which keeps focus and selection. */
  render() {
    const { document } = this;
    const look = lookOf(document, this.transfer);
    this.element.dataset.status = document.status;
    this.element.dataset.tone = look.tone;
    for (const part of ['name', 'copy-name', 'again-name']) this.#text(part, document.name);
    const about = [
      document.kind && format.kind(document.kind),
      document.size !== null && format.size(document.size),
    ];
    this.#text('about', about.filter(Boolean).join(' · '));
    this.#text('time', format.moment(document.created_at));
    this.#part('time').setAttribute('datetime', document.created_at);
    this.#text('state', look.label);
    this.#progress(look);
    this.#summary(document.status === 'done' ? (document.summary ?? '') : '');
    this.#part('error').hidden = !look.problem;
    for (const part of /** @type {const} */ (['message', 'code', 'remedy']))
      this.#text(part, look.problem?.[part] ?? '');
    const again = /** @type {HTMLButtonElement} */ (this.#part('again'));
    again.hidden = !look.again;
    again.dataset.act = look.again?.act;
    this.#text('again-label', look.again?.label ?? '');
    this.#facts();
  }

  /** Disable the button against a second click. @param {boolean} busy */
  set busy(busy) {
    /** @type {HTMLButtonElement} */ (this.#part('again')).disabled = busy;
  }

  /** @param {Look} look */
  #progress({ progress, label }) {
    const bar = /** @type {HTMLProgressElement} */ (this.#part('progress'));
    bar.hidden = !progress;
    bar.setAttribute('aria-label', `${this.document.name}: ${label}`);
    if (progress && progress !== 'unknown') Object.assign(bar, progress);
    else bar.removeAttribute('value');
  }

  /** @param {string} summary */
  #summary(summary) {
    const part = this.#part('summary');
    part.hidden = this.#part('copy').hidden = !summary;
    const paragraphs = summary.split(/\n\s*\n/).filter((text) => text.trim());
    part.replaceChildren(...paragraphs.map((text) => element('p', text)));
  }

  #facts() {
    const { attempts, cost_usd, created_at, endpoint, model, replicas } = this.document;
    const { inference_mode, status, updated_at, usage } = this.document;
    const ended = status === 'done' || status === 'failed';
    const facts = [
      ['Model', model],
      ['Endpoint', endpoint],
      ['Replica', replicas?.join(', ')],
      ['Inference mode', inference_mode === endpoint ? null : inference_mode],
      [
        'Tokens',
        usage && `${format.count(usage.prompt_tokens)} in, ${format.count(usage.completion_tokens)} out`,
      ],
      ['Calls', usage && format.count(usage.calls)],
      ['Cost', status === 'done' || usage ? format.cost(cost_usd) : null],
      ['Attempts', attempts > 1 ? format.count(attempts) : null],
      ['Duration', ended && !this.transfer ? format.duration(created_at, updated_at) : null],
    ].filter(([, value]) => value);
    const part = this.#part('facts');
    part.hidden = facts.length === 0;
    part.replaceChildren(
      ...facts.map(([name, value]) => {
        const pair = element('div');
        pair.append(element('dt', name ?? ''), element('dd', value || ''));
        return pair;
      }),
    );
  }

  async #copy() {
    await copy(this.document.summary ?? '');
    announce(`Copied the summary of ${this.document.name}.`);
    this.#text('copy-label', 'Copied');
    setTimeout(() => this.#text('copy-label', 'Copy'), COPIED);
  }

  /** @param {string} name @returns {HTMLElement} */
  #part(name) {
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-part="${name}"]`));
  }

  /** @param {string} part @param {string} text */
  #text(part, text) {
    this.#part(part).textContent = text;
  }
}

/** @param {string} tag @param {string} [text] */
function element(tag, text = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function template() {
  return /** @type {HTMLTemplateElement} */ (document.getElementById('card'));
}
