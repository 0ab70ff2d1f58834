/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/address_token.h"

#include <string.h>

/* A century. */
#define FOR_EVER (UINT64_C(100) * 366 * 86400 * NGTCP2_SECONDS)

void address_tokens_init(address_tokens *tokens,
                         const uint8_t key[ADDRESS_TOKEN_KEYLEN],
                         uint64_t clock) {
  memset(tokens, 0, sizeof(*tokens));
  memcpy(tokens->key, key, sizeof(tokens->key));
  tokens->clock = clock;
}

void address_tokens_clear(address_tokens *tokens) {
  ngtcp2_secure_clear(tokens->key, sizeof(tokens->key));
}

size_t address_token_for_retry(const address_tokens *tokens, uint8_t *dest,
                               uint32_t version, const ngtcp2_addr *remote,
                               const ngtcp2_cid *scid, const ngtcp2_cid *odcid,
                               uint64_t now) {
  ngtcp2_ssize n = ngtcp2_crypto_generate_retry_token2(
      dest, tokens->key, sizeof(tokens->key), version, remote->addr,
      remote->addrlen, scid, odcid, tokens->clock + now);

  return n < 0 ? 0 : (size_t)n;
}

size_t address_token_for_later(const address_tokens *tokens, uint8_t *dest,
                               const ngtcp2_addr *remote, uint64_t now) {
  ngtcp2_ssize n = ngtcp2_crypto_generate_regular_token(
      dest, tokens->key, sizeof(tokens->key), remote->addr, remote->addrlen,
      tokens->clock + now);

  return n < 0 ? 0 : (size_t)n;
}

/* Whether a valid token is seen for the first time; it is remembered.  Its end
   is random and authenticated, so nobody chooses which one it pushes out. */
static int spend(address_tokens *tokens, const uint8_t *token, size_t len) {
  uint64_t mark[2];
  uint64_t *place;

  memcpy(mark, token + len - sizeof(mark), sizeof(mark));
  place = &tokens->spent[mark[0] % ADDRESS_TOKEN_SPENT];
  if (*place == mark[1]) {
    return 0;
  }
  *place = mark[1];
  return 1;
}

/* Whether NEW_TOKEN gave this one to |remote|, |life| nanoseconds ago at
   most. */
static int is_given(const address_tokens *tokens, const ngtcp2_pkt_hd *hd,
                    const ngtcp2_addr *remote, uint64_t life, uint64_t now) {
  return ngtcp2_crypto_verify_regular_token(
             hd->token, hd->tokenlen, tokens->key, sizeof(tokens->key),
             remote->addr, remote->addrlen, life, now) == 0;
}

address_verdict address_token_check(address_tokens *tokens, ngtcp2_cid *odcid,
                                    const ngtcp2_pkt_hd *hd,
                                    const ngtcp2_addr *remote, uint64_t now) {
  now += tokens->clock;
  if (hd->tokenlen == 0) {
    return ADDRESS_UNKNOWN;
  }
  /* Whatever looks like a Retry's and is not right was altered or is replayed
     from elsewhere, or is late, or its key is gone: in each case the client
     would not accept another Retry. */
  if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2 &&
      hd->tokenlen == NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2) {
    return ngtcp2_crypto_verify_retry_token2(
               odcid, hd->token, hd->tokenlen, tokens->key, sizeof(tokens->key),
               hd->version, remote->addr, remote->addrlen, &hd->dcid,
               ADDRESS_TOKEN_RETRY_LIFE, now) == 0
               ? ADDRESS_BY_RETRY
               : ADDRESS_REFUSED;
  }
  if (hd->token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR ||
      hd->tokenlen != NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN) {
    return ADDRESS_UNKNOWN;
  }
  if (is_given(tokens, hd, remote, ADDRESS_TOKEN_NEW_LIFE, now)) {
    if (spend(tokens, hd->token, hd->tokenlen)) {
      return ADDRESS_BY_NEW_TOKEN;
    }
    ++tokens->expired;
  } else if (is_given(tokens, hd, remote, FOR_EVER, now)) {
    ++tokens->expired;
  }
  return ADDRESS_UNKNOWN;
}
