/** Formats numbers and times. */

const KINDS = { pdf: 'PDF', docx: 'DOCX', html: 'HTML', markdown: 'Markdown', text: 'Text' };
const integer = new Intl.NumberFormat('en-US');

/** @param {number} bytes @returns {string} `1.2 MB`, in powers of 1000 */
export function size(bytes) {
  if (bytes < 1_000) return `${bytes} B`;
  const [unit, name] = bytes < 999_500 ? [1e3, 'kB'] : [1e6, 'MB'];
  const value = bytes / unit;
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${name}`;
}

/** @param {string} kind as the API names it @returns {string} */
export function kind(kind) {
  return KINDS[/** @type {keyof typeof KINDS} */ (kind)] ?? kind;
}

/** @param {number} value @returns {string} `12,345` */
export function count(value) {
  return integer.format(value);
}

/** @param {number | null | undefined} dollars @returns {string} two significant digits below $1 */
export function cost(dollars) {
  if (dollars === null || dollars === undefined) return 'cost unknown';
  if (dollars === 0) return '$0';
  const digits = dollars < 1 ? { maximumSignificantDigits: 2 } : {};
  return new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', ...digits }).format(dollars);
}

/** @param {string} from ISO @param {string} to ISO @returns {string} `0.8 s`, `2 min 5 s`, `3 h 12 min` */
export function duration(from, to) {
  const seconds = Math.max(0, (Date.parse(to) - Date.parse(from)) / 1_000);
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
}

/** @param {string} iso @returns {string} the time, with the date unless it is today, in the browser's locale */
export function moment(iso) {
  const date = new Date(iso);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(
    undefined,
    today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' },
  );
}
