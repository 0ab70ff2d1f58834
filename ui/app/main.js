// SPDX-License-Identifier: Apache-2.0
/** The page: the form, the state and the problem; the rest in its views. */
import { CertificatesView } from './certificates_view.js';
import { ConnectView } from './connect_view.js';
import { byId, element } from './dom.js';
import { logLine, plain } from './formats.js';
import { Fortnight } from './fortnight.js';
import { LogView } from './log_view.js';
import { explain } from './messages.js';
import { DEFAULTS, defaultHosts, hints, parseFields } from './options.js';
import { SessionsView } from './sessions_view.js';

/**
 * @typedef {import('../server/types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('../server/types.d.ts').ApplianceOptions} ApplianceOptions
 */

const FIELDS = /** @type {const} */ (['address', 'port', 'hosts', 'profile', 'mirror', 'publish']);
const STATES = Object.freeze({
  stopped: { says: 'Stopped', button: 'Start', does: 'start', busy: false },
  starting: { says: 'Starting', button: 'Stop', does: 'stop', busy: false },
  serving: { says: 'Serving', button: 'Stop', does: 'stop', busy: false },
  stopping: { says: 'Stopping', button: 'Stop', does: 'stop', busy: true },
});

const fortnight = new Fortnight();
const connect = new ConnectView();
const sessions = new SessionsView();
const log = new LogView();
const certificates = new CertificatesView(fortnight, (level, text) => log.add(level, text));

const form = byId('form', HTMLFormElement);
const fields = byId('fields', HTMLFieldSetElement);
const toggle = byId('toggle', HTMLButtonElement);
const problem = byId('problem', HTMLElement);
const problemAction = byId('problem-action', HTMLButtonElement);
const profile = byId('profile', HTMLSelectElement);
/** @param {typeof FIELDS[number]} name */
const input = (name) => (name === 'profile' ? profile : byId(name, HTMLInputElement));

/** @type {ApplianceOptions|undefined} */
let actionOptions;

function parse() {
  return parseFields({
    address: input('address').value, port: input('port').value, hosts: input('hosts').value,
    profile: profile.value, mirror: input('mirror').value, publish: input('publish').value,
  });
}

/**
 * Writes below each field what its value means, or why it will not do.
 * @param {Partial<Record<typeof FIELDS[number], string>>} [refused]
 */
function drawFields(refused = {}) {
  const parsed = parse();
  const meanings = hints(parsed);
  byId('hosts', HTMLInputElement).placeholder = parsed.errors.address === undefined
    ? defaultHosts(parsed.options.address).join(', ') : '';
  for (const name of FIELDS) {
    const wrong = refused[name] ?? parsed.errors[name];
    const hint = byId(`${name}-hint`, HTMLElement);
    hint.textContent = wrong ?? meanings[name];
    hint.classList.toggle('wrong', wrong !== undefined);
    input(name).setAttribute('aria-invalid', String(wrong !== undefined));
  }
  return parsed;
}

/** @param {ApplianceOptions} options */
function fillFields({ address = DEFAULTS.address, port = DEFAULTS.port, hosts = [], ...more }) {
  input('address').value = address;
  input('port').value = String(port);
  input('hosts').value = hosts.join(', ');
  input('mirror').value = more.mirror ?? '';
  input('publish').value = more.publish ?? '';
  const own = more.profile ?? '';
  if (![...profile.options].some(({ value }) => value === own)) profile.add(new Option(own, own));
  profile.value = own;
  drawFields();
}

function drawState() {
  const { says, button, does, busy } = STATES[fortnight.state];
  byId('state', HTMLElement).dataset.state = fortnight.state;
  byId('state-text', HTMLElement).textContent = says;
  toggle.textContent = button;
  toggle.dataset.does = does;
  // Not |disabled|, which would take the focus away from the keyboard.
  toggle.ariaDisabled = String(busy);
  fields.disabled = fortnight.state !== 'stopped';
  connect.wait(fortnight.state === 'starting' ? 'Starting; if Chromium asks, allow the network'
    : 'Press Start to serve');
}

/** @param {boolean} kept whether the identity and the certificates outlive the run */
function drawKept(kept) {
  const text = byId('kept', HTMLElement);
  text.textContent = kept ? 'signs the hashes; stays the same'
    : 'signs the hashes; nothing is kept beyond this run';
  text.classList.toggle('warn', !kept);
}

