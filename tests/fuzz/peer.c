/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/peer.h"

#include "server/apps/echo.h"
#include "server/apps/measure.h"
#include "server/quic/echo.h"
#include "server/varint.h"
#include "tests/fuzz/plain.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define OWN_CID_LEN 8
#define SLOTS 16
/* Rounds of sending without any time passing, until it is taken for endless;
   more than fill the largest window. */
#define ROUNDS_MAX 4096
/* Far more than one connection's windows and queues. */
#define MEMORY_MAX (64u << 20)

#define FRAME_ACK 0x02
#define FRAME_CRYPTO 0x06
#define FRAME_STREAM 0x08
#define FRAME_NEW_CONNECTION_ID 0x18
#define STREAM_FIN 0x01
#define STREAM_LEN 0x02
#define STREAM_OFF 0x04

/* ---- Memory ---- */

/* |size| octets more, or less if it is negative. */
static void count(fuzz_peer *peer, ptrdiff_t size) {
  peer->memory += (size_t)size;
  if (peer->memory > peer->memory_most) {
    peer->memory_most = peer->memory;
  }
}

static void *counted_malloc(size_t size, void *user) {
  void *ptr = malloc(size);

  count(user, (ptrdiff_t)malloc_usable_size(ptr));
  return ptr;
}

static void *counted_calloc(size_t n, size_t size, void *user) {
  void *ptr = calloc(n, size);

  count(user, (ptrdiff_t)malloc_usable_size(ptr));
  return ptr;
}

static void counted_free(void *ptr, void *user) {
  count(user, -(ptrdiff_t)malloc_usable_size(ptr));
  free(ptr);
}

static void *counted_realloc(void *ptr, size_t size, void *user) {
  count(user, -(ptrdiff_t)malloc_usable_size(ptr));
  ptr = realloc(ptr, size);
  count(user, (ptrdiff_t)malloc_usable_size(ptr));
  return ptr;
}

/* ---- What it serves ---- */

static int get(void *user, const char *path, char **pbody, size_t *plen,
               const char **content_type) {
  (void)user;
  (void)content_type;
  if (strncmp(path, "/large", 6) == 0) {
    *plen = 100000;
  } else if (strcmp(path, "/") == 0) {
    *plen = 3;
  } else {
    return 404;
  }
  *pbody = calloc(1, *plen);
  FUZZ_CHECK(*pbody != NULL);
  return 200;
}

static void on_end(void *user, const quic_conn *conn,
                   const quic_conn_end *end) {
  fuzz_peer *peer = user;
  (void)conn;

  ++peer->nends;
  peer->end = *end;
  if (!end->by_peer && !end->idle) {
    FUZZ_CHECK(end->type != NGTCP2_CCERR_TYPE_TRANSPORT ||
               end->error_code != NGTCP2_INTERNAL_ERROR);
    FUZZ_CHECK(end->type != NGTCP2_CCERR_TYPE_APPLICATION ||
               end->error_code != NGHTTP3_H3_INTERNAL_ERROR);
  }
}

/* ---- Frames ---- */

void fuzz_put(fuzz_frames *frames, const uint8_t *data, size_t len) {
  if (len && len <= sizeof(frames->data) - frames->len) {
    memcpy(frames->data + frames->len, data, len);
    frames->len += len;
  }
}

void fuzz_put_varint(fuzz_frames *frames, uint64_t value) {
  frames->len +=
      varint_put(frames->data + frames->len, sizeof(frames->data) - frames->len,
                 value & VARINT_MAX);
}

void fuzz_put_stream(fuzz_frames *frames, uint64_t id, uint64_t offset,
                     const uint8_t *data, size_t len, int fin) {
  fuzz_put_varint(frames, FRAME_STREAM | STREAM_OFF | STREAM_LEN |
                              (fin ? STREAM_FIN : 0));
  fuzz_put_varint(frames, id);
  fuzz_put_varint(frames, offset);
  fuzz_put_varint(frames, len);
  fuzz_put(frames, data, len);
}

/* ---- In ---- */

