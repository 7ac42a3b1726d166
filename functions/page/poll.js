/** Asking again: soon after news, then less and less often, never while nobody looks. */

const FIRST = 500; // ms
const LAST = 3_000;
const GROWTH = 1.4;

export class Poller {
  #delay = FIRST;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #asking = false;

  /**
   * @param {() => boolean} needed whether there is anything to wait for
   * @param {() => Promise<boolean>} ask whether there was news
   */
  constructor(needed, ask) {
    this.needed = needed;
    this.ask = ask;
    document.addEventListener('visibilitychange', () => this.#look());
  }

  /** Something is about to change: ask soon. */
  wake() {
    this.#delay = FIRST;
    this.#schedule();
  }

  /** Whoever comes back wants to see what has happened meanwhile, here or elsewhere. */
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
      const news = await this.ask();
      this.#delay = news ? FIRST : Math.min(this.#delay * GROWTH, LAST);
    } finally {
      this.#asking = false;
    }
    this.#schedule();
  }
}
