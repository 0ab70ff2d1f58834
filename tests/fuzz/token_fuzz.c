/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address tokens: what was given out is good for what it was given for, what
 * was changed or comes from elsewhere or too late is not.
 *
 *   octet  bit 0: of Retry, else of NEW_TOKEN; bit 1: the token is what
 *          follows, as it is; bits 2 to 4: what is changed
 */
#include "server/quic/address_token.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define NOW UINT64_C(1000000000000)

/* Its verdict, on a copy that is no longer than it must be. */
static address_verdict check(address_tokens *tokens, const uint8_t *token,
                             size_t len, const ngtcp2_cid *dcid,
                             const udp_address *remote, uint64_t now) {
  uint8_t *copy = malloc(len ? len : 1);
  address_verdict verdict;
  ngtcp2_pkt_hd hd;
  ngtcp2_addr addr;
  ngtcp2_cid odcid;

  FUZZ_CHECK(copy != NULL);
  if (len) {
    memcpy(copy, token, len);
  }
  memset(&hd, 0, sizeof(hd));
  hd.version = NGTCP2_PROTO_VER_V1;
  hd.dcid = *dcid;
  hd.token = copy;
  hd.tokenlen = len;
  ngtcp2_addr_init(&addr, &remote->sa, udp_address_len(remote));
  verdict = address_token_check(tokens, &odcid, &hd, &addr, now);
  if (verdict == ADDRESS_BY_RETRY) {
    FUZZ_CHECK(odcid.datalen <= NGTCP2_MAX_CIDLEN);
  }
  free(copy);
  return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t key[ADDRESS_TOKEN_KEYLEN] = {1, 2, 3};
  static address_tokens tokens;
  fuzz_input in = {data, size};
  uint8_t how = fuzz_u8(&in), token[ADDRESS_TOKEN_MAX];
  udp_address remote, other;
  ngtcp2_addr addr;
  ngtcp2_cid scid, odcid;
  address_verdict verdict;
  uint64_t now = NOW;
  size_t len, at;

  fuzz_seed(1);
  FUZZ_CHECK(udp_address_parse(&remote, "192.0.2.1", 1000) == 0);
  FUZZ_CHECK(udp_address_parse(&other, how & 0x20 ? "192.0.2.9" : "2001:db8::1",
                               1000) == 0);
  ngtcp2_addr_init(&addr, &remote.sa, udp_address_len(&remote));
  ngtcp2_cid_init(&scid, key, 16);
  ngtcp2_cid_init(&odcid, key + 3, 8);
  address_tokens_init(&tokens, key, 0);
  if (how & 2) {
    verdict = check(&tokens, in.data, in.len, &scid, &remote, now);
    /* Nobody guesses one. */
    FUZZ_CHECK(verdict == ADDRESS_UNKNOWN || verdict == ADDRESS_REFUSED);
    address_tokens_clear(&tokens);
    return 0;
  }
  len = how & 1 ? address_token_for_retry(&tokens, token, NGTCP2_PROTO_VER_V1,
                                          &addr, &scid, &odcid, now)
                : address_token_for_later(&tokens, token, &addr, now);
  FUZZ_CHECK(len > 0 && len <= sizeof(token));
  switch (how >> 2 & 7) {
  case 0:
    verdict = check(&tokens, token, len, &scid, &remote, now + 5);
    FUZZ_CHECK(verdict == (how & 1 ? ADDRESS_BY_RETRY : ADDRESS_BY_NEW_TOKEN));
    if (!(how & 1)) {
      /* Once. */
      FUZZ_CHECK(check(&tokens, token, len, &scid, &remote, now + 6) ==
                 ADDRESS_UNKNOWN);
    }
    break;
  case 1:
    verdict = check(&tokens, token, len, &scid, &other, now + 5);
    FUZZ_CHECK(verdict == ADDRESS_UNKNOWN || verdict == ADDRESS_REFUSED);
    break;
  case 2:
    now += how & 1 ? ADDRESS_TOKEN_RETRY_LIFE : ADDRESS_TOKEN_NEW_LIFE;
    verdict = check(&tokens, token, len, &scid, &remote,
                    now + 1 + (fuzz_u64(&in) >> 8));
    FUZZ_CHECK(verdict == ADDRESS_UNKNOWN || verdict == ADDRESS_REFUSED);
    break;
  case 3:
    verdict = check(&tokens, token, fuzz_u8(&in) % len, &scid, &remote, now);
    FUZZ_CHECK(verdict == ADDRESS_UNKNOWN || verdict == ADDRESS_REFUSED);
    break;
  default:
    at = fuzz_u8(&in) % len;
    token[at] ^= (uint8_t)(fuzz_u8(&in) | 1);
    verdict = check(&tokens, token, len, &scid, &remote, now + 5);
    FUZZ_CHECK(verdict == ADDRESS_UNKNOWN || verdict == ADDRESS_REFUSED);
  }
  address_tokens_clear(&tokens);
  return 0;
}