static void see(fuzz_peer *peer, uint64_t truncated, unsigned bits) {
  uint64_t window = UINT64_C(1) << bits;
  /* RFC 9000 appendix A.3. */
  uint64_t number = (peer->seen_next & ~(window - 1)) | truncated;

  if (number + window / 2 <= peer->seen_next) {
    number += window;
  } else if (number > peer->seen_next + window / 2 && number >= window) {
    number -= window;
  }
  if (number < FUZZ_NUMBERS) {
    peer->seen[number / 8] |= (uint8_t)(1u << (number % 8));
  }
  if (number >= peer->seen_next) {
    peer->seen_next = number + 1;
  }
}

/* Whatever looks like NEW_CONNECTION_ID (section 19.15), with its sequence
   number and Retire Prior To in one octet each. */
static void note_cids(fuzz_peer *peer, const uint8_t *data, size_t len) {
  size_t i;

  for (i = 0; i + 4 + QUIC_SCIDLEN + 16 <= len && peer->ncids >= 2 &&
              peer->ncids < FUZZ_CIDS;
       ++i) {
    if (data[i] == FRAME_NEW_CONNECTION_ID && data[i + 1] == peer->ncids - 1 &&
        data[i + 3] == QUIC_SCIDLEN) {
      ngtcp2_cid_init(&peer->cids[peer->ncids++], data + i + 4, QUIC_SCIDLEN);
      i += 3 + QUIC_SCIDLEN + 16;
    }
  }
}

/* The server sends to nobody else. */
static size_t address_index(const fuzz_peer *peer, const udp_address *remote) {
  size_t i;

  for (i = 0; i < FUZZ_ADDRESSES; ++i) {
    if (udp_address_eq(remote, &peer->remotes[i])) {
      return i;
    }
  }
  fuzz_fail("an address of the peer", __FILE__, __LINE__);
}

/* Looks at what the server sent for all that the peer has to know. */
static void take_in(fuzz_peer *peer, const udp_datagram *out) {
  const uint8_t *data = out->data;
  size_t i, n;

  FUZZ_CHECK(out->len > 0 && out->len <= UDP_SEND_MAX);
  i = address_index(peer, &out->remote);
  peer->sent[i] += out->len;
  FUZZ_CHECK(peer->validated[i] || peer->sent[i] <= 3 * peer->received[i]);
  if (data[0] & 0x80) {
    /* The ID that the server chose, of a Retry packet too. */
    if (out->len >= 7 && data[5] == peer->own.datalen &&
        out->len > 6u + data[5] && memcmp(data + 1, "\0\0\0", 3) == 0 &&
        data[4] == 1) {
      n = data[6 + data[5]];
      if (n <= NGTCP2_MAX_CIDLEN && out->len >= 7u + data[5] + n) {
        ngtcp2_cid_init(&peer->cids[1], data + 7 + data[5], n);
        if (peer->ncids < 2) {
          peer->ncids = 2;
        }
        peer->cid = 1;
        n += 7u + data[5];
        if ((data[0] & 0x30) == 0x30 && out->len >= n + FUZZ_TAG_LEN &&
            out->len - n - FUZZ_TAG_LEN <= sizeof(peer->token)) {
          peer->token_len = out->len - n - FUZZ_TAG_LEN;
          memcpy(peer->token, data + n, peer->token_len);
        }
      }
    }
    return;
  }
  if (out->len > 1u + OWN_CID_LEN + 4 &&
      memcmp(data + 1, peer->own.data, OWN_CID_LEN) == 0) {
    uint64_t truncated = 0;

    n = (data[0] & 3u) + 1;
    for (i = 0; i < n; ++i) {
      truncated = truncated << 8 | data[1 + OWN_CID_LEN + i];
    }
    see(peer, truncated, (unsigned)(8 * n));
    note_cids(peer, data + 1 + OWN_CID_LEN + n, out->len - 1 - OWN_CID_LEN - n);
  }
}

