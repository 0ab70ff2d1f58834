/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quic/stateless.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <string.h>

/* A stateless reset must be smaller than what it answers, or two endpoints
   could answer each other for ever (RFC 9000 section 10.3.3); below 41 octets
   it would look like one. */
#define RESET_TRIGGER_MIN 43
#define RESET_LEN_MAX 64

#define COST (NGTCP2_SECONDS / STATELESS_RATE)

void stateless_init(stateless *s, const cm_random *random,
                    const uint8_t reset_secret[STATELESS_SECRETLEN]) {
  s->random = random;
  memcpy(s->reset_secret, reset_secret, sizeof(s->reset_secret));
  s->count = 0;
  s->credit = STATELESS_BURST * COST;
  s->credited = 0;
}

void stateless_clear(stateless *s) {
  ngtcp2_secure_clear(s->reset_secret, sizeof(s->reset_secret));
}

static int fill_random(const stateless *s, void *dest, size_t len) {
  return s->random->fill(s->random->user, dest, len);
}

/* Whether another may be sent at |now|; it is counted. */
static int allowed(stateless *s, uint64_t now) {
  uint64_t most = STATELESS_BURST * COST;

  if (now > s->credited) {
    s->credit = now - s->credited < most - s->credit
                    ? s->credit + (now - s->credited)
                    : most;
    s->credited = now;
  }
  if (s->credit < COST) {
    return 0;
  }
  s->credit -= COST;
  return 1;
}

static stateless_answer *next(stateless *s, const udp_datagram *in) {
  stateless_answer *answer;

  if (s->count == STATELESS_MAX) {
    return NULL;
  }
  answer = &s->answers[s->count];
  answer->remote = in->remote;
  answer->local = in->local;
  return answer;
}

/* |n| octets were written, or an error if it is not above 0. */
static int done(stateless *s, stateless_answer *answer, ngtcp2_ssize n) {
  if (n <= 0) {
    return 0;
  }
  answer->len = (size_t)n;
  ++s->count;
  return 1;
}

int stateless_negotiate(stateless *s, const udp_datagram *in,
                        const ngtcp2_version_cid *vc) {
  static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
  stateless_answer *answer = next(s, in);
  uint8_t unused;

  /* Smaller ones would be amplified. */
  if (in->len < NGTCP2_MAX_UDP_PAYLOAD_SIZE || !answer ||
      fill_random(s, &unused, 1) != 0) {
    return 0;
  }
  return done(s, answer,
              ngtcp2_pkt_write_version_negotiation(
                  answer->data, sizeof(answer->data), unused, vc->scid,
                  vc->scidlen, vc->dcid, vc->dcidlen, versions,
                  sizeof(versions) / sizeof(versions[0])));
}

int stateless_reset(stateless *s, const udp_datagram *in,
                    const ngtcp2_version_cid *vc, uint64_t now) {
  uint8_t unpredictable[RESET_LEN_MAX];
  ngtcp2_stateless_reset_token token;
  stateless_answer *answer = next(s, in);
  size_t randlen;
  ngtcp2_cid cid;

  if (in->len < RESET_TRIGGER_MIN || vc->dcidlen > NGTCP2_MAX_CIDLEN ||
      !answer || !allowed(s, now)) {
    return 0;
  }
  randlen = in->len - 1 - sizeof(token.data);
  if (randlen > sizeof(unpredictable) - sizeof(token.data)) {
    randlen = sizeof(unpredictable) - sizeof(token.data);
  }
  ngtcp2_cid_init(&cid, vc->dcid, vc->dcidlen);
  if (fill_random(s, unpredictable, randlen) != 0 ||
      ngtcp2_crypto_generate_stateless_reset_token(
          token.data, s->reset_secret, sizeof(s->reset_secret), &cid) != 0) {
    return 0;
  }
  return done(s, answer,
              ngtcp2_pkt_write_stateless_reset2(answer->data,
                                                sizeof(answer->data), &token,
                                                unpredictable, randlen));
}

int stateless_retry(stateless *s, const udp_datagram *in,
                    const ngtcp2_pkt_hd *hd, const ngtcp2_cid *scid,
                    const uint8_t *token, size_t tokenlen) {
  stateless_answer *answer = next(s, in);

  return answer && done(s, answer,
                        ngtcp2_crypto_write_retry(
                            answer->data, sizeof(answer->data), hd->version,
                            &hd->scid, scid, &hd->dcid, token, tokenlen));
}

int stateless_refuse(stateless *s, const udp_datagram *in,
                     const ngtcp2_pkt_hd *hd, uint64_t error_code,
                     uint64_t now) {
  stateless_answer *answer = next(s, in);

  return answer && allowed(s, now) &&
         done(s, answer,
              ngtcp2_crypto_write_connection_close(
                  answer->data, sizeof(answer->data), hd->version, &hd->scid,
                  &hd->dcid, error_code, NULL, 0));
}

void stateless_send(stateless *s, udp_batch *out) {
  size_t i;

  for (i = 0; i < s->count && out->count < out->capacity; ++i) {
    const stateless_answer *answer = &s->answers[i];
    udp_datagram *slot = &out->datagrams[out->count++];

    slot->remote = answer->remote;
    slot->local = answer->local;
    slot->ecn = 0;
    slot->len = answer->len;
    memcpy(slot->data, answer->data, answer->len);
  }
  s->count -= i;
  memmove(s->answers, s->answers + i, s->count * sizeof(s->answers[0]));
}
