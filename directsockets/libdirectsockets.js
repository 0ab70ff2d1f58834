// SPDX-License-Identifier: Apache-2.0
//
// The JavaScript half of the shim: UDP for WebAssembly over Direct Sockets.
// Link with  -sJSPI --js-library directsockets/libdirectsockets.js  and
// directsockets.c; directsockets.h tells how it is used from C.
//
//
// WHY IT LOOKS LIKE THIS
//
// A UDPSocket is a pair of WHATWG streams: every datagram costs a promise each
// way.  A C program wants the opposite: a batch of datagrams in memory, and to
// sleep when there is none.  The bridge is JSPI, which suspends the whole WASM
// stack until a promise resolves.  Suspending is cheap (0.3 us), promises are
// not, thread hops are dear (29 us); so everything happens in one worker, and
// the program suspends once per batch, not once per datagram.
//
//   kernel --> UDPSocket.readable --32 reads--> receive ring --> ds_receive()
//   kernel <-- UDPSocket.writable <--n writes-- send ring    <-- ds_send()
//                                                  ds_wait(): the one sleep
//
// RINGS.  Both rings are arrays of ds_datagram in WASM memory, with a head
// that counts up where slots are filled and a tail that counts up where they
// are emptied; the index is the count modulo the size, a power of two.  Each
// count has one writer, and there is one thread, so nothing is locked, and C
// looks at its datagrams without calling JavaScript.
//
// READS.  One read is outstanding during a wait, to tell that something came.
// What comes behind it gathers in the stream (32 datagrams), where it costs
// neither a promise nor a microtask, and is read in one go when the wait is
// about to end: as many reads at once as the last batch had datagrams, and one
// more; if that does not reach, twice as many, up to DS.READS.  There are never
// more reads than the ring has free slots: a read that settles always finds a
// slot.  When the ring is full no more reads are made; the stream fills,
// Chromium stops reading, the kernel's buffer fills, and the kernel drops.
// Nothing here grows.
//
// WAITING.  ds_wait() answers at once if something is ready (a Suspending
// import that returns no promise does not suspend), else it returns the
// promise that wake-ups resolve.  A program that is answered at once keeps the
// thread, so promise callbacks do not run; therefore (1) datagrams that the
// program left in the ring are not told again until more come, and (2) at
// most DS.SYNC answers in a row are given without a turn of the event loop.
// When a datagram arrives during a wait, the answer is put off by one hop (a
// task, not a microtask): the reads that are ready settle first and the whole
// batch goes in at once.  The hop is setImmediate on Node and a MessageChannel
// elsewhere.
//
// BACKLOG.  Chromium sends one datagram at a time, and the next when it has
// heard that the last has left: four thread hops each, so the send ring is
// where things wait.  While more than DS.BACKLOG datagrams are in it, an answer
// to what comes could only be put behind them.  So nothing ends the wait then
// (but room in a ring that was full) until DS.TURN have left: the program takes
// up a dozen datagrams at once rather than one or two, which costs it, warm as
// its code then is, half as much for each.  A deadline that is over waits for
// that too, and mostly needs no timer: QUIC's pacing asks for one of a
// millisecond with every batch.  So does Module.dsWake(): what JavaScript sends
// and what comes meanwhile are one turn then, and QUIC's acknowledgements go
// with it.  Nothing waits for more than DS.HELD_MS, however slowly things leave.
//
// WRITES.  WritableStream queues without bound, so the send ring is the queue,
// and at most DS.WRITES writes are outstanding.  Each gets a copy of its slot,
// not a view of it: a view is detached when the memory grows, the stream reads
// it only when its turn comes, and an empty message kills the stream (see
// below).  The copy goes to one of DS.WRITES buffers that are used in turn
// (0.4 us for 1200 octets here; slice() takes 3 us, a view 0.1 us, and the
// write some 20 us on Node and 100 us in Chromium).
//
// TIME.  The timer is setTimeout, in whole milliseconds.  It is armed lazily:
// QUIC moves its deadline with every batch, mostly further away, and a timer
// that fires early and is armed again is cheaper than one that is replaced for
// each batch.  When it fires, the answer takes the hop as well, because
// timers that are set from timers are held back to 4 ms by HTML.
//
// WHAT KILLS A STREAM.  A send that fails errors the writable for good: port
// 0, a broadcast address, more than 65507 octets, a multicast group, a target
// that cannot be reached from the bound address.  So one datagram with a
// forged source address would end the service.  Three fences:
//
//   1. directsockets.c refuses such targets before the write (`refused`).
//   2. When the writable or the readable fails all the same, the socket is
//      closed and opened again on the same port, with back-off, and the
//      address that did it is not sent to for DS.SHUN_MS.  What is in the
//      send ring is kept, except the datagram that failed.
//   3. Forged addresses are cheap.  After DS.FAILURES failures in DS.SHUN_MS,
//      and for as long, only addresses that a write has reached before are
//      sent to: strangers wait, those who are served do not notice.
//   4. After DS.FRUITLESS re-openings in a row without one datagram read or
//      written in between, or when it cannot be opened, the socket's error is
//      set to DS_ERR_IO and ds_wait() says DS_READY_ERROR.
//
// A *malformed* message (empty, detached, half an address) is worse: Chromium
// errors the stream without telling the socket, whose `closed` then never
// settles, so that the port cannot be had again.  Nothing here can make one.
//
// CLOSING.  `closed` settles a moment before the browser has given the port
// back (in 1 of 20 tries here, binding it again at once failed).  ds_open()
// therefore tries again for ports that this module closed a moment ago.
//
// ADDRESSES.  Streams speak text, C speaks 16 octets.  Both directions are
// cached: text to octets in a Map, octets to text in a table of one entry per
// hash.  A dual-stack socket's IPv4 peers are "::ffff:7f00:1" and are answered
// by that name; an IPv4 socket's are "127.0.0.1".
//
// NOTHING ENTERS THE WASM WHILE IT IS SUSPENDED.  Whatever happens here only
// writes to the rings and to ds_socket, and resolves ds_wait()'s promise.
// JavaScript that has something for the program queues it on its own and calls
// Module.dsWake().  No exception leaves a function that C calls: errors are
// mapped to DS_ERR_... by DS.code() alone.
//
// The class of the sockets is Module.UDPSocket if given, else the global
// UDPSocket: Chromium's, or the one of node/udp_socket.mjs.

