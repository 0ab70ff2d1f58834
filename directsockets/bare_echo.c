/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ceiling for the benchmarks on the web: an echo with nothing above the
 * socket.  JavaScript calls
 *
 *   const Module = await factory({onBareEcho: ({port}) => ...});
 *   await Module.ccall('bare_echo_run', 'number', ['string', 'number'],
 *                      ['127.0.0.1', 0], {async: true});
 *
 * and stops it with Module.dsWake(); the answer is 0 or a ds_error.  Before it,
 * Module.onBareEchoOver({echoed, waits, dropped, reopened}) is told the counts.
 *
 * Whoever sends it "flood" gets as many datagrams as the socket takes, for
 * FLOOD_MS: the ceiling for a download (tests/bench/bare_sink.c asks again and
 * again).  Each begins with its number, 8 octets, little-endian.
 */
#include "directsockets/directsockets.h"

#include <emscripten.h>
#include <string.h>

#define BATCH 64

#define FLOOD "flood"
#define FLOOD_MS 500
/* What a QUIC packet may have on a path that is wide enough. */
#define FLOOD_LEN 1452

static ds_datagram flood_to;
static double flood_until;
static uint64_t flood_number;

/* clang-format off */
EM_JS(void, bare_echo_ready, (int port), {
  Module.onBareEcho({port: port});
});

EM_JS(void, bare_echo_over,
      (double echoed, double waits, int dropped, int reopened), {
  Module.onBareEchoOver && Module.onBareEchoOver(
    {echoed: echoed, waits: waits, dropped: dropped, reopened: reopened});
});
/* clang-format on */

static size_t echo(ds_socket *socket) {
  ds_datagram *in[BATCH];
  ds_datagram *out[BATCH];
  size_t room = ds_send_begin(socket, out, BATCH);
  /* What there is no room to answer stays in the ring. */
  size_t n = ds_receive(socket, in, room);
  size_t i;

  for (i = 0; i < n; i++) {
    if (in[i]->len == strlen(FLOOD) &&
        memcmp(in[i]->data, FLOOD, strlen(FLOOD)) == 0) {
      memcpy(&flood_to, in[i], offsetof(ds_datagram, data) + in[i]->len);
      flood_until = emscripten_get_now() + FLOOD_MS;
    }
    memcpy(out[i], in[i], offsetof(ds_datagram, data) + in[i]->len);
  }
  ds_send(socket, n);
  return n;
}

/* Whether there is one. */
static int flood(ds_socket *socket) {
  ds_datagram *out[BATCH];
  size_t room, i;

  if (emscripten_get_now() >= flood_until) {
    return 0;
  }
  do {
    room = ds_send_begin(socket, out, BATCH);
    for (i = 0; i < room; i++) {
      memcpy(out[i], &flood_to, offsetof(ds_datagram, data));
      memset(out[i]->data, (int)i, FLOOD_LEN);
      memcpy(out[i]->data, &flood_number, sizeof(flood_number));
      ++flood_number;
      out[i]->len = FLOOD_LEN;
    }
    ds_send(socket, room);
  } while (room == BATCH);
  return 1;
}

int bare_echo_run(const char *address, int port);

EMSCRIPTEN_KEEPALIVE int bare_echo_run(const char *address, int port) {
  ds_options options = {.address = address, .port = (uint16_t)port};
  ds_counters counters;
  ds_socket *socket;
  uint8_t ip[16];
  uint16_t bound;
  double echoed = 0;
  double waits = 0;
  int flooding = 0;
  int rv = ds_open(&socket, &options);

  if (rv != 0) {
    return rv;
  }
  ds_local(socket, ip, &bound, NULL);
  bare_echo_ready(bound);

  do {
    size_t n;

    /* A flood goes on when the ring has room, or it is over. */
    rv = ds_wait(flooding ? FLOOD_MS : -1);
    waits++;
    while ((n = echo(socket)) > 0) {
      echoed += (double)n;
    }
    flooding = flood(socket);
  } while (rv >= 0 && !(rv & (DS_READY_WAKE | DS_READY_ERROR)));

  rv = rv < 0 ? rv : ds_status(socket);
  ds_count(socket, &counters);
  bare_echo_over(echoed, waits,
                 (int)(counters.dropped_in + counters.dropped_out),
                 (int)counters.reopened);
  ds_close(socket);
  return rv;
}
