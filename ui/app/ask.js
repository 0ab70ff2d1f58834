// SPDX-License-Identifier: Apache-2.0
/** Asks the person before something is done that cannot be undone. */
import { byId, element } from './dom.js';

const dialog = byId('ask', HTMLDialogElement);
const yes = byId('ask-yes', HTMLButtonElement);
const no = byId('ask-no', HTMLButtonElement);
const word = byId('ask-word', HTMLInputElement);

/** @type {(answer: boolean) => void} */
let answer = () => {};
let wanted = '';

const isTyped = () => word.value.trim().toLowerCase() === wanted;

/** @param {boolean} said */
function settle(said) {
  dialog.close();
  answer(said);
}

yes.addEventListener('click', () => {
  if (isTyped()) settle(true);
});
no.addEventListener('click', () => settle(false));
// Escape
dialog.addEventListener('cancel', (event) => {
  event.preventDefault();
  settle(false);
});
word.addEventListener('input', () => { yes.disabled = !isTyped(); });
word.addEventListener('keydown', ({ key }) => {
  if (key === 'Enter') yes.click();
});

/**
 * @param {object} question
 * @param {string} question.title
 * @param {string[]} question.text paragraphs
 * @param {string} question.yes what the button says that does it
 * @param {string} [question.word] to be typed before that can be pressed
 * @returns {Promise<boolean>} false too if it is asked something else meanwhile
 */
export function ask({ title, text, yes: label, word: typed = '' }) {
  answer(false);
  byId('ask-title', HTMLElement).textContent = title;
  byId('ask-text', HTMLElement).replaceChildren(...text.map((part) => element('p', {}, part)));
  byId('ask-field', HTMLElement).hidden = typed === '';
  byId('ask-label', HTMLElement).textContent = `Type “${typed}” to go on`;
  yes.textContent = label;
  word.value = '';
  wanted = typed;
  yes.disabled = !isTyped();
  if (!dialog.open) dialog.showModal();
  (typed ? word : no).focus();
  return new Promise((resolve) => { answer = resolve; });
}

/** Takes the question back, as if it were answered with no. */
export function unask() {
  if (dialog.open) settle(false);
}
