// SPDX-License-Identifier: Apache-2.0

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new (...args: any[]) => T} kind
 * @returns {T} the element of that id
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{[attribute: string]: string}} attributes
 * @param {...(Node|string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/* Between two frames that are drawn: in a burst of events there is other work. */
const PAUSE_MS = 50;

/**
 * @param {() => void} draw
 * @returns {() => void} asks for |draw| before the next frame, once however
 *     often it is called: a burst of events costs a few layouts a second
 */
export function perFrame(draw) {
  let asked = false;
  let last = -Infinity;
  const frame = () => requestAnimationFrame((now) => {
    asked = false;
    last = now;
    draw();
  });
  return () => {
    if (asked) return;
    asked = true;
    const left = last + PAUSE_MS - performance.now();
    if (left > 0) setTimeout(frame, left);
    else frame();
  };
}