static void pump(fuzz_peer *peer) {
  static uint8_t octets[SLOTS][UDP_SEND_MAX];
  udp_datagram datagrams[SLOTS];
  udp_batch out = {datagrams, 0, SLOTS};
  size_t i, rounds = 0;
  int more;

  for (i = 0; i < SLOTS; ++i) {
    memset(&datagrams[i], 0, sizeof(datagrams[i]));
    datagrams[i].data = octets[i];
  }
  do {
    out.count = 0;
    more = quic_endpoint_send(peer->endpoint, &out, peer->now);
    for (i = 0; i < out.count; ++i) {
      take_in(peer, &datagrams[i]);
    }
    FUZZ_CHECK(++rounds < ROUNDS_MAX);
  } while (more || quic_endpoint_deadline(peer->endpoint) <= peer->now);
  FUZZ_CHECK(peer->memory < MEMORY_MAX);
}

/* ---- Out ---- */

void fuzz_peer_send(fuzz_peer *peer, const uint8_t *data, size_t len) {
  udp_datagram datagram;
  udp_batch in = {&datagram, 1, 0};

  if (len > UDP_RECEIVE_MAX) {
    len = UDP_RECEIVE_MAX;
  }
  memset(&datagram, 0, sizeof(datagram));
  datagram.local = peer->local;
  datagram.remote = peer->remotes[peer->at];
  /* On its own, so that no octet beside it is read; it may be written to. */
  datagram.data = malloc(len ? len : 1);
  FUZZ_CHECK(datagram.data != NULL);
  if (len) {
    memcpy(datagram.data, data, len);
  }
  datagram.len = len;
  peer->received[peer->at] += len;
  quic_endpoint_receive(peer->endpoint, &in, peer->now);
  free(datagram.data);
  pump(peer);
}

/* The packet number, the payload and its tag.  PADDING is zeros. */
static void finish_packet(fuzz_peer *peer, fuzz_frames *packet, uint64_t number,
                          const uint8_t *frames, size_t len, size_t padding) {
  static const uint8_t zeros[1200];
  uint8_t octets[4];
  size_t i;

  for (i = 0; i < sizeof(octets); ++i) {
    octets[i] = (uint8_t)(number >> (24 - 8 * i));
  }
  fuzz_put(packet, octets, sizeof(octets));
  fuzz_put(packet, frames, len);
  fuzz_put(packet, zeros, padding + FUZZ_TAG_LEN);
  fuzz_peer_send(peer, packet->data, packet->len);
}

void fuzz_peer_long(fuzz_peer *peer, uint8_t type, uint32_t version,
                    const ngtcp2_cid *cid, const uint8_t *token,
                    size_t tokenlen, const uint8_t *frames, size_t len) {
  /* RFC 9000 section 17.2; the types are those of version 1. */
  int initial = (type & 0x30) == 0;
  fuzz_space space = initial ? FUZZ_INITIAL : FUZZ_HANDSHAKE;
  fuzz_frames packet = {{0}, 0};
  uint8_t octets[4];
  size_t i, padding;

  if (len > FUZZ_DATAGRAM_MAX - 400) {
    len = FUZZ_DATAGRAM_MAX - 400;
  }
  padding = initial && len < 1180 ? 1180 - len : 0;
  fuzz_put(&packet, &type, 1);
  for (i = 0; i < sizeof(octets); ++i) {
    octets[i] = (uint8_t)(version >> (24 - 8 * i));
  }
  fuzz_put(&packet, octets, sizeof(octets));
  fuzz_put_varint(&packet, cid->datalen);
  fuzz_put(&packet, cid->data, cid->datalen);
  fuzz_put_varint(&packet, peer->own.datalen);
  fuzz_put(&packet, peer->own.data, peer->own.datalen);
  if (initial) {
    fuzz_put_varint(&packet, tokenlen);
    fuzz_put(&packet, token, tokenlen);
  }
  fuzz_put_varint(&packet, 4 + len + padding + FUZZ_TAG_LEN);
  finish_packet(peer, &packet, peer->number[space]++, frames, len, padding);
}

void fuzz_peer_packet(fuzz_peer *peer, fuzz_space space, const uint8_t *frames,
                      size_t len) {
  static const uint8_t first[] = {0xc3, 0xe3, 0x43};
  const ngtcp2_cid *cid = &peer->cids[peer->cid];
  fuzz_frames packet = {{0}, 0};
  uint8_t flags;

  if (space != FUZZ_APPLICATION) {
    fuzz_peer_long(peer, first[space], NGTCP2_PROTO_VER_V1, cid, NULL, 0,
                   frames, len);
    return;
  }
  if (len > FUZZ_DATAGRAM_MAX - 100) {
    len = FUZZ_DATAGRAM_MAX - 100;
  }
  flags = (uint8_t)(first[space] | (peer->key_phase ? 0x04 : 0));
  fuzz_put(&packet, &flags, 1);
  fuzz_put(&packet, cid->data, cid->datalen);
  finish_packet(peer, &packet, peer->number[space]++, frames, len, 0);
}

