/** The access token: from the address or the form, until it is forgotten. */

const KEY = 'seamless.token';

/**
 * True unless the server says that no page of others has this page's origin. Such a page could read
 * whatever this one stores, so the token stays in memory.
 */
export const sharedOrigin =
  document.querySelector('meta[name=origin]')?.getAttribute('content') !== 'own';

/** @type {string | null} used at a shared origin, and when the browser blocks storage */
let remembered = null;

if (sharedOrigin) store(null); // an earlier version stored it

/** @returns {string | null} */
export function get() {
  if (sharedOrigin) return remembered;
  try {
    return localStorage.getItem(KEY) ?? remembered;
  } catch {
    return remembered;
  }
}

/** @param {string | null} token null removes it */
export function set(token) {
  remembered = token;
  store(sharedOrigin ? null : token);
}

/** @param {string | null} token null removes it */
function store(token) {
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Storage is blocked: the token lasts as long as the page.
  }
}

/** Take `#token=…` and remove it from the address and the history. @returns {boolean} true when it was there */
export function takeFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return false;
  set(token);
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}
