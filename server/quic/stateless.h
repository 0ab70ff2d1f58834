/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to packets that belong to no connection and make none.
 *
 * Each is smaller than a third of what it answers or than all of it, and they
 * wait in a short queue: what finds no room in it, or comes too often, is not
 * answered.
 */
#ifndef SERVER_QUIC_STATELESS_H
#define SERVER_QUIC_STATELESS_H

#include "certmgr/random.h"
#include "server/udp.h"

#include <ngtcp2/ngtcp2.h>
#include <stddef.h>
#include <stdint.h>

#define STATELESS_MAX 64
/* Version negotiation with two connection IDs of 255 octets. */
#define STATELESS_LEN 536
#define STATELESS_SECRETLEN 32

/* Stateless resets and refusals: so many at once, so many a second. */
#define STATELESS_BURST 100
#define STATELESS_RATE 500

typedef struct stateless_answer {
  udp_address remote, local;
  size_t len;
  uint8_t data[STATELESS_LEN];
} stateless_answer;

typedef struct stateless {
  const cm_random *random;
  /* From which reset tokens are derived (RFC 9000 section 10.3.2). */
  uint8_t reset_secret[STATELESS_SECRETLEN];
  size_t count;
  stateless_answer answers[STATELESS_MAX];
  /* What may be sent now, in nanoseconds of the rate. */
  uint64_t credit, credited;
} stateless;

/* |random| must outlive |s|. */
void stateless_init(stateless *s, const cm_random *random,
                    const uint8_t reset_secret[STATELESS_SECRETLEN]);
/* Forgets the secret. */
void stateless_clear(stateless *s);

/* Each returns 1 if |in| will be answered, else 0. */

/* Version Negotiation (section 6.1). */
int stateless_negotiate(stateless *s, const udp_datagram *in,
                        const ngtcp2_version_cid *vc);

/* Stateless reset (section 10.3). */
int stateless_reset(stateless *s, const udp_datagram *in,
                    const ngtcp2_version_cid *vc, uint64_t now);

/* Retry (section 8.1.2): the client shall come again with |scid| as its
   Destination Connection ID and with |token|. */
int stateless_retry(stateless *s, const udp_datagram *in,
                    const ngtcp2_pkt_hd *hd, const ngtcp2_cid *scid,
                    const uint8_t *token, size_t tokenlen);

/* CONNECTION_CLOSE in an Initial (section 10.2.3). */
int stateless_refuse(stateless *s, const udp_datagram *in,
                     const ngtcp2_pkt_hd *hd, uint64_t error_code,
                     uint64_t now);

/* Moves what fits into the free slots of |out|. */
void stateless_send(stateless *s, udp_batch *out);

#endif
