// SPDX-License-Identifier: Apache-2.0
/** With real locks and a real channel: Node has both. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Owner } from './owner.js';

/**
 * @param {import('node:test').TestContext} t
 * @param {object} [init]
 */
function windows(t, init = {}) {
  const name = randomUUID();
  return () => {
    // Nothing here waits for the grace to pass, unless it says so.
    const owner = new Owner({ name, graceMs: 3_600_000, ...init });
    t.after(() => owner.close());
    return owner;
  };
}

/**
 * @param {Owner} owner
 * @param {(owner: Owner) => boolean} when
 */
const until = (owner, when) => /** @type {Promise<void>} */ (new Promise((resolve) => {
  const look = () => {
    if (!when(owner)) return;
    owner.removeEventListener('change', look);
    resolve();
  };
  owner.addEventListener('change', look);
  look();
}));

const owns = (/** @type {Owner} */ owner) => until(owner, ({ role }) => role === 'owner');
const isOther = (/** @type {Owner} */ owner) => until(owner, ({ role }) => role === 'other');

/** @param {Owner} owner gives way whenever it is asked */
function obliging(owner) {
  owner.addEventListener('asked', () => owner.giveWay());
  return owner;
}

test('the first window owns, the second learns what it does', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = open();
  assert.equal(first.role, 'asking');
  first.tell({ serving: false });
  await owns(first);
  assert.equal(first.inherited, undefined);
  const second = open();
  await isOther(second);
  assert.deepEqual(second.told, { serving: false });
  first.tell({ serving: true, url: 'https://a' });
  await until(second, ({ told }) => /** @type {any} */ (told).serving);
  assert.deepEqual(second.told, { serving: true, url: 'https://a' });
  assert.equal(first.role, 'owner');
  assert.equal(first.told, undefined);
});

test('the next in line takes over when the owner closes', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = open();
  first.tell({ serving: true, options: { port: 7 } });
  await owns(first);
  const second = open();
  await isOther(second);
  const third = open();
  await isOther(third);
  first.close();
  await owns(second);
  assert.equal(first.role, 'other');
  assert.deepEqual(second.inherited, { serving: true, options: { port: 7 } });
  assert.equal(second.told, undefined);
  second.tell('second');
  await until(third, ({ told }) => told === 'second');
  second.close();
  await owns(third);
  assert.equal(third.inherited, 'second');
});

test('who asks for the place gets it, not who is first in line', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = obliging(open());
  await owns(first);
  const second = obliging(open());
  await isOther(second);
  const third = obliging(open());
  await isOther(third);
  assert.equal(await third.takeOver(), true);
  assert.equal(third.role, 'owner');
  await isOther(first);
  await isOther(second);
  assert.equal(await third.takeOver(), true);
  // And back.
  assert.equal(await first.takeOver(), true);
  await isOther(third);
});

test('who has asked and is gone does not keep the place empty', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = open();
  await owns(first);
  const second = open();
  await isOther(second);
  const third = open();
  await isOther(third);
  const asked = new Promise((resolve) => { first.addEventListener('asked', resolve, { once: true }); });
  const taken = third.takeOver();
  await asked;
  third.close();
  assert.equal(await taken, false);
  first.giveWay();
  await Promise.race([owns(first), owns(second)]);
});

test('an owner that does not give way stays the owner', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = open();
  await owns(first);
  const second = open();
  await isOther(second);
  assert.equal(await second.takeOver(20), false);
  assert.equal(first.role, 'owner');
  assert.equal(second.role, 'other');
  // It was asked, and may still do so.
  first.giveWay();
  await owns(second);
});

test('an owner that gives way to nobody is the owner again', { timeout: 10_000 }, async (t) => {
  const open = windows(t);
  const first = open();
  await owns(first);
  first.giveWay();
  assert.notEqual(first.role, 'owner');
  await owns(first);
});

test('an owner that answers nobody, as a frozen one, is one all the same', { timeout: 10_000 }, async (t) => {
  const name = randomUUID();
  /** @type {() => void} */
  let release = () => {};
  const frozen = navigator.locks.request(name, () =>
    /** @type {Promise<void>} */ (new Promise((resolve) => { release = resolve; })));
  const owner = new Owner({ name, graceMs: 1 });
  t.after(() => owner.close());
  await isOther(owner);
  assert.equal(owner.told, undefined);
  release();
  await frozen;
  await owns(owner);
});

test('a lock that was stolen is waited for again', { timeout: 10_000 }, async (t) => {
  const name = randomUUID();
  const owner = new Owner({ name, graceMs: 3_600_000 });
  t.after(() => owner.close());
  await owns(owner);
  /** @type {() => void} */
  let release = () => {};
  const thief = navigator.locks.request(name, { steal: true }, () =>
    /** @type {Promise<void>} */ (new Promise((resolve) => { release = resolve; })));
  await until(owner, ({ role }) => role !== 'owner');
  release();
  await thief;
  await owns(owner);
});

test('without locks every window is an owner', { timeout: 10_000 }, async (t) => {
  const open = windows(t, { locks: null });
  await owns(open());
  await owns(open());
  const broken = /** @type {LockManager} */ (/** @type {unknown} */ ({
    request: () => Promise.reject(new DOMException('no', 'SecurityError')),
  }));
  const owner = new Owner({ locks: broken, name: randomUUID() });
  t.after(() => owner.close());
  await owns(owner);
});

test('a lock that was faster than the question: the next owner is asked too', { timeout: 10_000 }, async (t) => {
  const name = randomUUID();
  const channel = new BroadcastChannel(name);
  t.after(() => channel.close());
  /** @type {(id: string) => void} */
  let asked = () => {};
  const ask = () => new Promise((/** @type {(id: string) => void} */ resolve) => { asked = resolve; });
  channel.onmessage = (event) => {
    const { data } = /** @type {MessageEvent} */ (event);
    if (data.type === 'ask') asked(data.id);
  };
  /** @type {() => void} */
  let release = () => {};
  const others = navigator.locks.request(name, () =>
    /** @type {Promise<void>} */ (new Promise((resolve) => { release = resolve; })));
  const owner = new Owner({ name, graceMs: 3_600_000 });
  t.after(() => owner.close());
  channel.postMessage({ type: 'owner', id: 'first', told: 1 });
  await isOther(owner);
  const first = ask();
  const taken = owner.takeOver();
  const id = await first;
  const second = ask();
  channel.postMessage({ type: 'owner', id: 'second', told: 2 });
  assert.equal(await second, id);
  release();
  await others;
  assert.equal(await taken, true);
  assert.equal(owner.inherited, 2);
});
