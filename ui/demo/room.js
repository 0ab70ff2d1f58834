// SPDX-License-Identifier: Apache-2.0
/**
 * The room: pages that see each other's pointers and can talk, through the
 * server of a link.  What they say to each other is in protocol.js.
 *
 * The page's own address may say where to go, after "#", which no web server
 * gets to see: #room=NAME&link=LINK
 */
import { connect } from '../client/fortnight.js';
import {
  newcomer, place, plain, readAll, readMessage, readPointer, writeMessage, writePointer, NAME_MAX, TEXT_MAX,
} from './protocol.js';

/** @typedef {import('../client/fortnight.js').FortnightTransport} FortnightTransport */

/** Between two datagrams of a pointer that moves, and of one that rests. */
const MOVES_MS = 33;
const RESTS_MS = 2_000;

/** Whoever is not heard of for so long has gone. */
const GONE_MS = 10_000;

const PEOPLE_MAX = 64;
const LINES_MAX = 500;
const HUES = 8;

/** How far one press of an arrow key goes, of the whole field. */
const STEP = 0.02;
const LEAP = 0.1;

/**
 * @typedef {object} Person
 * @property {string} name
 * @property {number} x
 * @property {number} y
 * @property {number} number  of the newest datagram
 * @property {number} heard   performance.now()
 * @property {HTMLElement | null} pointer
 * @property {HTMLElement | null} item
 */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function get(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`there is no ${id}`);
  return element;
}

const $ = (/** @type {string} */ id) => get(id, HTMLElement);
const $input = (/** @type {string} */ id) => get(id, HTMLInputElement);

/** @param {string} who */
const hueOf = (who) => `hue${parseInt(who.slice(-4), 16) % HUES}`;

/** One visit. */
class Visit {
  #me = newcomer();
  #name;
  #room;
  #transport;
  #datagrams;
  #writing = false;
  #number = 0;
  #x = 0.5;
  #y = 0.5;
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  #sent = 0;
  #over = new AbortController();

  /**
   * @param {string} link
   * @param {string} room
   * @param {string} name
   */
  constructor(link, room, name) {
    this.#room = room;
    this.#name = name;
    this.#transport = connect(link, { path: `/room?name=${encodeURIComponent(room)}`, reconnect: true });
    this.#datagrams = this.#transport.datagrams.writable.getWriter();
    this.#person(this.#me, name);
    this.#listen();
    this.#hearPointers().catch(() => {});
    this.#hearMessages().catch(() => {});
  }

  #listen() {
    const { signal } = this.#over;
    this.#transport.addEventListener('statechange', (event) => this.#onState(/** @type {CustomEvent} */ (event).detail), { signal });
    const board = $('board');
    board.addEventListener('pointermove', (event) => {
      const box = board.getBoundingClientRect();
      this.#moveTo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    }, { signal });
    board.addEventListener('keydown', (event) => {
      const by = event.shiftKey ? LEAP : STEP;
      const [x, y] = /** @type {Record<string, number[]>} */ ({
        ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by],
      })[event.key] ?? [0, 0];
      if (!x && !y) return;
      event.preventDefault();
      this.#moveTo(this.#x + x, this.#y + y);
    }, { signal });
    const rest = setInterval(() => {
      if (performance.now() - this.#sent >= RESTS_MS) this.#point();
      this.#forget();
      this.#showPlaces();
    }, RESTS_MS / 2);
    signal.addEventListener('abort', () => clearInterval(rest));
    addEventListener('pagehide', () => this.leave(), { signal });
  }

  // ---- What is said ----

  /** @param {import('./protocol.js').Message} message */
  async #say(message) {
    const stream = await this.#transport.createUnidirectionalStream();
    const writer = stream.getWriter();
    writer.write(writeMessage(message)).catch(() => {});
    await writer.close();
  }

  /** @param {string} text */
  async chat(text) {
    const line = plain(text, TEXT_MAX);
    if (!line) return;
    this.#line(this.#me, line);
    try {
      await this.#say({ type: 'chat', who: this.#me, text: line });
    } catch {
      note(`“${line}” could not be sent.`);
    }
  }

