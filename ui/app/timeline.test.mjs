// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSentences, picture } from './timeline.js';

const DAY = 86400;
const NOW = new Date(2026, 10, 22, 15, 0, 0).getTime() / 1000;

/**
 * @param {number} active when it is served
 * @param {Partial<import('../server/types.d.ts').Slot>} [more]
 * @returns {import('../server/types.d.ts').Slot}
 */
const slotOf = (active, more = {}) => ({ id: 1, state: 'ACTIVE', hex: 'ab', serving: true, parked: false,
  not_before: active - 7 * DAY, standby_from: active - 6 * DAY, active_from: active, active_until: active + 6 * DAY,
  guard_from: active + 6 * DAY, not_after: active + 7 * DAY, ...more });

const ACTIVE = slotOf(NOW);
const STANDBY = slotOf(NOW + 6 * DAY);

/** @param {number} n */
const round = (n) => Math.round(n * 1000) / 1000;

test('both lives lie on one line, in their parts', () => {
  const drawn = picture({ active: ACTIVE, standby: STANDBY }, NOW);
  assert.ok(drawn);
  const parts = drawn.rows.map(({ use, parts }) => [use, parts.map(({ phase, from, to }) =>
    [phase, round(from * 20), round(to * 20)])]);
  assert.deepEqual(parts, [
    ['active', [['backdate', 0, 1], ['standby', 1, 7], ['active', 7, 13], ['guard', 13, 14]]],
    ['standby', [['backdate', 6, 7], ['standby', 7, 13], ['active', 13, 19], ['guard', 19, 20]]],
  ]);
  assert.equal(round(drawn.now * 20), 7);
  assert.equal(round((drawn.swap ?? 0) * 20), 13);
});

test('there are a few labelled days, in order', () => {
  const ticks = picture({ active: ACTIVE, standby: STANDBY }, NOW)?.ticks ?? [];
  assert.ok(ticks.length >= 3 && ticks.length <= 6, String(ticks.length));
  assert.match(ticks[0].label, /^\d+ Nov$/);
  for (let i = 1; i < ticks.length; i++) assert.ok(ticks[i].at > ticks[i - 1].at);
  // A life of an hour has times of day.
  const short = slotOf(NOW, { not_before: NOW - 1800, standby_from: NOW - 1800, active_until: NOW + 1000,
    not_after: NOW + 1800 });
  assert.match(picture({ active: short }, NOW)?.ticks[0]?.label ?? '', /^\d\d:\d\d$/);
});

test('nothing to draw, a part of no length, and times that cannot be', () => {
  assert.equal(picture({ active: undefined }, NOW), undefined);
  const cold = picture({ active: slotOf(NOW, { not_before: NOW - 3600, standby_from: NOW }) }, NOW);
  assert.deepEqual(cold?.rows[0].parts.map(({ phase }) => phase), ['backdate', 'active', 'guard']);
  assert.equal(cold?.swap, undefined);
  for (const now of [0, NOW + 1000 * DAY]) {
    const odd = picture({ active: slotOf(NOW, { active_until: 0, standby_from: 1e12 }), standby: STANDBY }, now);
    assert.ok(odd);
    for (const { from, to } of odd.rows.flatMap(({ parts }) => parts)) {
      assert.ok(from >= 0 && to <= 1 && from < to, `${from} ${to}`);
    }
    assert.ok(odd.now >= 0 && odd.now <= 1);
    assert.ok(odd.ticks.length < 1000);
  }
});

test('the same in words', () => {
  const words = inSentences({ active: ACTIVE, standby: STANDBY });
  assert.match(words, /^The active certificate is valid from Sun 15 Nov, 15:00 to Sun 29 Nov, 15:00, and is served from/);
  assert.match(words, /The standby certificate .* will be served from Sat 28 Nov, 15:00/);
  assert.equal(inSentences({}), 'There are no certificates.');
});
