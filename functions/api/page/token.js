/** The access token: from the address or the form, stored in this browser until it is forgotten. */

const KEY = 'seamless.token';

/** @type {string | null} used when the browser blocks storage */
let remembered = null;

/** @returns {string | null} */
export function get() {
  try {
    return localStorage.getItem(KEY) ?? remembered;
  } catch {
    return remembered;
  }
}

/** @param {string | null} token null removes it */
export function set(token) {
  remembered = token;
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Storage is blocked: the token lasts as long as the page.
  }
}

/** Store `#token=…` and remove it from the address and the history. @returns {boolean} true when it was there */
export function takeFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return false;
  set(token);
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}
