/** The access token: it arrives in the address or in the form, and stays in this browser until forgotten. */

const KEY = 'seamless.token';

/** @type {string | null} used where the browser keeps nothing for this page */
let remembered = null;

/** @returns {string | null} */
export function get() {
  try {
    return localStorage.getItem(KEY) ?? remembered;
  } catch {
    return remembered;
  }
}

/** @param {string | null} token null forgets it */
export function set(token) {
  remembered = token;
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Storage is blocked: the token lasts as long as the page.
  }
}

/** Take `#token=…` out of the address, and so out of the history. @returns {boolean} whether it was there */
export function takeFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return false;
  set(token);
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}
