// SPDX-License-Identifier: Apache-2.0
// Waiting, never for ever.

/**
 * Waits for |promise| at most |ms| milliseconds; a failure names |what|.
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export function step(what, promise, ms = 20_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
    promise.then(
      (value) => { clearTimeout(timer); resolve(value); },
      (error) => {
        clearTimeout(timer);
        reject(new Error(`${what}: ${error?.message ?? error}`, { cause: error }));
      });
  });
}

/**
 * Asks |probe| again and again until it gives something; for states that
 * nobody announces.
 * @template T
 * @param {string} what
 * @param {() => T | null | undefined | false | Promise<T | null | undefined | false>} probe
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export async function until(what, probe, ms = 10_000) {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${ms} ms`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/**
 * @param {unknown} condition
 * @param {string} message
 * @returns {asserts condition}
 */
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/**
 * @param {unknown} got
 * @param {unknown} want
 * @param {string} what
 */
export function expectEqual(got, want, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}
