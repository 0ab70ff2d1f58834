// SPDX-License-Identifier: Apache-2.0
/**
 * The doors between the appliance's WebAssembly and the JavaScript around it.
 *
 * In: Module.fortnightCommands, an array of JSON texts.  Whoever pushes one
 * calls Module.dsWake(); the loop in main_web.c takes it up when it turns.
 * Out: Module.onFortnightEvents(events), once per turn, with all that happened
 * in it.  Neither enters the WASM while it is suspended.
 *
 * The records of sessions that JavaScript serves (apps/script_record.h) go the
 * same ways: in by Module.fortnightBatches, an array of Uint8Arrays, out by
 * Module.onFortnightBatch(buffer), as long as Module.fortnightRoom() says that
 * there is room.
 */
addToLibrary({
  $applianceEncoder: 'new TextEncoder()',

  /** Octets of the next command in UTF-8, 0: there is none. */
  appliance_web_command_length__deps: ['$applianceEncoder'],
  appliance_web_command_length: () => {
    const commands = Module['fortnightCommands'];
    while (commands && commands.length && commands[0] === '') {
      commands.shift();
    }
    return commands && commands.length
      ? applianceEncoder.encode(commands[0]).length : 0;
  },

  /** Takes the next command: UTF-8 and a NUL to |dest|. */
  appliance_web_take_command__deps: ['$applianceEncoder'],
  appliance_web_take_command: (dest, destlen) => {
    const octets = applianceEncoder.encode(Module['fortnightCommands'].shift());
    HEAPU8.set(octets.subarray(0, destlen - 1), dest);
    HEAPU8[dest + Math.min(octets.length, destlen - 1)] = 0;
  },

  /** Octets of the next batch, 0: there is none. */
  appliance_web_batch_length: () => {
    const batches = Module['fortnightBatches'];
    while (batches && batches.length && batches[0].length === 0) {
      batches.shift();
    }
    return batches && batches.length ? batches[0].length : 0;
  },

  /** Takes the next batch, all of it. */
  appliance_web_take_batch: (dest) => {
    HEAPU8.set(Module['fortnightBatches'].shift(), dest);
    Module['onFortnightBatchTaken']?.();
  },

  appliance_web_batch_room: () => (Module['fortnightRoom']?.() ? 1 : 0),

  /** Hands out a copy, which is JavaScript's. */
  appliance_web_emit_batch: (data, len) => {
    const buffer = HEAPU8.slice(data, data + len).buffer;
    try {
      Module['onFortnightBatch']?.(buffer);
    } catch (error) {
      queueMicrotask(() => { throw error; });
    }
  },

  appliance_web_emit__deps: ['$UTF8ToString'],
  appliance_web_emit: (text) => {
    const events = JSON.parse(UTF8ToString(text));
    try {
      Module['onFortnightEvents']?.(events);
    } catch (error) {
      // An exception of the application's must not unwind the C code.
      queueMicrotask(() => { throw error; });
    }
  },
});