  /** @param {boolean} reply */
  #hello(reply) {
    this.#say({ type: 'hello', who: this.#me, name: this.#name, reply }).catch(() => {});
    this.#point();
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #moveTo(x, y) {
    this.#x = Math.min(1, Math.max(0, x));
    this.#y = Math.min(1, Math.max(0, y));
    this.#show(this.#me, this.#x, this.#y);
    const wait = this.#sent + MOVES_MS - performance.now();
    if (wait <= 0) this.#point();
    else this.#soon ??= setTimeout(() => this.#point(), wait);
  }

  async #point() {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#sent = performance.now();
    // One that is under way is newer than nothing; the next comes soon.
    if (this.#writing) return;
    this.#writing = true;
    try {
      await this.#datagrams.write(writePointer({ who: this.#me, number: ++this.#number, x: this.#x, y: this.#y }));
    } catch {
      // As |closed| tells.
    }
    this.#writing = false;
  }

  // ---- What is heard ----

  async #hearPointers() {
    for await (const octets of read(this.#transport.datagrams.readable)) {
      const pointer = readPointer(octets);
      if (!pointer || pointer.who === this.#me) continue;
      const person = this.#people.get(pointer.who);
      // Datagrams overtake each other.
      if (!person || pointer.number <= person.number) continue;
      person.number = pointer.number;
      person.heard = performance.now();
      this.#show(pointer.who, pointer.x, pointer.y);
    }
  }

  async #hearMessages() {
    for await (const stream of read(this.#transport.incomingUnidirectionalStreams)) {
      // Side by side: one that never ends holds up nobody.
      readAll(stream).then((octets) => {
        const message = octets && readMessage(octets);
        if (message && message.who !== this.#me) this.#onMessage(message);
      }).catch(() => {});
    }
  }

  /** @param {import('./protocol.js').Message} message */
  #onMessage(message) {
    const { who } = message;
    if (message.type === 'hello') {
      const known = this.#people.has(who);
      if (!this.#person(who, message.name)) return;
      if (!known) note(`${message.name} is here.`);
      if (message.reply) this.#hello(false);
    } else if (message.type === 'bye') {
      this.#gone(who);
    } else if (this.#people.has(who)) {
      this.#line(who, message.text);
    }
  }

  // ---- What is shown ----

  /**
   * @param {string} who
   * @param {string} name
   * @returns {boolean}  false: there are too many
   */
  #person(who, name) {
    const person = this.#people.get(who);
    if (person) {
      person.heard = performance.now();
      return true;
    }
    if (this.#people.size >= PEOPLE_MAX) return false;
    const own = who === this.#me;
    const item = make('li', own ? `${name} (you)` : name, hueOf(who));
    item.append(' ', make('span', '', 'place'));
    $('people').append(item);
    const pointer = make('div', '', 'pointer', hueOf(who), ...(own ? ['own'] : []));
    pointer.append(make('span', name));
    pointer.setAttribute('aria-hidden', 'true');
    $('board').append(pointer);
    this.#people.set(who, { name, x: 0.5, y: 0.5, number: -1, heard: performance.now(), pointer, item });
    this.#show(who, 0.5, 0.5);
    this.#showPlaces();
    return true;
  }

  /**
   * @param {string} who
   * @param {number} x
   * @param {number} y
   */
  #show(who, x, y) {
    const person = this.#people.get(who);
    if (!person?.pointer) return;
    person.x = x;
    person.y = y;
    person.pointer.style.setProperty('--x', String(x * 100));
    person.pointer.style.setProperty('--y', String(y * 100));
    person.pointer.classList.toggle('right', x > 0.8);
    person.pointer.classList.toggle('low', y > 0.85);
  }

  #showPlaces() {
    for (const { item, x, y } of this.#people.values()) {
      const words = item?.querySelector('.place');
      if (words && words.textContent !== place(x, y)) words.textContent = place(x, y);
    }
  }

  #forget() {
    if (this.#transport.state !== 'connected') return;
    for (const [who, { heard }] of this.#people) {
      if (who !== this.#me && performance.now() - heard > GONE_MS) this.#gone(who);
    }
  }

  /** @param {string} who */
  #gone(who) {
    const person = this.#people.get(who);
    if (!person || who === this.#me) return;
    person.pointer?.remove();
    person.item?.remove();
    this.#people.delete(who);
    note(`${person.name} has gone.`);
  }

  /**
   * @param {string} who
   * @param {string} text
   */
  #line(who, text) {
    const line = make('p', '');
    line.append(make('b', this.#people.get(who)?.name ?? '?', hueOf(who)), ': ', text);
    append(line);
  }

  /** @param {{state: string, error: Error | null, retryIn?: number}} change */
  #onState({ state, error, retryIn }) {
    if (state === 'connected') {
      showState('connected', `In “${this.#room}”.`);
      trouble('');
      enter(this.#room);
      for (const person of this.#people.values()) person.heard = performance.now();
      this.#hello(true);
    } else if (state === 'closed') {
      this.#close();
      showState(error ? 'failed' : 'none', error ? 'No connection.' : 'Not connected.');
      leave();
      if (error) trouble(error.message, /** @type {any} */ (error).code);
    } else {
      const seconds = Math.max(1, Math.round((retryIn ?? 0) / 1000));
      showState(state, state === 'connecting' ? 'Connecting…' : 'Connecting again…');
      if (error && retryIn !== undefined) {
        trouble(`${error.message} It is tried again in ${seconds} second${seconds === 1 ? '' : 's'}.`);
      }
    }
  }

  /** The page's address for others. */
  get invitation() {
    const url = new URL(location.href);
    url.hash = `room=${encodeURIComponent(this.#room)}&link=${encodeURIComponent(this.#transport.link)}`;
    return url.href;
  }

  #close() {
    this.#over.abort();
    clearTimeout(this.#soon);
    for (const { pointer, item } of this.#people.values()) {
      pointer?.remove();
      item?.remove();
    }
    this.#people.clear();
  }

  async leave() {
    const bye = this.#transport.session ? this.#say({ type: 'bye', who: this.#me }) : null;
    // It has its own way to the others, but not for ever.
    await Promise.race([bye?.catch(() => {}), new Promise((resolve) => { setTimeout(resolve, 500); })]);
    this.#transport.close();
  }
}

/**
 * @template T
 * @param {ReadableStream<T>} stream
 * @returns {AsyncGenerator<T, void>}
 */
async function* read(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    yield value;
  }
}

// ---- The page ----

/** @type {Visit | null} */
let visit = null;

/**
 * @param {string} tag
 * @param {string} text
 * @param {...string} classes
 */
function make(tag, text, ...classes) {
  const element = document.createElement(tag);
  element.textContent = text;
  element.classList.add(...classes);
  return element;
}

/** @param {HTMLElement} line */
function append(line) {
  const log = $('log');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(line);
  while (log.childElementCount > LINES_MAX) log.firstElementChild?.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** @param {string} text */
const note = (text) => append(make('p', text, 'note'));

/**
 * @param {string} state
 * @param {string} text
 */
function showState(state, text) {
  $('state').dataset.state = state;
  if ($('state').textContent !== text) $('state').textContent = text;
}

/**
 * @param {string} text
 * @param {string} [code]  of a FortnightError
 */
function trouble(text, code) {
  const bad = code === 'bad-link' || code === 'link-too-old';
  $('trouble').hidden = !text;
  $('trouble').textContent = text;
  if (bad) $('link').setAttribute('aria-invalid', 'true');
  else $('link').removeAttribute('aria-invalid');
  if (bad) $input('link').focus();
}

/** @param {string} room */
function enter(room) {
  document.title = `${room} · Room`;
  $('title').textContent = `Room “${room}”`;
  if (!$('door').hidden) {
    $('door').hidden = true;
    $('inside').hidden = $('invite').hidden = false;
    $('log').textContent = '';
    $input('text').focus();
  }
}

function leave() {
  visit = null;
  document.title = 'Room';
  $('title').textContent = 'Room';
  const was = !$('inside').hidden;
  $('inside').hidden = $('actions').hidden = true;
  $('door').hidden = false;
  get('door', HTMLFormElement).inert = false;
  if (was) $input('link').focus();
}

$('door').addEventListener('submit', (event) => {
  event.preventDefault();
  if (visit) return;
  const name = plain($input('name').value, NAME_MAX) || 'Somebody';
  const room = plain($input('room').value, 40) || 'lobby';
  trouble('');
  showState('connecting', 'Connecting…');
  get('door', HTMLFormElement).inert = true;
  $('actions').hidden = false;
  $('invite').hidden = true;
  visit = new Visit($input('link').value, room, name);
});

$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  visit?.chat($input('text').value);
  $input('text').value = '';
});

$('leave').addEventListener('click', () => visit?.leave());

$('invite').addEventListener('click', async () => {
  if (!visit) return;
  try {
    await navigator.clipboard.writeText(visit.invitation);
    note('The invitation is in the clipboard: whoever opens it comes here.');
  } catch {
    note(`The browser does not give the clipboard. The invitation: ${visit.invitation}`);
  }
});

const asked = new URLSearchParams(location.hash.slice(1));
$input('link').value = asked.get('link') ?? '';
$input('room').value = asked.get('room') ?? 'lobby';
$input(asked.has('link') ? 'name' : 'link').focus();
document.documentElement.dataset.ready = 'true';
