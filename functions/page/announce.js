/** Words for those who listen to the page rather than look at it. */

const LASTS = 10_000; // ms: long enough to be read out, short enough not to be found later

/** @param {string} words */
export function announce(words) {
  const region = /** @type {HTMLElement} */ (document.getElementById('announcements'));
  const line = document.createElement('p');
  line.textContent = words;
  region.append(line);
  setTimeout(() => line.remove(), LASTS);
}
