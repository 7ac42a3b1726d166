/** Messages for screen readers. */

const LASTS = 10_000; // ms: enough to be read aloud

/** @param {string} words */
export function announce(words) {
  const region = /** @type {HTMLElement} */ (document.getElementById('announcements'));
  const line = document.createElement('p');
  line.textContent = words;
  region.append(line);
  setTimeout(() => line.remove(), LASTS);
}
