// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT_CODES } from '../server/exit_codes.js';
import { beforePrompt, explain, notPersistent, otherWindow, wrongClock } from './messages.js';

test('every error has a title and a way out', () => {
  for (const code of [...Object.keys(EXIT_CODES), 'no-direct-sockets', 'unheard-of']) {
    const { title, ways } = explain(code, 'the reason', { address: '10.0.0.1', port: 5000 });
    assert.ok(title.length > 10, code);
    assert.ok(ways.length > 0 && ways.every((way) => /\.$/.test(way)), code);
  }
});

test('a denied permission names what is missing, and only that', () => {
  const ways = (/** @type {import('./messages.js').Permissions} */ permissions) =>
    explain('permission-denied', '', {}, permissions).ways.join(' ');
  assert.match(ways({ 'local-network': 'granted', 'loopback-network': 'denied' }), /Allow other apps and services on this device\./);
  assert.match(ways({ 'local-network': 'granted', 'loopback-network': 'prompt' }), /press “Allow” when Chromium asks for other/);
  assert.match(ways({ 'local-network': 'denied', 'loopback-network': 'prompt' }), /Allow the local network and other apps/);
  assert.match(ways({}), /Allow the local network and other apps/);
});

test('a port below 1024 is no matter of permissions', () => {
  assert.match(explain('permission-denied', '', { port: 80 }).title, /Port 80/);
  assert.match(explain('permission-denied', '', { port: 0 }).title, /network/);
});

test('a busy port can be left by a button', () => {
  const { title, actions, fields } = explain('port-busy', '', { port: 5000 });
  assert.match(title, /5000/);
  assert.deepEqual(actions[0].options, { port: 0 });
  assert.ok(fields?.port);
});

test('a fault tells its reason', () => {
  assert.ok(explain('internal', 'unreachable', {}).ways.includes('unreachable.'));
  assert.ok(explain('bad-option', '', {}).ways.includes('No reason was given.'));
});

test('before Chromium asks it is told what for, and how often', () => {
  const both = beforePrompt({ 'local-network': 'prompt', 'loopback-network': 'prompt' }, false);
  assert.match(both.title, /will ask/);
  assert.match(both.ways[0], /local network and other apps.*each time/);
  assert.deepEqual(both.actions.map(({ does }) => does), ['continue', 'dismiss']);
  const one = beforePrompt({ 'local-network': 'granted', 'loopback-network': 'prompt' }, true);
  assert.doesNotMatch(one.ways[0], /local network|each time/);
  assert.deepEqual(one.actions, []);
});

test('a clock that is wrong is named', () => {
  assert.match(wrongClock(new Date(2001, 0, 2, 3, 4)).ways[0], /2 January 2001/);
});

test('the other window: what it does, and what to do', () => {
  assert.match(otherWindow({ serving: true, url: 'https://a:1/echo' }).ways[0], /https:\/\/a:1\/echo/);
  assert.match(otherWindow({ serving: true }).ways.join(' '), /sessions are closed/);
  assert.doesNotMatch(otherWindow(undefined).ways.join(' '), /sessions are closed/);
  assert.match(otherWindow(undefined, 'unanswered').title, /does not answer/);
});

test('what may be deleted can be exported', () => {
  assert.equal(notPersistent().actions[0].does, 'export');
});
