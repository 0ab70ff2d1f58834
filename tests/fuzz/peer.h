/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An endpoint, and a peer that is nothing but octets: it writes packets in the
 * clear (plain.h) with whatever frames it is told to, acknowledges when it is
 * told to, and believes nothing.
 *
 * After every call the following holds, or the target aborts: the endpoint
 * comes to rest, memory is bounded, an address that was never validated was
 * not sent more than three times what came from it, and no connection was
 * closed for an internal error.  When it is freed all of its memory is back.
 */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include "server/apps/room.h"
#include "server/http3/h3.h"
#include "server/quic/endpoint.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_ADDRESSES 4
#define FUZZ_CIDS 8
/* Packet numbers of the server that are remembered. */
#define FUZZ_NUMBERS 4096
#define FUZZ_DATAGRAM_MAX 1452
#define FUZZ_MILLISECOND UINT64_C(1000000)
#define FUZZ_SECOND UINT64_C(1000000000)

/* How the peer and the endpoint are made, or-ed. */
#define FUZZ_NARROW 1u /* the peer's windows are of a few octets */
#define FUZZ_MUTE 2u   /* it takes no datagrams */
#define FUZZ_TIGHT 4u  /* the endpoint's windows are small, its streams few */
#define FUZZ_RETRY 8u  /* the endpoint asks for Retry always */

typedef struct fuzz_peer {
  quic_endpoint *endpoint;
  quic_service services[2];
  h3_service h3;
  const app *apps[5];
  rooms rooms;
  ngtcp2_mem mem;
  size_t memory; /* allocated now, and at most */
  size_t memory_most;
  uint64_t now;
  unsigned how;
  udp_address local, remotes[FUZZ_ADDRESSES];
  size_t at; /* from which address it sends */
  uint64_t received[FUZZ_ADDRESSES], sent[FUZZ_ADDRESSES];
  int validated[FUZZ_ADDRESSES];
  /* The IDs to which it may send, and the one that it does: its own choice,
     the server's, and those of NEW_CONNECTION_ID. */
  ngtcp2_cid cids[FUZZ_CIDS];
  size_t ncids, cid;
  ngtcp2_cid own;
  uint64_t number[3];
  /* The Key Phase bit of 1-RTT packets (RFC 9001 section 6). */
  int key_phase;
  /* What came in 1-RTT packets: which, and the next that is expected. */
  uint8_t seen[FUZZ_NUMBERS / 8];
  uint64_t seen_next;
  /* Of the last Retry packet. */
  uint8_t token[256];
  size_t token_len;
  size_t nends;
  quic_conn_end end; /* the last one */
} fuzz_peer;

/* The packet number space of a packet. */
typedef enum fuzz_space {
  FUZZ_INITIAL,
  FUZZ_HANDSHAKE,
  FUZZ_APPLICATION
} fuzz_space;

/* |alpn|: "h3" or "echo"; |how|: or-ed of the above.  |tls|: for handshakes by
   real TLS; NULL: in the clear. */
void fuzz_peer_new(fuzz_peer *peer, const char *alpn, unsigned how,
                   tls_context *tls);
void fuzz_peer_free(fuzz_peer *peer);

/* Says what leads to an open connection; 1-RTT packets may follow. */
void fuzz_peer_shake_hands(fuzz_peer *peer);
/* The two packets of it: with transport parameters, and with the end. */
void fuzz_peer_begin(fuzz_peer *peer);
void fuzz_peer_finish(fuzz_peer *peer);

/* One datagram as it is, of at most UDP_RECEIVE_MAX octets. */
void fuzz_peer_send(fuzz_peer *peer, const uint8_t *data, size_t len);

/* One datagram with one packet of |len| octets of frames; what is too long is
   cut off. */
void fuzz_peer_packet(fuzz_peer *peer, fuzz_space space, const uint8_t *frames,
                      size_t len);

/* The same for a long header of any |type| and |version|, to any ID and with
   any token (in an Initial). */
void fuzz_peer_long(fuzz_peer *peer, uint8_t type, uint32_t version,
                    const ngtcp2_cid *cid, const uint8_t *token,
                    size_t tokenlen, const uint8_t *frames, size_t len);

/* Acknowledges all that has come. */
void fuzz_peer_acknowledge(fuzz_peer *peer);

/* Lets time pass; the endpoint is called when it asks for it. */
void fuzz_peer_pass(fuzz_peer *peer, uint64_t nanoseconds);

/* ---- Frames ---- */

typedef struct fuzz_frames {
  uint8_t data[FUZZ_DATAGRAM_MAX];
  size_t len;
} fuzz_frames;

/* What does not fit is left out. */
void fuzz_put_varint(fuzz_frames *frames, uint64_t value);
void fuzz_put(fuzz_frames *frames, const uint8_t *data, size_t len);
/* STREAM with its length and offset. */
void fuzz_put_stream(fuzz_frames *frames, uint64_t id, uint64_t offset,
                     const uint8_t *data, size_t len, int fin);

#endif
