/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on an open connection: any octets as the payload of 1-RTT packets,
 * from any of several addresses, with time in between.
 *
 *   octet  how the peer and the endpoint are made; bit 7: ALPN h3, not echo
 *   then   packets: octet (what to do), octet (length), the payload
 */
#include "tests/fuzz/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  uint8_t how = fuzz_u8(&in);
  static fuzz_peer peer;

  fuzz_seed(1);
  fuzz_peer_new(&peer, how & 0x80 ? "h3" : "echo", how & 7u, NULL);
  fuzz_peer_shake_hands(&peer);
  while (in.len) {
    uint8_t op = fuzz_u8(&in);
    const uint8_t *frames;
    size_t len = fuzz_u8(&in);

    peer.at = op & 3;
    /* It is not known whether the server finds this address to be right. */
    peer.validated[peer.at] = 1;
    if (op & 4) {
      fuzz_peer_acknowledge(&peer);
    }
    if (op & 8) {
      fuzz_peer_pass(&peer, FUZZ_MILLISECOND << (op >> 4));
    } else if (op & 0x10) {
      /* Far apart, or again. */
      peer.number[FUZZ_APPLICATION] += (uint64_t)(op >> 5) - 1;
    } else {
      /* Key updates, and other IDs. */
      peer.key_phase ^= op >> 5 & 1;
      if (peer.ncids > 1) {
        peer.cid = 1 + (op >> 6) % (peer.ncids - 1);
      }
    }
    len = fuzz_take(&in, &frames, len);
    fuzz_peer_packet(&peer, FUZZ_APPLICATION, frames, len);
  }
  fuzz_peer_pass(&peer, 40 * FUZZ_SECOND);
  fuzz_peer_free(&peer);
  return 0;
}