/** @param {import('./messages.js').Message|undefined} message */
function showProblem(message) {
  problem.hidden = message === undefined;
  if (!message) return;
  byId('problem-title', HTMLElement).textContent = message.title;
  byId('problem-ways', HTMLElement)
    .replaceChildren(...message.ways.map((way) => element('li', {}, way)));
  actionOptions = message.action?.options;
  problemAction.hidden = message.action === undefined;
  problemAction.textContent = message.action?.label ?? '';
  if (message.fields) drawFields(message.fields);
}

/** @param {Extract<ApplianceEvent, {type: 'error'}>} event */
async function explainError({ code, text }) {
  const { options } = fortnight;
  // The appliance's own text speaks to a terminal.
  const { title } = explain(code, text, options);
  log.add('error', ['internal', 'bad-option'].includes(code) ? `${title}: ${plain(text, 2000)}` : title);
  /** @type {import('./messages.js').Permissions} */
  const permissions = {};
  if (code === 'permission-denied') {
    for (const name of /** @type {const} */ (['local-network', 'loopback-network'])) {
      try {
        const query = { name: /** @type {PermissionName} */ (/** @type {unknown} */ (name)) };
        permissions[name] = (await navigator.permissions.query(query)).state;
      } catch {
        // A browser that does not know the name has nothing to tell.
      }
    }
  }
  showProblem(explain(code, text, options, permissions));
}

/* What changes how the certificates are. */
const CHANGES = new Set(['ready', 'certificates', 'state', 'journal']);

/** @param {ApplianceEvent[]} events */
function receive(events) {
  if (events.some(({ type }) => CHANGES.has(type))) certificates.refresh();
  for (const event of events) {
    const line = logLine(event);
    if (line) log.add(line.level, line.text);
    switch (event.type) {
      case 'ready':
        drawKept(!event.ephemeral);
        connect.show(event);
        break;
      case 'certificates':
        connect.show(event);
        break;
      case 'ephemeral':
        drawKept(false);
        break;
      case 'session-opened':
        sessions.add(event);
        break;
      case 'session-closed':
        sessions.remove(event.session);
        break;
      case 'error':
        explainError(event);
        break;
    }
  }
}

/** The browser may clear what it has not promised to keep, when room is short. */
async function askToKeep() {
  try {
    if (await navigator.storage.persist()) return;
  } catch {
    // It has no such promise to give.
  }
  log.add('warning', 'The browser may clear the certificates and the identity if room is short');
}

/** @param {ApplianceOptions} [options] */
async function start(options = {}) {
  if (fortnight.state === 'stopped') {
    showProblem(undefined);
    fillFields(options);
    if (!options.ephemeral) askToKeep();
  }
  return fortnight.start(options);
}

fortnight.addEventListener('state', () => {
  drawState();
  if (fortnight.state === 'starting') certificates.refresh();
  if (fortnight.state !== 'stopped') return;
  log.add('info', 'Stopped');
  drawKept(true);
  connect.show(undefined);
  certificates.clear();
  sessions.clear();
});
fortnight.addEventListener('events', (event) => {
  receive(/** @type {CustomEvent<ApplianceEvent[]>} */ (event).detail);
});

form.addEventListener('input', () => drawFields());
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (toggle.dataset.does === 'stop') {
    fortnight.stop();
    return;
  }
  showProblem(undefined);
  const { options, errors } = drawFields();
  const wrong = FIELDS.find((name) => errors[name] !== undefined);
  if (wrong) {
    byId('more', HTMLDetailsElement).open ||= input(wrong).closest('details') !== null;
    input(wrong).focus();
    return;
  }
  // A failure comes as an 'error' event too, and is shown from there.
  start(options).catch(() => {});
});
problemAction.addEventListener('click', () => {
  const { options } = parse();
  toggle.focus();
  start({ ...options, ...actionOptions }).catch(() => {});
});
drawFields();
drawState();
if (!('UDPSocket' in globalThis)) showProblem(explain('no-direct-sockets', '', {}));

/** For DevTools and for scripts: the same as the page's own controls. */
Object.defineProperty(globalThis, 'fortnight', {
  enumerable: true,
  value: Object.freeze({
    start,
    stop: () => fortnight.stop(),
    rotate: (/** @type {{force?: boolean}} */ options) => fortnight.rotate(options),
    command: (/** @type {import('../server/types.d.ts').Command} */ command) => fortnight.command(command),
    status: () => fortnight.status(),
    /** Gets each batch of events. */
    listen: (/** @type {(events: ApplianceEvent[]) => void} */ listener) => {
      fortnight.addEventListener('events', (event) => {
        listener(/** @type {CustomEvent<ApplianceEvent[]>} */ (event).detail);
      });
    },
  }),
});
