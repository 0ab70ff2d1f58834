/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a handshake failed, for an operator.
 *
 * A browser tells the page no more than "Opening handshake failed."; the
 * server is told more, by the alert in CONNECTION_CLOSE (RFC 9001 section 4.8,
 * RFC 8446 section 6).  Which browser says what was measured with Chromium 156
 * and Firefox ESR 153; other clients may use the same alerts, or others (Deno:
 * certificate_expired, unknown_ca).  Firefox tries
 * each failing connect twice.
 *
 * Pure: no clock, no allocation, no output.
 */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include "certmgr/x509.h"
#include "server/quic/conn.h"
#include "server/udp.h"

#include <stddef.h>
#include <stdint.h>

/* How a handshake came out.  The names (refusal_kind_name()) are labels of
   metrics: they stay. */
typedef enum refusal_kind {
  /* It was completed. */
  REFUSAL_OK,
  /* certificate_unknown: expired, not yet valid, or the hash is not named. */
  REFUSAL_VERIFIER_CHROMIUM,
  /* illegal_parameter: keyUsage does not fit. */
  REFUSAL_KEY_USAGE_CHROMIUM,
  /* unsupported_certificate: as Chromium's certificate_unknown. */
  REFUSAL_VERIFIER_FIREFOX,
  /* bad_certificate: issuer and serial number were seen before, with another
     key. */
  REFUSAL_SERIAL_REUSED_FIREFOX,
  /* handshake_failure, by us. */
  REFUSAL_NO_COMMON_SIGNATURE,
  /* no_application_protocol, by either side. */
  REFUSAL_NO_APPLICATION_PROTOCOL,
  /* The client fell silent. */
  REFUSAL_TIMEOUT,
  REFUSAL_OTHER
} refusal_kind;

#define REFUSAL_KIND_COUNT 9

typedef struct refusal {
  refusal_kind kind;
  /* Who refused: "chromium", "firefox", "server" (this one), "client" (some
     other), "nobody".  Static. */
  const char *by;
  /* As it was on the wire; 0 if nobody said anything. */
  uint64_t error_code;
  /* As in quic_conn_end: the client's own words, not to be trusted. */
  const uint8_t *reason;
  size_t reason_len;
  /* There is something to be told to an operator: not of what this server
     brought about itself, nor of packets that were no handshake at all. */
  int telling;
} refusal;

/* What else is known. */
typedef struct refusal_facts {
  /* The certificate that was served. */
  const uint8_t *certificate; /* CM_HASH_LEN octets */
  /* For how many seconds its hash has been published; -1: unknown. */
  int64_t published;
  /* Seconds since its notBefore and until its notAfter, by this server's
     clock; -1: unknown. */
  int64_t valid_since, valid_for;
  /* This server's own clock is in doubt. */
  int clock_doubt;
} refusal_facts;

/* Room for every text, with NUL. */
#define REFUSAL_TEXT_MAX 320

/* How the connection that ended with |end| came out. */
refusal refusal_decode(const quic_conn_end *end);

/* "ok", "refused_verifier_chromium", …: static. */
const char *refusal_kind_name(refusal_kind kind);

/* Writes one line in English, without newline and full stop; cut off if
   |destlen|, at least 1, is less than REFUSAL_TEXT_MAX.  Of the client's own
   words it has the beginning, in printable ASCII.  Returns |dest|. */
const char *refusal_text(char *dest, size_t destlen, const refusal *r,
                         const refusal_facts *facts);

/* ---- Many of them ---- */

/* Lines that are remembered: for each kind and certificate one. */
#define REFUSALS_LINES 16

/* The same is told once in so many seconds. */
#define REFUSALS_INTERVAL 60

typedef struct refusal_line {
  refusal_kind kind;
  const char *by;
  uint8_t certificate[CM_HASH_LEN];
  /* Of the last one. */
  char text[REFUSAL_TEXT_MAX];
  char peer[UDP_ADDRESS_TEXT_MAX];
  int64_t time; /* seconds since 1970 UTC */
  /* In all, and since it was told. */
  uint64_t count;
  uint64_t untold;
  /* Of the line that refusals_next() gives: how many it stands for. */
  uint64_t since;
  /* Monotonic, in seconds; valid if |told|. */
  int64_t told_at;
  int told;
  /* Grows with each refusal: the line with the least is forgotten first. */
  uint64_t order;
} refusal_line;

/* All zeros is none. */
typedef struct refusals {
  /* Connections that ended, by kind.  The handshakes that were completed are
     quic_endpoint_counters.handshakes_completed: most have not ended yet. */
  uint64_t counts[REFUSAL_KIND_COUNT];
  refusal_line lines[REFUSALS_LINES];
  size_t nlines;
  uint64_t order;
} refusals;

/* Counts |r|, and notes its line if it is telling.  |peer| may be NULL; |wall|
   in seconds since 1970 UTC. */
void refusals_add(refusals *all, const refusal *r, const refusal_facts *facts,
                  const udp_address *peer, int64_t wall);

/*
 * A line that is to be told now, as an event or in a log, or NULL: ask until it
 * is NULL after each refusals_add(), and at least once a minute.  |mono|:
 * monotonic, in seconds.  |since| of the line says how many it stands for.  It
 * stays until the next refusals_add().  However many peers fail, there are at
 * most REFUSALS_LINES in REFUSALS_INTERVAL for as long as the certificates
 * stay the same.
 */
const refusal_line *refusals_next(refusals *all, int64_t mono);

/* The |i|th line, the latest first; NULL if there are no more. */
const refusal_line *refusals_line(const refusals *all, size_t i);

#endif
