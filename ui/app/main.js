// SPDX-License-Identifier: Apache-2.0
/** Puts the page together. */
import './style.css';
import './form.css';
import './screen.css';
import './connect.css';
import './certificates.css';
import './dialog.css';
import './lists.css';
// What depends on the window's width has the last word.
import './layout.css';
import { ask, unask } from './ask.js';
import { openBackup } from './backup_view.js';
import { perFrame } from './dom.js';
import { Fortnight } from './fortnight.js';
import { FEATURES, explain } from './messages.js';
import { Model } from './model.js';
import { Owner } from './owner.js';
import { drawPage } from './page.js';

/**
 * @typedef {import('../server/types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('../server/types.d.ts').ApplianceOptions} ApplianceOptions
 */

const fortnight = new Fortnight();
const model = new Model({
  fortnight, ask, owner: new Owner(), storage: globalThis.localStorage, isVisible: () => !document.hidden });

const draw = () => drawPage(model);
model.addEventListener('change', perFrame(draw));
model.addEventListener('change-now', draw);
model.addEventListener('stopped', unask);
model.addEventListener('export', () => openBackup(model, 'export'));
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && model.state !== 'stopped') model.refresh();
});
if (!('UDPSocket' in globalThis)) model.screen = explain('no-direct-sockets', '', {});
draw();
// Once the page is there to be seen.
if (!model.screen) requestIdleCallback(() => fortnight.prepare(), { timeout: 1000 });

/* What Chromium would say, known before it matters. */
for (const name of /** @type {(keyof typeof FEATURES)[]} */ (Object.keys(FEATURES))) {
  const query = { name: /** @type {PermissionName} */ (/** @type {unknown} */ (name)) };
  navigator.permissions.query(query).then((status) => {
    const take = () => {
      model.permissions = { ...model.permissions, [name]: status.state };
    };
    status.addEventListener('change', take);
    take();
  }, () => {
    // A browser that does not know the name has nothing to tell.
  });
}

/** For DevTools and for scripts: the same as the page's own controls. */
Object.defineProperty(globalThis, 'fortnight', {
  enumerable: true,
  value: Object.freeze({
    start: (/** @type {ApplianceOptions} */ options) => model.start(options),
    stop: () => model.stop(),
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
