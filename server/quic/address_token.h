/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens by which a client shows that it can be reached at its address
 * (RFC 9000 section 8.1).
 *
 * There are two kinds.  A Retry packet gives out one that is good for the
 * handshake it belongs to, from the same address and port, for a few seconds.
 * A NEW_TOKEN frame gives out one for a later connection from the same IP
 * address, within a day, and once: ADDRESS_TOKEN_SPENT of them are remembered,
 * though not over a restart, after which it is good once more.
 */
#ifndef SERVER_QUIC_ADDRESS_TOKEN_H
#define SERVER_QUIC_ADDRESS_TOKEN_H

#include "certmgr/random.h"
#include "server/udp.h"

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TOKEN_KEYLEN 32
#define ADDRESS_TOKEN_MAX NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2
#define ADDRESS_TOKEN_SPENT 1024

#define ADDRESS_TOKEN_RETRY_LIFE (10 * NGTCP2_SECONDS)
#define ADDRESS_TOKEN_NEW_LIFE (24 * 3600 * NGTCP2_SECONDS)

typedef struct address_tokens {
  uint8_t key[ADDRESS_TOKEN_KEYLEN];
  /* Added to every time: tokens are dated by the sum. */
  uint64_t clock;
  /* A part of each token of NEW_TOKEN that was seen lately. */
  uint64_t spent[ADDRESS_TOKEN_SPENT];
  /* How many came that had been good once: too old, or used before. */
  uint64_t expired;
} address_tokens;

typedef enum address_verdict {
  /* No token, or one that means nothing to us: the address is as good as
     unknown. */
  ADDRESS_UNKNOWN,
  ADDRESS_BY_RETRY,
  ADDRESS_BY_NEW_TOKEN,
  /* One that a Retry gave, but not for this: the handshake cannot succeed
     (section 8.1.2), INVALID_TOKEN says so. */
  ADDRESS_REFUSED
} address_verdict;

void address_tokens_init(address_tokens *tokens,
                         const uint8_t key[ADDRESS_TOKEN_KEYLEN],
                         uint64_t clock);
/* Forgets the key. */
void address_tokens_clear(address_tokens *tokens);

/* Both write a token of at most ADDRESS_TOKEN_MAX octets and return its
   length, 0 if cryptography failed.  |scid|: what the Retry packet tells the
   client to use; |odcid|: what it used before. */
size_t address_token_for_retry(const address_tokens *tokens, uint8_t *dest,
                               uint32_t version, const ngtcp2_addr *remote,
                               const ngtcp2_cid *scid, const ngtcp2_cid *odcid,
                               uint64_t now);
size_t address_token_for_later(const address_tokens *tokens, uint8_t *dest,
                               const ngtcp2_addr *remote, uint64_t now);

/* What the token of the Initial |hd| from |remote| is worth.  ADDRESS_BY_RETRY:
   |*odcid| is set. */
address_verdict address_token_check(address_tokens *tokens, ngtcp2_cid *odcid,
                                    const ngtcp2_pkt_hd *hd,
                                    const ngtcp2_addr *remote, uint64_t now);

#endif
