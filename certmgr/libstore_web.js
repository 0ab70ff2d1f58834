// SPDX-License-Identifier: Apache-2.0
//
// The files of store_web.c and journal_web.c, as JavaScript has them.
//
// C cannot wait for a file: its one suspension is that for datagrams, and what
// has to be durable must be so before the next step.  The web knows one kind of
// file that is read and written at once, the sync access handle, and that has
// to be opened by a promise.  So JavaScript opens everything before the WASM
// runs, and hands it in as Module.fortnightStore (FortnightStore in
// ui/server/types.d.ts): ui/server/opfs_store.js in a worker,
// scripts/node-store.mjs on Node.  Whoever has opened it closes it, after the
// WASM has ended, however that came.
//
// Exceptions end here: STORE.code() alone makes error numbers of them, and
// keeps what they say for the person.
//
// Octets go from memory to file and back without a copy that would have to be
// zeroed; the one that read() returns is zeroed here.

addToLibrary({
  // The error numbers of error.h.
  $STORE_ERR: {
    STORE: -111,
    LOCKED: -112,
    PERMISSIONS: -113,
    NONE: -1,
  },

  $STORE__deps: ['$STORE_ERR', '$UTF8ToString'],
  $STORE: {
    message: '',

    /** The one place where exceptions become error numbers. */
    code(error, name) {
      const place = Module['fortnightStore']?.place ?? 'the store';
      const why = String(error?.message ?? error);
      STORE.message = why.includes(place) ? why : `${place}/${name}: ${why}`;
      switch (error?.code) {
        case 'EWOULDBLOCK':
        case 'EAGAIN':
          return STORE_ERR.LOCKED;
        case 'EPERM':
        case 'EACCES':
          return STORE_ERR.PERMISSIONS;
      }
      switch (error?.name) {
        case 'NoModificationAllowedError':
          return STORE_ERR.LOCKED;
        case 'QuotaExceededError':
          STORE.message = `${place}/${name}: there is no room left: ${why}`;
          break;
        case 'InvalidStateError':
          STORE.message = `${place}/${name}: it has been closed: ${why}`;
          break;
      }
      return STORE_ERR.STORE;
    },

    /** Calls `task` with the store and the name at `at`. */
    call(at, task) {
      const name = UTF8ToString(at);
      try {
        const store = Module['fortnightStore'];
        if (!store) {
          throw new Error('there is none: it has to be opened first');
        }
        return task(store, name) ?? 0;
      } catch (error) {
        return STORE.code(error, name);
      }
    },
  },

  store_web_read__deps: ['$STORE'],
  store_web_read: (at, dest, destlen) => STORE.call(at, (store, name) => {
    const octets = store.read(name);
    if (!octets) {
      return STORE_ERR.NONE;
    }
    HEAPU8.set(octets.subarray(0, destlen), dest);
    octets.fill(0);
    return octets.length;
  }),

  store_web_write__deps: ['$STORE'],
  store_web_write: (at, src, len) => STORE.call(at, (store, name) => {
    store.write(name, HEAPU8.subarray(src, src + len));
  }),

  store_web_append__deps: ['$STORE'],
  store_web_append: (at, src, len) => STORE.call(at, (store, name) => {
    store.append(name, HEAPU8.subarray(src, src + len));
  }),

  store_web_rename__deps: ['$STORE'],
  store_web_rename: (from, to) => STORE.call(from, (store, name) => {
    store.rename(name, UTF8ToString(to));
  }),

  store_web_message__deps: ['$STORE', '$stringToUTF8'],
  store_web_message: (dest, destlen) => {
    stringToUTF8(STORE.message, dest, destlen);
  },
});