addToLibrary({
  // The error numbers of directsockets.h.
  $DS_ERR: {
    NOMEM: -601,
    INVALID: -602,
    PORT_BUSY: -603,
    PERMISSION: -604,
    ADDRESS_NOT_AVAILABLE: -605,
    IO: -606,
    NOT_SUPPORTED: -607,
    BUSY: -608,
  },

  // struct ds_socket, in 32-bit words.
  $DS_FIELD: {
    RECEIVE_HEAD: 0,
    RECEIVE_TAIL: 1,
    SEND_HEAD: 2,
    SEND_TAIL: 3,
    ERROR: 4,
    BLOCKED: 5,
    DROPPED_IN: 6,
    DROPPED_OUT: 7,
    REOPENED: 8,
    IPV6: 9,
    LOCAL_PORT: 10,
    LOCAL_IP: 11,
    RECEIVE_SLOTS: 15,
    SEND_SLOTS: 16,
    RECEIVE: 17,
    SEND: 18,
    RECEIVE_NEXT: 19,
  },

  $DS__deps: ['$DS_ERR', '$DS_FIELD'],
  // Infinity here, for Emscripten writes an object's Infinity out as null.
  $DS__postset: "DS.deadline = DS.timerAt = Infinity; " +
    "Module['dsWake'] = () => DS.wake();",
  $DS: {
    READS: 32,
    WRITES: 4,
    SYNC: 8,
    BACKLOG: 4,
    TURN: 12,
    HELD_MS: 20,
    SHUN_MS: 5000,
    FAILURES: 4,
    ADDRESSES_MAX: 1024,
    FRUITLESS: 8,
    OPEN_TRIES: 8,
    FLUSH_MS: 1000,
    CLOSED_MS: 1000,

    // struct ds_datagram, in octets.
    SLOT: 24 + 2048,
    SLOT_DATA: 24,
    DATA_MAX: 2048,

    // enum ds_ready.
    READY_RECEIVE: 1,
    READY_SEND: 2,
    READY_WAKE: 4,
    READY_ERROR: 8,

    /** Open sockets, by the address of their ds_socket. */
    sockets: new Map(),
    /** Ports closed a moment ago: "address port" to the time of it. */
    leaving: new Map(),
    /** Resolves the pending ds_wait(). */
    waiting: null,
    hopping: false,
    woken: false,
    /** Answers of ds_wait() in a row that did not suspend. */
    syncAnswers: 0,
    deadline: 0,
    timer: undefined,
    timerAt: 0,

    // --- waiting -----------------------------------------------------------

    /** Runs `task` in a task of its own, as soon as the event loop can. */
    hop(task) {
      if (typeof setImmediate === 'function') {
        setImmediate(task);
        return;
      }
      if (!DS.channel) {
        DS.channel = new MessageChannel();
        DS.hops = [];
        DS.channel.port1.onmessage = () => DS.hops.shift()();
      }
      DS.hops.push(task);
      DS.channel.port2.postMessage(0);
    },

    sleep(ms) {
      return new Promise((done) => setTimeout(done, ms));
    },

    /** Whether there are datagrams that ds_wait() has not told of. */
    isUntold(s) {
      const head = HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD];
      const next = HEAPU32[s.at + DS_FIELD.RECEIVE_NEXT];
      return head !== next && (head !== s.toldHead || next !== s.toldNext);
    },

    /** What ds_wait() answers now; what is told is not told twice. */
    ready() {
      let flags = DS.woken ? DS.READY_WAKE : 0;
      DS.woken = false;
      for (const s of DS.sockets.values()) {
        if (DS.isUntold(s)) {
          s.toldHead = HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD];
          s.toldNext = HEAPU32[s.at + DS_FIELD.RECEIVE_NEXT];
          flags |= DS.READY_RECEIVE;
        }
        if (s.roomAgain) {
          s.roomAgain = false;
          flags |= DS.READY_SEND;
        }
        if (HEAP32[s.at + DS_FIELD.ERROR] !== 0) {
          flags |= DS.READY_ERROR;
        }
      }
      return flags;
    },

    wait(timeout) {
      if (DS.waiting) {
        return DS_ERR.BUSY;
      }
      for (const s of DS.sockets.values()) {
        DS.read(s, 1);
      }
      if (DS.syncAnswers < DS.SYNC) {
        const flags = DS.ready();
        if (flags !== 0) {
          DS.syncAnswers++;
          return flags;
        }
      }
      const turn = DS.syncAnswers >= DS.SYNC || timeout === 0;
      DS.syncAnswers = 0;
      return new Promise((answer) => {
        DS.waiting = answer;
        if (turn) {
          DS.resumeSoon(DS.areBacklogged());
        } else if (timeout > 0) {
          DS.deadline = performance.now() + timeout;
          DS.arm();
        }
      });
    },

    /** Answers the pending ds_wait() after one hop. */
    resume() {
      if (DS.waiting && !DS.hopping) {
        DS.hopping = true;
        for (const s of DS.sockets.values()) {
          DS.read(s, s.reads);
        }
        DS.hop(DS.answer);
      }
    },

    /** Answers the pending ds_wait(): now, or when less is in the way. */
    resumeSoon(backlogged) {
      if (!backlogged) {
        DS.resume();
      } else if (DS.waiting && !DS.hopping) {
        DS.deadline = Math.min(DS.deadline, performance.now());
        DS.arm();
      }
    },

    /** Whether an answer to what came would only wait in the send ring. */
    isBacklogged(s) {
      const tail = HEAPU32[s.at + DS_FIELD.SEND_TAIL];
      const unsent = (HEAPU32[s.at + DS_FIELD.SEND_HEAD] - tail) >>> 0;
      return s.writing > 0 && unsent > DS.BACKLOG &&
        ((tail - s.turnTail) >>> 0) < DS.TURN;
    },

    areBacklogged() {
      for (const s of DS.sockets.values()) {
        if (DS.isBacklogged(s)) {
          return true;
        }
      }
      return false;
    },

    /** When the wait is over, though nothing came. */
    due() {
      return DS.deadline + (DS.areBacklogged() ? DS.HELD_MS : 0);
    },

    /** Something has left `s`: what waited for that goes on. */
    goOn(s) {
      if (!DS.waiting || DS.hopping || DS.isBacklogged(s)) {
        return;
      }
      if (DS.isUntold(s) || performance.now() >= DS.deadline) {
        DS.resume();
      } else {
        DS.arm();
      }
    },

    answer() {
      DS.hopping = false;
      const answer = DS.waiting;
      if (answer) {
        DS.waiting = null;
        DS.deadline = Infinity;
        for (const s of DS.sockets.values()) {
          const head = HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD];
          s.reads = Math.min(((head - s.turnHead) >>> 0) + 1, DS.READS);
          s.turnHead = head;
          s.turnTail = HEAPU32[s.at + DS_FIELD.SEND_TAIL];
        }
        if (DS.sockets.size === 0) {
          DS.disarm();
        }
        answer(DS.ready());
      }
    },

    wake() {
      DS.woken = true;
      DS.resumeSoon(DS.areBacklogged());
    },

    arm() {
      const due = DS.due();
      if (DS.timerAt <= due) {
        return;
      }
      DS.disarm();
      DS.timerAt = due;
      const ms = Math.min(Math.ceil(due - performance.now()), 2 ** 30);
      DS.timer = setTimeout(DS.timeIsUp, Math.max(ms, 0));
    },

    disarm() {
      clearTimeout(DS.timer);
      DS.timer = undefined;
      DS.timerAt = Infinity;
    },

    timeIsUp() {
      DS.timer = undefined;
      DS.timerAt = Infinity;
      if (!DS.waiting || DS.deadline === Infinity) {
        return;
      }
      if (performance.now() >= DS.due()) {
        DS.resume();
      } else {
        DS.arm();
      }
    },

    // --- receiving ---------------------------------------------------------

    /** Has `reads` outstanding, if there are slots for what they will bring. */
    read(s, reads) {
      if (!s.reader) {
        return;
      }
      const free = HEAPU32[s.at + DS_FIELD.RECEIVE_SLOTS] -
        ((HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD] -
          HEAPU32[s.at + DS_FIELD.RECEIVE_TAIL]) >>> 0);
      while (s.reading < reads && s.reading < free) {
        s.reading++;
        s.reader.read().then(s.onRead, s.onReadFailed);
      }
    },

    received(s, { data, remoteAddress, remotePort }) {
      s.fruitless = 0;
      if (data.length > DS.DATA_MAX) {
        HEAPU32[s.at + DS_FIELD.DROPPED_IN]++;
        DS.read(s, s.reading + 1);
        return;
      }
      const head = HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD];
      const slot = HEAPU32[s.at + DS_FIELD.RECEIVE] + DS.SLOT *
        (head & (HEAPU32[s.at + DS_FIELD.RECEIVE_SLOTS] - 1));
      const words = DS.toWords(remoteAddress);
      const at = slot >>> 2;
      HEAPU32[at] = words[0];
      HEAPU32[at + 1] = words[1];
      HEAPU32[at + 2] = words[2];
      HEAPU32[at + 3] = words[3];
      HEAPU32[at + 4] = remotePort;
      HEAPU32[at + 5] = data.length;
      HEAPU8.set(data, slot + DS.SLOT_DATA);
      HEAPU32[s.at + DS_FIELD.RECEIVE_HEAD] = head + 1;
      if (DS.waiting && !DS.hopping) {
        DS.resumeSoon(DS.isBacklogged(s));
      } else if (s.reading === 0) {
        s.reads = Math.min(2 * s.reads, DS.READS);
        DS.read(s, s.reads);
      }
    },

    // --- sending -----------------------------------------------------------

    slotToSend(s, count) {
      return HEAPU32[s.at + DS_FIELD.SEND] + DS.SLOT *
        (count & (HEAPU32[s.at + DS_FIELD.SEND_SLOTS] - 1));
    },

    /** Makes as many writes as are allowed at a time. */
    write(s) {
      if (!s.writer) {
        return;
      }
      const head = HEAPU32[s.at + DS_FIELD.SEND_HEAD];
      while (s.writing < DS.WRITES && s.issued !== head) {
        const slot = DS.slotToSend(s, s.issued);
        const at = slot >>> 2;
        const length = HEAPU32[at + 5];
        s.issued = (s.issued + 1) >>> 0;
        const target = length > 0 ? DS.toText(at, s.ipv6) : '';
        if (length === 0 || DS.isShunned(s, target)) {
          // Refused by directsockets.c, or shunned.  It has no write to wait
          // for, but its turn comes after those before it.
          if (length > 0) {
            HEAPU32[s.at + DS_FIELD.DROPPED_OUT]++;
            HEAPU32[at + 5] = 0;
          }
          if (s.writing === 0) {
            DS.sent(s, s.issued);
          }
          continue;
        }
        const buffer = s.buffers[s.buffer];
        buffer.set(HEAPU8.subarray(slot + DS.SLOT_DATA,
          slot + DS.SLOT_DATA + length));
        s.targets[s.buffer] = target;
        s.buffer = (s.buffer + 1) % DS.WRITES;
        s.writing++;
        s.writer.write({
          data: buffer.subarray(0, length),
          remoteAddress: target,
          remotePort: HEAPU32[at + 4],
        }).then(s.onWritten, s.onWriteFailed);
      }
    },

    /** Everything before `tail` has left the ring. */
    sent(s, tail) {
      // Skip what has no write of its own.
      while (tail !== s.issued &&
             HEAPU32[(DS.slotToSend(s, tail) >>> 2) + 5] === 0) {
        tail = (tail + 1) >>> 0;
      }
      HEAPU32[s.at + DS_FIELD.SEND_TAIL] = tail;
      if (HEAPU32[s.at + DS_FIELD.BLOCKED] !== 0) {
        const queued = (HEAPU32[s.at + DS_FIELD.SEND_HEAD] - tail) >>> 0;
        if (queued <= HEAPU32[s.at + DS_FIELD.SEND_SLOTS] >>> 1) {
          HEAPU32[s.at + DS_FIELD.BLOCKED] = 0;
          s.roomAgain = true;
          DS.resume();
        }
      }
      DS.goOn(s);
      s.onSent?.();
    },

    isShunned(s, address) {
      if (s.shunned.size === 0) {
        return false;
      }
      const now = performance.now();
      const until = s.shunned.get(address);
      if (until !== undefined && now < until) {
        return true;
      }
      s.shunned.delete(address);
      return now < s.strangersWaitUntil && !s.reached.has(address);
    },

    /** Puts `value` into a bounded Map; the oldest entry makes room. */
    remember(map, key, value, max) {
      if (map.size >= max && !map.has(key)) {
        map.delete(map.keys().next().value);
      }
      map.set(key, value);
    },

    /** The oldest outstanding write: where to, of its buffer. */
    oldestTarget(s) {
      return s.targets[(s.buffer - s.writing + DS.WRITES) % DS.WRITES];
    },

    /** The oldest write has gone well. */
    wrote(s) {
      const target = DS.oldestTarget(s);
      if (target !== s.lastReached) {
        s.lastReached = target;
        DS.remember(s.reached, target, true, DS.ADDRESSES_MAX);
      }
      s.fruitless = 0;
      s.writing--;
      DS.sent(s, (HEAPU32[s.at + DS_FIELD.SEND_TAIL] + 1) >>> 0);
      DS.write(s);
    },

    /** The oldest write failed, and with it the writable. */
    writeFailed(s, error) {
      const tail = HEAPU32[s.at + DS_FIELD.SEND_TAIL];
      if (s.writing > 0) {
        // Size and memory are no fault of the address.
        if (!/ERR_(MSG_TOO_BIG|NO_BUFFER_SPACE|INSUFFICIENT)/
          .test(error?.message)) {
          const now = performance.now();
          const until = now + DS.SHUN_MS;
          DS.remember(s.shunned, DS.oldestTarget(s), until, DS.ADDRESSES_MAX);
          s.failures = [...s.failures, now]
            .filter((time) => now - time < DS.SHUN_MS);
          if (s.failures.length >= DS.FAILURES) {
            s.strangersWaitUntil = until;
            s.failures = [];
          }
        }
        HEAPU32[s.at + DS_FIELD.DROPPED_OUT]++;
        s.issued = (tail + 1) >>> 0;
        DS.sent(s, s.issued);
      }
      DS.reopen(s);
    },

    // --- opening, opening again, closing -----------------------------------

    /** The one place where exceptions become error numbers. */
    code(error, port) {
      switch (error?.name) {
        case 'TypeError':
          return DS_ERR.INVALID;
        case 'NotAllowedError':
        case 'InvalidAccessError':
        case 'SecurityError':
          return DS_ERR.PERMISSION;
        case 'DataError':
          return DS_ERR.ADDRESS_NOT_AVAILABLE;
        case 'NetworkError':
          // Chromium says no more than this.  With a port of one's own
          // choice there is one reason that matters.
          return port !== 0 ? DS_ERR.PORT_BUSY : DS_ERR.IO;
        case 'NotSupportedError':
          return DS_ERR.NOT_SUPPORTED;
        default:
          return DS_ERR.IO;
      }
    },

    /** Opens the socket of `s` and starts to read.  Throws what it throws. */
    async start(s, localPort) {
      const Socket = Module['UDPSocket'] ?? globalThis.UDPSocket;
      const options = { ...s.options };
      if (localPort !== 0) {
        options.localPort = localPort;
      }
      const socket = new Socket(options);
      const info = await socket.opened;
      const generation = ++s.generation;
      s.socket = socket;
      s.reader = info.readable.getReader();
      s.writer = info.writable.getWriter();
      // A failure is seen by the reads and writes themselves.
      s.writer.closed.catch(() => {});
      s.writer.ready.catch(() => {});
      s.reader.closed.catch(() => {});
      s.reading = 0;
      s.writing = 0;
      s.issued = HEAPU32[s.at + DS_FIELD.SEND_TAIL];
      // New ones: the stream before may still hold on to its own.
      s.buffers = Array.from({ length: DS.WRITES },
        () => new Uint8Array(DS.DATA_MAX));
      s.buffer = 0;
      s.onRead = ({ value, done }) => {
        if (s.generation !== generation) {
          return;
        }
        s.reading--;
        if (done) {
          DS.reopen(s);
        } else {
          DS.received(s, value);
        }
      };
      s.onReadFailed = () => {
        if (s.generation === generation) {
          DS.reopen(s);
        }
      };
      s.onWritten = () => {
        if (s.generation === generation) {
          DS.wrote(s);
        }
      };
      s.onWriteFailed = (error) => {
        if (s.generation === generation) {
          DS.writeFailed(s, error);
        }
      };
      DS.read(s, 1);
      return info;
    },

    /** Lets go of the socket of `s`; settles when it is closed. */
    async stop(s) {
      const { socket, reader, writer } = s;
      s.generation++;
      s.socket = s.reader = s.writer = null;
      s.reading = s.writing = 0;
      if (!socket) {
        return;
      }
      reader.cancel().catch(() => {});
      reader.releaseLock();
      writer.abort().catch(() => {});
      writer.releaseLock();
      const closed = socket.closed.catch(() => {});
      await Promise.race([closed, DS.sleep(DS.CLOSED_MS)]);
      const now = performance.now();
      for (const [key, time] of DS.leaving) {
        if (now - time > DS.CLOSED_MS) {
          DS.leaving.delete(key);
        }
      }
      DS.leaving.set(`${s.options.localAddress} ${s.port}`, now);
    },

    /** Opens a socket that failed again, on the same port. */
    reopen(s) {
      if (s.reopening || s.closing) {
        return;
      }
      s.reopening = DS.openAgain(s).then(() => {
        s.reopening = null;
      });
    },

    async openAgain(s) {
      const stopped = DS.stop(s);
      HEAPU32[s.at + DS_FIELD.REOPENED]++;
      await stopped;
      if (s.fruitless++ < DS.FRUITLESS) {
        for (let i = 0; i < DS.OPEN_TRIES && !s.closing; i++) {
          const pause = Math.max(i, s.fruitless - 1);
          if (pause > 0) {
            await DS.sleep(5 << pause);
          }
          try {
            await DS.start(s, s.port);
            DS.write(s);
            return;
          } catch (error) {
            // Mostly NetworkError: the port is not free yet.
          }
        }
      }
      if (!s.closing) {
        HEAP32[s.at + DS_FIELD.ERROR] = DS_ERR.IO;
        s.onSent?.();
        DS.resume();
      }
    },

    async open(ptr, address, port, ipv6Only, receiveBuffer, sendBuffer) {
      const s = {
        at: ptr >>> 2,
        options: {
          localAddress: address,
          receiveBufferSize: receiveBuffer,
          sendBufferSize: sendBuffer,
        },
        port: 0, ipv6: false,
        socket: null, reader: null, writer: null,
        generation: 0, reading: 0, writing: 0, issued: 0,
        reads: 1, turnHead: 0, turnTail: 0,
        toldHead: 0, toldNext: 0, roomAgain: false,
        fruitless: 0, reopening: null, closing: false,
        buffers: [], buffer: 0, targets: [],
        shunned: new Map(), reached: new Map(), lastReached: '',
        failures: [], strangersWaitUntil: 0,
        onRead: null, onReadFailed: null, onWritten: null, onWriteFailed: null,
        onSent: null,
      };
      if (ipv6Only) {
        s.options.ipv6Only = true;
      }
      if (typeof (Module['UDPSocket'] ?? globalThis.UDPSocket) !== 'function') {
        return DS_ERR.NOT_SUPPORTED;
      }
      try {
        for (;;) {
          try {
            const info = await DS.start(s, port);
            s.port = info.localPort;
            s.ipv6 = info.localAddress.includes(':');
            HEAPU32.set(DS.toWords(info.localAddress),
              s.at + DS_FIELD.LOCAL_IP);
            break;
          } catch (error) {
            const left = DS.leaving.get(`${address} ${port}`);
            if (error?.name !== 'NetworkError' || left === undefined ||
                performance.now() - left > DS.CLOSED_MS) {
              throw error;
            }
            await DS.sleep(10);
          }
        }
      } catch (error) {
        return DS.code(error, port);
      }
      HEAPU32[s.at + DS_FIELD.IPV6] = s.ipv6 ? 1 : 0;
      HEAPU32[s.at + DS_FIELD.LOCAL_PORT] = s.port;
      DS.sockets.set(ptr, s);
      return 0;
    },

    async close(ptr) {
      const s = DS.sockets.get(ptr);
      if (!s) {
        return;
      }
      const isSent = () =>
        HEAPU32[s.at + DS_FIELD.SEND_HEAD] ===
          HEAPU32[s.at + DS_FIELD.SEND_TAIL] ||
        HEAP32[s.at + DS_FIELD.ERROR] !== 0;
      if (!isSent()) {
        await Promise.race([
          new Promise((done) => {
            s.onSent = () => {
              if (isSent()) {
                done();
              }
            };
          }),
          DS.sleep(DS.FLUSH_MS),
        ]);
      }
      s.closing = true;
      try {
        await s.reopening;
        await DS.stop(s);
      } catch (error) {
        // Whatever it is: the caller has nothing left to do about it.
      }
      DS.sockets.delete(ptr);
      if (DS.sockets.size === 0) {
        DS.disarm();
      }
    },

    // --- addresses ---------------------------------------------------------

    words: new Map(),
    WORDS_MAX: 4096,
    texts: [[], []],
    TEXTS: 1024,

    /** The 16 octets of an address, as four words in memory's order. */
    toWords(text) {
      let words = DS.words.get(text);
      if (words === undefined) {
        words = new Uint32Array(DS.parse(text).buffer);
        DS.remember(DS.words, text, words, DS.WORDS_MAX);
      }
      return words;
    },

    parse(text) {
      const octets = new Uint8Array(16);
      const scope = text.indexOf('%');
      let rest = scope < 0 ? text : text.slice(0, scope);
      if (rest.includes('.')) {
        // "127.0.0.1" or "::ffff:127.0.0.1"
        const start = rest.lastIndexOf(':') + 1;
        const [a, b, c, d] = rest.slice(start).split('.').map(Number);
        rest = (start === 0 ? '::ffff:' : rest.slice(0, start)) +
          ((a << 8) | b).toString(16) + ':' + ((c << 8) | d).toString(16);
      }
      const [front, back] = rest.split('::').map((half) =>
        half === '' ? [] : half.split(':').map((group) => parseInt(group, 16)));
      const groups = back === undefined ? front :
        [...front, ...Array(Math.max(8 - front.length - back.length, 0)).fill(0),
          ...back];
      groups.slice(0, 8).forEach((group, i) => {
        octets[2 * i] = group >> 8;
        octets[2 * i + 1] = group;
      });
      return octets;
    },

    /** The text of the 16 octets at the word `at`, for a socket's family. */
    toText(at, ipv6) {
      const a = HEAPU32[at];
      const b = HEAPU32[at + 1];
      const c = HEAPU32[at + 2];
      const d = HEAPU32[at + 3];
      const hash = Math.imul(a ^ Math.imul(b ^ Math.imul(c ^
        Math.imul(d, 0x9e3779b1), 0x85ebca6b), 0xc2b2ae35), 0x27d4eb2f);
      const table = DS.texts[ipv6 ? 1 : 0];
      const index = (hash >>> 16) & (DS.TEXTS - 1);
      const entry = table[index];
      if (entry && entry.a === a && entry.b === b && entry.c === c &&
          entry.d === d) {
        return entry.text;
      }
      const text = DS.format(HEAPU8.slice(at << 2, (at << 2) + 16), ipv6);
      table[index] = { a, b, c, d, text };
      return text;
    },

    format(octets, ipv6) {
      if (!ipv6) {
        return octets.subarray(12).join('.');
      }
      const groups = [];
      for (let i = 0; i < 16; i += 2) {
        groups.push(((octets[i] << 8) | octets[i + 1]).toString(16));
      }
      return groups.join(':');
    },
  },

  ds_js_open__deps: ['$DS', '$UTF8ToString'],
  ds_js_open__async: true,
  ds_js_open: (socket, address, port, ipv6Only, receiveBuffer, sendBuffer) =>
    DS.open(socket >>> 0, UTF8ToString(address), port, ipv6Only !== 0,
      receiveBuffer >>> 0, sendBuffer >>> 0),

  ds_js_close__deps: ['$DS'],
  ds_js_close__async: true,
  ds_js_close: (socket) => DS.close(socket >>> 0),

  ds_js_send__deps: ['$DS'],
  ds_js_send: (socket) => {
    DS.write(DS.sockets.get(socket >>> 0));
  },

  ds_wait__deps: ['$DS'],
  ds_wait__async: true,
  ds_wait: (timeout) => DS.wait(timeout),
});
