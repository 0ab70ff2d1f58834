// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sessions } from './sessions.js';

/** @param {number} session */
const sessionOf = (session, more = {}) => ({ session, peer: '::1:5', path: '/echo', origin: '', ...more });

test('they come, have figures, and go', () => {
  const sessions = new Sessions();
  sessions.open(sessionOf(1), 1000);
  sessions.open(sessionOf(2), 2000);
  sessions.update([sessionOf(1, { rtt_us: 300, age_s: 2 }), sessionOf(9)], 3500);
  const [one, two] = sessions.first(10);
  assert.equal(one.session.rtt_us, 300);
  // It was opened before it was told of, but never seems to grow younger.
  assert.equal(one.since, 1000);
  sessions.update([sessionOf(1, { age_s: 5 })], 3500);
  assert.equal(sessions.first(1)[0].since, -1500);
  assert.equal(two.since, 2000);
  assert.equal(sessions.size, 2);
  sessions.close(1);
  assert.deepEqual(sessions.first(10).map(({ session }) => session.session), [2]);
  sessions.clear();
  assert.equal(sessions.size, 0);
});