static int is_seen(const fuzz_peer *peer, uint64_t number) {
  return peer->seen[number / 8] >> (number % 8) & 1;
}

/* RFC 9000 section 19.3.1. */
void fuzz_peer_acknowledge(fuzz_peer *peer) {
  fuzz_frames ack = {{0}, 0};
  uint64_t next =
      peer->seen_next < FUZZ_NUMBERS ? peer->seen_next : FUZZ_NUMBERS;
  uint64_t ranges[2 * 32];
  size_t i, n = 0;

  while (next && n < sizeof(ranges) / sizeof(ranges[0])) {
    while (next && !is_seen(peer, next - 1)) {
      --next;
    }
    if (!next) {
      break;
    }
    ranges[n++] = next - 1;
    while (next && is_seen(peer, next - 1)) {
      --next;
    }
    ranges[n++] = next;
  }
  if (n == 0) {
    return;
  }
  fuzz_put_varint(&ack, FRAME_ACK);
  fuzz_put_varint(&ack, ranges[0]);
  fuzz_put_varint(&ack, 0);
  fuzz_put_varint(&ack, n / 2 - 1);
  fuzz_put_varint(&ack, ranges[0] - ranges[1]);
  for (i = 2; i < n; i += 2) {
    fuzz_put_varint(&ack, ranges[i - 1] - ranges[i] - 2);
    fuzz_put_varint(&ack, ranges[i] - ranges[i + 1]);
  }
  fuzz_peer_packet(peer, FUZZ_APPLICATION, ack.data, ack.len);
}

void fuzz_peer_pass(fuzz_peer *peer, uint64_t nanoseconds) {
  uint64_t until = peer->now + nanoseconds, deadline;
  size_t rounds = 0;

  while ((deadline = quic_endpoint_deadline(peer->endpoint)) <= until) {
    if (deadline > peer->now) {
      peer->now = deadline;
    }
    pump(peer);
    /* A timer a millisecond, for ten seconds. */
    FUZZ_CHECK(++rounds < 10 * ROUNDS_MAX);
  }
  peer->now = until;
  pump(peer);
}

/* ---- Life ---- */

static void address(udp_address *dest, const char *text, uint16_t port) {
  FUZZ_CHECK(udp_address_parse(dest, text, port) == 0);
}

void fuzz_peer_new(fuzz_peer *peer, const char *alpn, unsigned how,
                   tls_context *tls) {
  static const uint8_t first_cid[8] = {0xf1, 2, 3, 4, 5, 6, 7, 8};
  static const uint8_t own_cid[OWN_CID_LEN] = {0xc1, 9, 9, 9, 9, 9, 9, 9};
  quic_endpoint_config config;
  size_t napps = 0;

  memset(peer, 0, sizeof(*peer));
  fuzz_plain(tls ? FUZZ_PLAIN_PACKETS : FUZZ_PLAIN_ALL, alpn);
  peer->how = how;
  peer->now = FUZZ_SECOND;
  peer->mem = (ngtcp2_mem){.user_data = peer,
                           .malloc = counted_malloc,
                           .free = counted_free,
                           .calloc = counted_calloc,
                           .realloc = counted_realloc};
  address(&peer->local, "10.0.0.1", 4433);
  address(&peer->remotes[0], "10.0.0.2", 1000);
  address(&peer->remotes[1], "10.0.0.2", 1001);
  address(&peer->remotes[2], "10.9.0.3", 1000);
  address(&peer->remotes[3], "2001:db8::1", 1000);
  ngtcp2_cid_init(&peer->cids[0], first_cid, sizeof(first_cid));
  peer->ncids = 1;
  ngtcp2_cid_init(&peer->own, own_cid, sizeof(own_cid));

  rooms_init(&peer->rooms);
  peer->apps[napps++] = &app_echo;
  peer->apps[napps++] = &app_sink;
  peer->apps[napps++] = &app_source;
  peer->apps[napps++] = rooms_app(&peer->rooms);
  peer->h3.get = get;
  peer->h3.webtransport.apps = peer->apps;
  peer->h3.webtransport.napps = napps;
  peer->h3.webtransport.sessions_max = 4;
  peer->services[0] = (quic_service){&h3_protocol, &peer->h3};
  peer->services[1] = (quic_service){&quic_echo, NULL};

  memset(&config, 0, sizeof(config));
  config.mem = &peer->mem;
  config.random = &fuzz_random;
  quic_conn_limits_default(&config.limits);
  if (how & FUZZ_TIGHT) {
    config.limits.stream_window = 64;
    config.limits.connection_window = 256;
    config.limits.streams_bidi = 4;
    config.limits.streams_uni = 4;
  }
  config.services = peer->services;
  config.nservices = 2;
  config.connections_max = 16;
  config.retry = how & FUZZ_RETRY ? QUIC_RETRY_ALWAYS : QUIC_RETRY_WHEN_BUSY;
  config.on_end = on_end;
  config.user = peer;
  /* Anything but NULL: nobody looks at it. */
  FUZZ_CHECK(quic_endpoint_new(&peer->endpoint, &config,
                               tls ? tls : (tls_context *)(void *)peer) == 0);
}

