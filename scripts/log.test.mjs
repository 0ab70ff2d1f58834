// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logLine } from './log.mjs';

/** @param {any} event */
const text = (event, level = 'info') => logLine(event, { level, json: false }, 7);
/** @param {any} event */
const json = (event, level = 'info') => logLine(event, { level, json: true }, 7);

const opened = { type: 'session-opened', session: 3, peer: '[::1]:9', path: '/e\n', origin: 'https://o\u202e' };

test('lines for a person', () => {
  assert.equal(text({ type: 'log', level: 'warning', text: 'a\u001bb' }), 'warning: a?b');
  assert.equal(text(opened), 'info: session 3 opened by [::1]:9 on /e? from https://o?');
  assert.equal(text({ type: 'session-closed', session: 3, by: 'client', code: 9, reason: '\u009b31m\ud800' }),
    'info: session 3 closed by the client: code 9, "?31m?"');
  assert.equal(text({ type: 'session-closed', session: 3, by: 'server', code: 0, reason: '' }),
    'info: session 3 closed by the server: code 0');
  assert.equal(text({ type: 'certificates', seq: 7, hashes: [{ use: 'active', hex: '0123456789' }] }),
    'info: published 7: active 01234567…');
  assert.equal(text({ type: 'certificates', hashes: [] }), 'info: withdrawn: there is no certificate to connect with');
  assert.equal(text({ type: 'state', state: 'HEALTHY' }), undefined);
  assert.equal(text({ type: 'state', state: 'HEALTHY' }, 'debug'), 'debug: {"type":"state","state":"HEALTHY"}');
});

test('lines for a program', () => {
  const line = json(opened) ?? '';
  assert.match(line, /^[ -~]+$/);
  assert.deepEqual(JSON.parse(line), { time: 7, level: 'info', ...opened });
  // A journal's line has its own.
  assert.equal(JSON.parse(json({ type: 'journal', time: 5, event: 'x' }, 'debug') ?? '').time, 5);
});

test('levels', () => {
  const log = (/** @type {string} */ level) => ({ type: 'log', level, text: 'x' });
  assert.equal(text(log('info'), 'warning'), undefined);
  assert.equal(text(log('warning'), 'warning'), 'warning: x');
  assert.equal(text(log('error'), 'error'), 'error: x');
  assert.equal(json(log('warning'), 'error'), undefined);
  // One that this version does not know is not lost.
  assert.equal(text(log('notice')), 'info: x');
});
