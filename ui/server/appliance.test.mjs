// SPDX-License-Identifier: Apache-2.0
/**
 * How the appliance's JavaScript behaves when the WASM does what it never
 * should.  The WASM itself is run by scripts/serve-wasm.test.mjs; what stands
 * in for it here says the same and fails on demand.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoStoreError, startAppliance } from './appliance.js';
import { ApplianceError, EXIT_CODES, errorCodeOf, exitCodeOf } from './exit_codes.js';

/** @type {import('./types.d.ts').ReadyEvent} */
const READY = { type: 'ready', url: 'https://a/', link: 'https://a/#wt=b', hashes: [], address: '::', port: 1,
  state: 'HEALTHY', identity: 'c', epoch: 1, seq: 1, ephemeral: true };

/**
 * @param {(module: {
 *   emit: (...events: any[]) => void,
 *   next: () => Promise<any>,
 *   options: any,
 *   store: any,
 * }) => Promise<number>} run the body of fortnight_run(); next() is the next command
 * @returns {import('./types.d.ts').CreateModule}
 */
function fake(run) {
  return async ({ onFortnightEvents, fortnightCommands, fortnightStore }) => {
    let wake = () => {};
    return {
      dsWake: () => wake(),
      ccall: (_name, _result, _types, [options]) => run({
        options: JSON.parse(options),
        store: fortnightStore,
        emit: (...events) => onFortnightEvents(events),
        next: async () => {
          while (fortnightCommands.length === 0) {
            await new Promise((/** @type {(value?: undefined) => void} */ resolve) => { wake = () => resolve(); });
          }
          return JSON.parse(/** @type {string} */ (fortnightCommands.shift()));
        },
      }),
    };
  };
}

/** An appliance that serves, echoes commands, and stops when told. */
const wellBehaved = fake(async ({ emit, next, options }) => {
  emit(READY, { type: 'log', level: 'info', text: options.address });
  for (;;) {
    const command = await next();
    if (command.command === 'stop') return 0;
    emit({ type: 'reply', id: command.id,
      reply: command.command === 'bad' ? { error: 'refused' } : { did: command.command } },
    { type: 'log', level: 'info', text: command.command });
  }
});

test('it serves, answers and stops', { timeout: 5000 }, async () => {
  /** @type {any[][]} */
  const batches = [];
  const appliance = startAppliance({
    createModule: wellBehaved, options: { address: '::1' }, onEvents: (events) => batches.push(events),
  });
  assert.equal(await appliance.ready, READY);
  const replies = await Promise.allSettled([
    appliance.command({ command: 'a' }), appliance.command({ command: 'bad' }), appliance.command({ command: 'b' })]);
  assert.deepEqual(replies[0], { status: 'fulfilled', value: { did: 'a' } });
  assert.equal(replies[1].status === 'rejected' && replies[1].reason.message, 'refused');
  assert.deepEqual(replies[2], { status: 'fulfilled', value: { did: 'b' } });
  await Promise.all([appliance.stop(), appliance.stop()]);
  assert.equal(await appliance.exited, 0);
  await appliance.stop();
  // One call per batch, and no replies among them.
  assert.deepEqual(batches.map((batch) => batch.map(({ type, text }) => text ?? type)),
    [['ready', '::1'], ['a'], ['bad'], ['b']]);
});

test('commands from before the module is there are carried out', { timeout: 5000 }, async () => {
  const appliance = startAppliance({ createModule: wellBehaved, options: {} });
  assert.deepEqual(await appliance.command({ command: 'early' }), { did: 'early' });
  await appliance.stop();
});

test('stopped before it began, it still ends', { timeout: 5000 }, async () => {
  const appliance = startAppliance({ createModule: wellBehaved, options: {} });
  await appliance.stop();
  assert.equal(await appliance.exited, 0);
});

test('what was outstanding at the exit is rejected', { timeout: 5000 }, async () => {
  const appliance = startAppliance({
    createModule: fake(async ({ emit, next }) => {
      emit(READY);
      await next();
      return 0;
    }), options: {},
  });
  await appliance.ready;
  const outstanding = [appliance.command({ command: 'one' }), appliance.command({ command: 'two' })];
  for (const { status } of await Promise.allSettled(outstanding)) assert.equal(status, 'rejected');
  await assert.rejects(appliance.command({ command: 'late' }), /has stopped/);
  assert.equal(await appliance.exited, 0);
});

test('a fatal error rejects ready with its code', { timeout: 5000 }, async () => {
  const appliance = startAppliance({
    createModule: fake(async ({ emit }) => {
      emit({ type: 'error', code: 'port-busy', text: 'taken' });
      return 3;
    }), options: {},
  });
  await assert.rejects(appliance.ready, (/** @type {ApplianceError} */ error) =>
    error instanceof ApplianceError && error.code === 'port-busy' && error.message === 'taken');
  assert.equal(await appliance.exited, 3);
});

