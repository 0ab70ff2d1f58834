// SPDX-License-Identifier: Apache-2.0
/** What the pages of the room say to each other, and what they do not take. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MESSAGE_MAX, newcomer, place, plain, readAll, readMessage, readPointer, writeMessage, writePointer,
} from './protocol.js';

const WHO = '00112233445566ff';

test('pointers, there and back', () => {
  const octets = writePointer({ who: WHO, number: 4_000_000_000, x: 0, y: 1 });
  assert.equal(Buffer.from(octets).toString('hex'), '0100112233445566ffee6b28000000ffff');
  assert.deepEqual(readPointer(octets), { who: WHO, number: 4_000_000_000, x: 0, y: 1 });
  assert.deepEqual(readPointer(Buffer.concat([Buffer.alloc(3), octets]).subarray(3)), readPointer(octets));
  assert.deepEqual(readPointer(writePointer({ who: WHO, number: 0, x: -5, y: 5 })), { who: WHO, number: 0, x: 0, y: 1 });
  for (const it of [new Uint8Array(0), octets.subarray(1), new Uint8Array(17), Buffer.concat([octets, octets])]) {
    assert.equal(readPointer(it), null);
  }
  assert.match(newcomer(), /^[0-9a-f]{16}$/);
  assert.notEqual(newcomer(), newcomer());
});

test('messages, there and back', () => {
  for (const it of /** @type {import('./protocol.js').Message[]} */ ([
    { type: 'hello', who: WHO, name: 'Ada', reply: true }, { type: 'chat', who: WHO, text: '“日本” <b>&amp;</b>' },
    { type: 'bye', who: WHO },
  ])) assert.deepEqual(readMessage(writeMessage(it)), it);
  // What a later version adds is dropped, and no prototype comes along.
  assert.deepEqual(readMessage(Buffer.from(`{"type":"bye","who":"${WHO}","more":1,"__proto__":{"x":1}}`)), { type: 'bye', who: WHO });
});

test('what is no message', () => {
  for (const it of ['', 'hello', 'null', '[]', '7', '{}', `{"type":"bye","who":7}`, `{"type":"bye","who":"${WHO}0"}`,
    `{"type":"bye","who":"${WHO.toUpperCase()}"}`, `{"type":"shout","who":"${WHO}","text":"a"}`,
    `{"type":"chat","who":"${WHO}"}`, `{"type":"chat","who":"${WHO}","text":""}`, `{"type":"chat","who":"${WHO}","text":" \\n "}`,
    `{"type":"chat","who":"${WHO}","text":{"a":1}}`, `{"type":"hello","who":"${WHO}","name":["Ada"]}`,
    `{"type":"hello","who":"${WHO}","name":"\\u202e\\u200b"}`]) {
    assert.equal(readMessage(Buffer.from(it)), null, it);
  }
  assert.equal(readMessage(Buffer.from([0x22, 0xff, 0x22])), null);
});

test('text is one line, of what can be seen', () => {
  assert.equal(plain('  a\n\tb\u0000c\u202ed\ud800e ', 99), 'a b c d e');
  assert.equal(plain('\u{1F600}'.repeat(9), 3), '\u{1F600}'.repeat(3));
  assert.equal(plain('ab cd', 3), 'ab');
  for (const it of [undefined, null, 7, {}, []]) assert.equal(plain(it, 9), '');
});

test('a stream is read to its end, and no further than a message goes', async () => {
  const of = (/** @type {number[]} */ ...lengths) => {
    let cancelled = false;
    const stream = new ReadableStream({
      pull(controller) {
        const length = lengths.shift();
        if (length === undefined) controller.close();
        else controller.enqueue(new Uint8Array(length).fill(65));
      },
      cancel() { cancelled = true; },
    });
    return { stream, cancelled: () => cancelled };
  };
  assert.equal((await readAll(of().stream))?.length, 0);
  assert.equal((await readAll(of(1000, 3000, 96).stream))?.length, MESSAGE_MAX);
  const endless = of(4000, 97, 1e6);
  assert.equal(await readAll(endless.stream), null);
  assert.equal(endless.cancelled(), true);
});

test('places, in words', () => {
  assert.deepEqual([[0, 0], [0.5, 0.5], [1, 1], [0.5, 0.1], [0.1, 0.5]].map(([x, y]) => place(x, y)),
    ['top left', 'in the middle', 'bottom right', 'top centre', 'middle left']);
});