void fuzz_peer_free(fuzz_peer *peer) {
  quic_endpoint_free(peer->endpoint);
  FUZZ_CHECK(peer->memory == 0);
}

void fuzz_peer_begin(fuzz_peer *peer) {
  ngtcp2_transport_params params;
  fuzz_frames frames = {{0}, 0};
  uint8_t encoded[256];
  ngtcp2_ssize n;
  uint64_t window = peer->how & FUZZ_NARROW ? 4 : 1u << 20;

  ngtcp2_transport_params_default(&params);
  params.initial_max_stream_data_bidi_local = window;
  params.initial_max_stream_data_bidi_remote = window;
  params.initial_max_stream_data_uni = window;
  params.initial_max_data = window;
  params.initial_max_streams_bidi = 100;
  /* Three control streams must get through. */
  params.initial_max_streams_uni = peer->how & FUZZ_NARROW ? 3 : 100;
  params.max_idle_timeout = 30 * FUZZ_SECOND;
  params.max_datagram_frame_size = peer->how & FUZZ_MUTE ? 0 : 65535;
  params.active_connection_id_limit = 7;
  params.initial_scid = peer->own;
  params.initial_scid_present = 1;
  n = ngtcp2_transport_params_encode(encoded, sizeof(encoded), &params);
  FUZZ_CHECK(n > 0);
  fuzz_put_varint(&frames, FRAME_CRYPTO);
  fuzz_put_varint(&frames, 0);
  fuzz_put_varint(&frames, (uint64_t)n);
  fuzz_put(&frames, encoded, (size_t)n);
  fuzz_peer_long(peer, 0xc3, NGTCP2_PROTO_VER_V1, &peer->cids[peer->cid],
                 peer->token, peer->token_len, frames.data, frames.len);
}

void fuzz_peer_finish(fuzz_peer *peer) {
  /* As long as it says that it is. */
  static const uint8_t finished[52] = {20, 0, 0, 48};
  fuzz_frames frames = {{0}, 0};

  fuzz_put_varint(&frames, FRAME_CRYPTO);
  fuzz_put_varint(&frames, 0);
  fuzz_put_varint(&frames, sizeof(finished));
  fuzz_put(&frames, finished, sizeof(finished));
  peer->validated[peer->at] = 1;
  fuzz_peer_packet(peer, FUZZ_HANDSHAKE, frames.data, frames.len);
}

void fuzz_peer_shake_hands(fuzz_peer *peer) {
  fuzz_peer_begin(peer);
  FUZZ_CHECK(peer->cid == 1);
  peer->now += 10 * FUZZ_MILLISECOND;
  fuzz_peer_finish(peer);
  FUZZ_CHECK(quic_endpoint_get_counters(peer->endpoint)->handshakes_completed ==
             1);
}