for (const [what, createModule] of /** @type {[string, import('./types.d.ts').CreateModule][]} */ ([
  ['a module that cannot be made', async () => { throw new Error('no memory'); }],
  ['a trap', fake(async () => { throw new WebAssembly.RuntimeError('unreachable'); })],
  ['a trap while it serves', fake(async ({ emit, next }) => {
    emit(READY);
    await next();
    throw new WebAssembly.RuntimeError('unreachable');
  })],
  ['an exit code without a word', fake(async () => 1)],
])) {
  test(`${what} is told as an internal error`, { timeout: 5000 }, async () => {
    /** @type {any[]} */
    const told = [];
    const appliance = startAppliance({ createModule, options: {}, onEvents: (events) => told.push(...events) });
    await assert.rejects(appliance.command({ command: 'status' }), /not carried out: .+/);
    assert.equal(await appliance.exited, 1);
    assert.deepEqual(told.filter(({ type }) => type === 'error').map(({ code }) => code), ['internal']);
  });
}

/** @returns {any} a store that says what became of it */
const fakeStore = () => ({ closed: 0, close() { this.closed++; } });

test('the store is handed in, and closed however it ends', { timeout: 5000 }, async () => {
  const open = fakeStore();
  for (const [code, run] of /** @type {[number, any][]} */ ([
    [0, async () => 0],
    [3, async () => 3],
    [1, async () => { throw new WebAssembly.RuntimeError('unreachable'); }]])) {
    open.closed = 0;
    const appliance = startAppliance({
      createModule: fake(async (module) => {
        assert.equal(module.store, open);
        assert.equal(module.options.ephemeral, false);
        assert.equal(open.closed, 0);
        return run();
      }), options: {}, openStore: async () => open,
    });
    assert.equal(await appliance.exited, code);
    assert.equal(open.closed, 1);
  }
});

test('a module that cannot be made gives the store back', { timeout: 5000 }, async () => {
  const open = fakeStore();
  const appliance = startAppliance({
    createModule: async () => { throw new Error('no memory'); }, options: {}, openStore: () => open,
  });
  assert.equal(await appliance.exited, 1);
  assert.equal(open.closed, 1);
});

test('a store that is refused is the end of it', { timeout: 5000 }, async () => {
  const appliance = startAppliance({
    createModule: () => assert.fail('it was run'), options: {},
    openStore: () => { throw new ApplianceError('state-refused', 'locked'); },
  });
  await assert.rejects(appliance.ready, { code: 'state-refused', message: 'locked' });
  assert.equal(await appliance.exited, 7);
});

test('where nothing can be kept, it serves and says so', { timeout: 5000 }, async () => {
  /** @type {any[]} */
  const told = [];
  const appliance = startAppliance({
    createModule: fake(async ({ emit, next, options, store }) => {
      assert.equal(store, undefined);
      assert.equal(options.ephemeral, true);
      emit(READY);
      await next();
      return 0;
    }), options: {}, openStore: async () => { throw new NoStoreError('there is no disk'); },
    onEvents: (events) => told.push(...events),
  });
  await appliance.ready;
  await appliance.stop();
  assert.deepEqual(told.map(({ type, text }) => text ?? type), ['there is no disk', 'ready']);
});

test('an ephemeral appliance opens no store', { timeout: 5000 }, async () => {
  const appliance = startAppliance({
    createModule: fake(async ({ options }) => (options.ephemeral ? 0 : 1)), options: { ephemeral: true },
    openStore: () => assert.fail('it was opened'),
  });
  assert.equal(await appliance.exited, 0);
});

test('exit() inside the WASM is an exit code', { timeout: 5000 }, async () => {
  const appliance = startAppliance({
    createModule: fake(async () => { throw Object.assign(new Error('exit'), { name: 'ExitStatus', status: 5 }); }),
    options: {},
  });
  await assert.rejects(appliance.ready, { code: 'address-not-available' });
  assert.equal(await appliance.exited, 5);
});

test('exit codes and error codes are each other’s inverse', () => {
  for (const [code, value] of Object.entries(EXIT_CODES)) {
    assert.equal(errorCodeOf(value), code);
    assert.equal(exitCodeOf({ code }), value);
  }
  assert.equal(exitCodeOf(new Error('x')), 1);
  assert.equal(exitCodeOf({ code: 'toString' }), 1);
  assert.equal(exitCodeOf(undefined), 1);
  assert.equal(errorCodeOf(99), 'internal');
});
