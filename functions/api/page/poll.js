/** Polling: often after a change, then less often, never while the page is hidden. */

const FIRST = 500; // ms
const LAST = 3_000;
const GROWTH = 1.4;

export class Poller {
  #delay = FIRST;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asking = false;

  /**
   * @param {() => boolean} needed true while a document is in progress
   * @param {() => Promise<boolean>} ask returns true when something changed
   */
  constructor(needed, ask) {
    this.needed = needed;
    this.ask = ask;
    document.addEventListener('visibilitychange', () => this.#look());
  }

  /** Poll soon, because something is about to change. */
  wake() {
    this.#delay = FIRST;
    this.#schedule();
  }

  /** Poll at once when the page becomes visible. */
  #look() {
    clearTimeout(this.#timer);
    if (!document.hidden && !this.#asking) this.#tick();
  }

  #schedule() {
    clearTimeout(this.#timer);
    if (this.#asking || document.hidden || !this.needed()) return;
    this.#timer = setTimeout(() => this.#tick(), this.#delay);
  }

  async #tick() {
    this.#asking = true;
    try {
      const changed = await this.ask();
      this.#delay = changed ? FIRST : Math.min(this.#delay * GROWTH, LAST);
    } finally {
      this.#asking = false;
    }
    this.#schedule();
  }
}
