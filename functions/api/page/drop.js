/** Files for upload: dropped anywhere on the page, or chosen. */

import { announce } from './announce.js';

/**
 * @param {HTMLElement} zone highlighted while files are dragged over the page
 * @param {HTMLInputElement} input
 * @param {() => boolean} open true while files are accepted
 * @param {(files: File[]) => void} take
 */
export function receive(zone, input, open, take) {
  input.onchange = () => {
    take([...(input.files ?? [])]);
    input.value = ''; // so that the same file can be chosen again
  };
  addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault(); // the browser would open the file instead of the page
    event.dataTransfer.dropEffect = open() ? 'copy' : 'none';
    zone.classList.toggle('welcome', open());
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) zone.classList.remove('welcome');
  });
  addEventListener('drop', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    zone.classList.remove('welcome');
    if (open()) take(filesOf(event.dataTransfer));
  });
}

/** Open the file dialog for one file. @param {(file: File) => void} take */
export function choose(take) {
  const input = document.createElement('input');
  input.type = 'file';
  input.onchange = () => input.files?.[0] && take(input.files[0]);
  input.click();
}

/** @param {DataTransfer} dropped @returns {File[]} without folders */
function filesOf(dropped) {
  const items = [...dropped.items].filter(({ kind }) => kind === 'file');
  const files = items.filter((item) => !item.webkitGetAsEntry()?.isDirectory);
  if (files.length < items.length) announce('Folders are ignored: choose the files in them.');
  return files.flatMap((item) => item.getAsFile() ?? []);
}
