/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS messages: any octets in CRYPTO, into the real TLS.
 *
 *   octet    bit 0: in the opposite order, bit 1: each packet twice
 *   2 octets how many of what follows are in Initials; the rest is in
 *            Handshake packets
 */
#include "tests/fuzz/peer.h"

#define PIECE 700
#define PIECES_MAX 16
#define NOT_BEFORE INT64_C(1795300000)

static tls_context *context(void) {
  static const char *const hosts[] = {"localhost"};
  static tls_context *tls;
  const tls_config config = {"h3,echo", TLS_PREFER_AES_GCM, NULL, NULL};
  cm_certificate certificate;

  if (!tls) {
    FUZZ_CHECK(tls_startup() == 0);
    FUZZ_CHECK(cm_x509_mint(&certificate, hosts, 1, NOT_BEFORE,
                            NOT_BEFORE + CM_VALIDITY_MAX, &fuzz_random) == 0);
    FUZZ_CHECK(tls_context_new(&tls, &certificate, &config) == 0);
    cm_certificate_wipe(&certificate);
  }
  return tls;
}

static void send_crypto(fuzz_peer *peer, fuzz_space space, const uint8_t *data,
                        size_t len, int backwards, int twice) {
  size_t i, n = (len + PIECE - 1) / PIECE;

  if (n > PIECES_MAX) {
    n = PIECES_MAX;
  }
  for (i = 0; i < n; ++i) {
    size_t at = (backwards ? n - 1 - i : i) * PIECE;
    size_t piece = len - at < PIECE ? len - at : PIECE;
    fuzz_frames frames = {{0}, 0};

    fuzz_put_varint(&frames, 0x06);
    fuzz_put_varint(&frames, at);
    fuzz_put_varint(&frames, piece);
    fuzz_put(&frames, data + at, piece);
    fuzz_peer_packet(peer, space, frames.data, frames.len);
    if (twice) {
      fuzz_peer_packet(peer, space, frames.data, frames.len);
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t how;
  const uint8_t *initial;
  static fuzz_peer peer;
  tls_context *tls;
  size_t len;

  fuzz_seed(1);
  tls = context();
  fuzz_seed(2);
  how = fuzz_u8(&in);
  fuzz_peer_new(&peer, "h3", 0, tls);
  len = fuzz_u16(&in);
  len = fuzz_take(&in, &initial, len);
  send_crypto(&peer, FUZZ_INITIAL, initial, len, how & 1, (how & 2) != 0);
  if (in.len && peer.cid) {
    peer.validated[0] = 1;
    send_crypto(&peer, FUZZ_HANDSHAKE, in.data, in.len, how & 1,
                (how & 2) != 0);
  }
  fuzz_peer_pass(&peer, 15 * FUZZ_SECOND);
  FUZZ_CHECK(quic_endpoint_connections(peer.endpoint) == 0);
  fuzz_peer_free(&peer);
  return 0;
}
