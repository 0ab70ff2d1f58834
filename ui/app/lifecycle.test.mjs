// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activeOf, health, inWords, moment, span, standbyOf } from './lifecycle.js';

const NOW = new Date(2026, 10, 22, 15, 0, 0);
const SECONDS = NOW.getTime() / 1000;
const DAY = 86400;

/**
 * @param {Partial<import('../server/types.d.ts').Slot>} slot
 * @returns {import('../server/types.d.ts').Slot}
 */
const slotOf = (slot) => ({ id: 1, state: 'ACTIVE', hex: '', serving: true, parked: false,
  not_before: SECONDS - 7 * DAY, standby_from: SECONDS - 6 * DAY, active_from: SECONDS, active_until: SECONDS + 6 * DAY,
  guard_from: SECONDS + 6 * DAY, not_after: SECONDS + 7 * DAY, ...slot });

const STANDBY = slotOf({ id: 2, state: 'READY', serving: false, not_before: SECONDS - DAY,
  active_from: SECONDS + 6 * DAY, active_until: SECONDS + 12 * DAY, not_after: SECONDS + 13 * DAY });

/**
 * @param {Partial<import('../server/types.d.ts').Certificates>} certificates
 * @returns {import('../server/types.d.ts').Certificates}
 */
const certificatesOf = (certificates) => ({ state: 'HEALTHY', problem: '', identity: '', epoch: 1, seq: 1,
  now: SECONDS, durable: true, without_standby: 0, counters: {},
  until: { rotation: 6 * DAY, expiry: 7 * DAY }, slots: [slotOf({}), STANDBY], ...certificates });

test('all is well, and what comes next', () => {
  const { mood, title, text } = health(certificatesOf({}), NOW);
  assert.deepEqual([mood, title], ['good', 'All is well']);
  assert.equal(text, `Next swap in 6 days, on ${moment(new Date(2026, 10, 28, 15))}.`);
  assert.match(text, /Sat 28 Nov, 15:00\.$/);
});

test('every state has words', () => {
  for (const [state, mood, words] of /** @type {const} */ ([
    ['WAITING_FOR_TIME', 'busy', /clock.*22 November 2026/],
    ['BOOTSTRAP', 'busy', /first certificate.*next try is in 2 minutes/],
    ['EXPIRED', 'bad', /Nobody can connect.*next try is in 2 minutes/],
    ['GUARD', 'bad', /ends in 7 days.*next try/],
    ['STORE_FAILED', 'bad', /goes on.*next try/],
    ['CLOCK_SUSPECT', 'busy', /clock has jumped/],
    ['NO_STANDBY', 'busy', /no standby.*next try/],
  ])) {
    const told = health(certificatesOf({ state, slots: [slotOf({})], until: { retry: 120, expiry: 7 * DAY } }), NOW);
    assert.equal(told.mood, mood, state);
    assert.match(`${told.title}. ${told.text}`, words, state);
  }
  assert.equal(health(undefined).mood, 'off');
});

test('a standby that is not ready yet is no reason for alarm', () => {
  const told = health(certificatesOf({ state: 'NO_STANDBY', slots: [slotOf({}), { ...STANDBY, state: 'PUBLISHED' }],
    until: { standby_ready: 590, rotation: 6 * DAY } }), NOW);
  assert.equal(told.mood, 'good');
  assert.match(told.text, /^It is ready in 10 minutes\. Next swap in 6 days/);
});

test('active and standby are found, whoever else is there', () => {
  const retired = slotOf({ id: 3, state: 'RETIRED', serving: false });
  const certificates = certificatesOf({ slots: [slotOf({}), STANDBY, retired] });
  assert.equal(activeOf(certificates)?.id, 1);
  assert.equal(standbyOf(certificates)?.id, 2);
  assert.equal(activeOf(certificatesOf({ slots: [retired] })), undefined);
  assert.equal(standbyOf(certificatesOf({ slots: [retired] })), undefined);
});

test('from when to when', () => {
  assert.equal(span(slotOf({}), 'active'), 'served since Sun 22 Nov, 15:00, until Sat 28 Nov, 15:00');
  assert.equal(span(STANDBY, 'standby'), 'takes over on Sat 28 Nov, 15:00, until Fri 4 Dec, 15:00');
  assert.equal(span({ ...STANDBY, state: 'PERSISTED' }, 'standby'), 'is being made');
  assert.equal(span(undefined, 'active'), 'served now');
});

test('inWords', () => {
  for (const [seconds, text] of /** @type {const} */ ([
    [-5, 'now'], [0, 'now'], [1, 'in a moment'], [45, 'in a minute'], [89, 'in a minute'], [90, 'in 2 minutes'], [3599, 'in 60 minutes'],
    [5400, 'in 2 hours'], [34 * 3600, 'in 34 hours'], [36 * 3600, 'in 2 days'], [6 * DAY, 'in 6 days']])) {
    assert.equal(inWords(seconds), text, String(seconds));
  }
});
