/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole datagrams into an endpoint, from several addresses, with time in
 * between: any octets, packets of every kind with any frames, tokens as they
 * were given out or changed, handshakes that go on or do not.
 *
 *   octet  how the peer and the endpoint are made; bit 4: ALPN h3, not echo
 *   then   steps: octet (what, from which address), and what belongs to it
 */
#include "tests/fuzz/peer.h"

#include <string.h>

typedef enum step {
  STEP_RAW,
  STEP_LONG,
  STEP_INITIAL,
  STEP_HANDSHAKE,
  STEP_SHORT,
  STEP_BEGIN,
  STEP_FINISH,
  STEP_PASS
} step;

static void send_raw(fuzz_peer *peer, fuzz_input *in) {
  fuzz_frames datagram = {{0}, 0};
  uint8_t kind = fuzz_u8(in);
  const uint8_t *data;
  size_t len = fuzz_u8(in);

  len = fuzz_take(in, &data, len);
  fuzz_put(&datagram, data, len);
  if (kind & 1 && peer->cid && datagram.len > 1 + NGTCP2_MAX_CIDLEN) {
    /* To a connection that there is. */
    memcpy(datagram.data + 1, peer->cids[1].data, peer->cids[1].datalen);
  }
  if (kind & 2) {
    datagram.len = 1200;
  }
  fuzz_peer_send(peer, datagram.data, datagram.len);
}

static void send_long(fuzz_peer *peer, fuzz_input *in) {
  static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2,
                                      0, 0x0a0a0a0a};
  uint8_t type = fuzz_u8(in) | 0x80, kind = fuzz_u8(in);
  const uint8_t *data, *token = NULL;
  uint8_t changed[sizeof(peer->token)];
  size_t len, tokenlen = 0;
  ngtcp2_cid cid;

  if (kind & 4) {
    len = fuzz_u8(in) % (NGTCP2_MAX_CIDLEN + 1);
    len = fuzz_take(in, &data, len);
    ngtcp2_cid_init(&cid, data, len);
  } else {
    cid = peer->cids[kind >> 3 & 1 ? peer->cid : 0];
  }
  if (kind & 0x20) {
    tokenlen = fuzz_u8(in);
    tokenlen = fuzz_take(in, &token, tokenlen);
  } else if (kind & 0x40 && peer->token_len) {
    memcpy(changed, peer->token, peer->token_len);
    token = changed;
    tokenlen = peer->token_len;
    if (kind & 0x80) {
      changed[fuzz_u8(in) % tokenlen] ^= fuzz_u8(in);
    } else {
      peer->validated[peer->at] = 1;
    }
  }
  len = fuzz_u8(in);
  len = fuzz_take(in, &data, len);
  fuzz_peer_long(peer, type, versions[kind & 3], &cid, token, tokenlen, data,
                 len);
}

static void send_packet(fuzz_peer *peer, fuzz_space space, fuzz_input *in) {
  const uint8_t *data;
  size_t len = fuzz_u8(in);

  len = fuzz_take(in, &data, len);
  if (space == FUZZ_HANDSHAKE ||
      (space == FUZZ_APPLICATION && len && memchr(data, 0x1b, len))) {
    peer->validated[peer->at] = 1;
  }
  fuzz_peer_packet(peer, space, data, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t how = fuzz_u8(&in);
  static fuzz_peer peer;

  fuzz_seed(1);
  fuzz_peer_new(&peer, how & 0x10 ? "h3" : "echo", how & 15u, NULL);
  while (in.len) {
    uint8_t op = fuzz_u8(&in);

    peer.at = op >> 3 & 3;
    if (op & 0x80) {
      peer.cid = 0;
    } else if (op & 0x40 && peer.ncids > 1) {
      peer.cid = 1;
    }
    switch ((step)(op & 7)) {
    case STEP_RAW:
      send_raw(&peer, &in);
      break;
    case STEP_LONG:
      send_long(&peer, &in);
      break;
    case STEP_INITIAL:
      send_packet(&peer, FUZZ_INITIAL, &in);
      break;
    case STEP_HANDSHAKE:
      send_packet(&peer, FUZZ_HANDSHAKE, &in);
      break;
    case STEP_SHORT:
      send_packet(&peer, FUZZ_APPLICATION, &in);
      break;
    case STEP_BEGIN:
      if (peer.token_len) {
        peer.validated[peer.at] = 1;
      }
      fuzz_peer_begin(&peer);
      break;
    case STEP_FINISH:
      fuzz_peer_finish(&peer);
      break;
    case STEP_PASS:
      fuzz_peer_pass(&peer, FUZZ_MILLISECOND << (fuzz_u8(&in) & 15));
      break;
    }
  }
  /* Longer than the idle timeout: a peer may make the round trip time look as
     long as it likes, and three probe timeouts count (RFC 9000 section
     10.1). */
  fuzz_peer_pass(&peer, 3600 * FUZZ_SECOND);
  FUZZ_CHECK(quic_endpoint_connections(peer.endpoint) == 0);
  fuzz_peer_free(&peer);
  return 0;
}
