// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IMPORT, makeClock, PRELOAD } from './clock.mjs';

const DAY = 86400;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROBE = join(ROOT, 'build/native/tests/clock/probe_posix');

/** What the probe does, on Node. */
const SCRIPT = `
  process.stdin.on('data', () => {
    const now = Math.floor(Date.now() / 1000);
    console.log(JSON.stringify([now, now, now, Math.floor(performance.now() / 1000)]));
  });`;

/**
 * A program that says its time when it is asked.
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
function probe(command, args, env) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** @returns {Promise<number[]>} */
    async ask() {
      child.stdin.write('\n');
      const { value, done } = await lines.next();
      assert.ok(!done, 'the program has ended');
      return JSON.parse(value);
    },
    async end() {
      child.stdin.end();
      const [code] = await once(child, 'close');
      assert.equal(code, 0);
    },
  };
}

/**
 * @param {number} got
 * @param {number} want  what it was before it was asked for
 */
function near(got, want) {
  // The coarse clock may be a tick behind; a busy machine takes its time.
  assert.ok(got >= want - 1 && got <= want + 60, `${got} is not near ${want}`);
}

const now = () => Math.floor(Date.now() / 1000);

for (const [name, command, args, env] of /** @type {const} */ ([
  ['a native program', PROBE, [], 'native'],
  ['a program on Node', process.execPath, ['--import', IMPORT, '-e', SCRIPT], 'node'],
])) {
  test(`moves the clock of ${name} while it runs`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fortnight-clock-'));
    const clock = makeClock(join(folder, 'clock'));
    const running = probe(command, [...args], clock[env]);
    try {
      const first = (await running.ask())[3];
      for (const offset of [0, -6 * DAY, 300 * DAY, -30000 * DAY, 0]) {
        clock.set(offset);
        const want = clock.now();
        const [real, seconds, micro, mono] = await running.ask();
        for (const got of [real, seconds, micro]) near(got, want);
        near(mono, first);
      }
      clock.move(5);
      clock.move(-DAY);
      assert.equal(clock.offset(), 5 - DAY);
      near((await running.ask())[0], now() + 5 - DAY);
      await running.end();
    } finally {
      clock.close();
      rmSync(folder, { recursive: true });
    }
  });
}

test('leaves the clock of a program alone that has no file for it', async () => {
  /** @type {Record<string, string>[]} */
  const environments = [{}, { LD_PRELOAD: PRELOAD }];
  for (const env of environments) {
    const running = probe(PROBE, [], env);
    const want = now();
    for (const got of (await running.ask()).slice(0, 3)) near(got, want);
    await running.end();
  }
});

test('a program with a clock that cannot move does not begin', () => {
  const { signal, stderr } = spawnSync(PROBE, { encoding: 'utf8', env: {
    ...process.env, LD_PRELOAD: PRELOAD, FORTNIGHT_TEST_CLOCK: '/dev/null/clock',
  } });
  assert.equal(signal, 'SIGABRT');
  assert.match(stderr, /test clock/);
});

test('no product knows of it', () => {
  for (const name of ['native/fortnight', 'wasm/fortnight.mjs', 'wasm/fortnight.wasm']) {
    const path = join(ROOT, 'build', name);
    assert.ok(existsSync(path), `${path} is missing`);
    assert.ok(!readFileSync(path).includes('FORTNIGHT_TEST_CLOCK'), name);
  }
});
