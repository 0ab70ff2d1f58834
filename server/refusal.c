/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refusal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 9001 section 4.8: the alert is the last octet. */
#define CRYPTO_ERROR 0x100u
#define CRYPTO_ERROR_MAX 0x1ffu

/* RFC 8446 section 6. */
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_BAD_CERTIFICATE 42
#define ALERT_UNSUPPORTED_CERTIFICATE 43
#define ALERT_CERTIFICATE_REVOKED 44
#define ALERT_CERTIFICATE_EXPIRED 45
#define ALERT_CERTIFICATE_UNKNOWN 46
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_UNKNOWN_CA 48
#define ALERT_ACCESS_DENIED 49
#define ALERT_NO_APPLICATION_PROTOCOL 120
#define NO_ALERT (-1)

#define DURATION_MAX 32
/* Of a client's own words. */
#define WORDS_MAX 60

const char *refusal_kind_name(refusal_kind kind) {
  static const char *const names[REFUSAL_KIND_COUNT] = {
      [REFUSAL_OK] = "ok",
      [REFUSAL_VERIFIER_CHROMIUM] = "refused_verifier_chromium",
      [REFUSAL_KEY_USAGE_CHROMIUM] = "refused_key_usage_chromium",
      [REFUSAL_VERIFIER_FIREFOX] = "refused_verifier_firefox",
      [REFUSAL_SERIAL_REUSED_FIREFOX] = "refused_serial_reused_firefox",
      [REFUSAL_NO_COMMON_SIGNATURE] = "no_common_signature",
      [REFUSAL_NO_APPLICATION_PROTOCOL] = "no_application_protocol",
      [REFUSAL_TIMEOUT] = "timeout",
      [REFUSAL_OTHER] = "other"};

  return names[kind];
}

static int alert_of(uint64_t error_code) {
  return error_code >= CRYPTO_ERROR && error_code <= CRYPTO_ERROR_MAX
             ? (int)(error_code - CRYPTO_ERROR)
             : NO_ALERT;
}

static void decode_of_client(refusal *r, int alert) {
  switch (alert) {
  case ALERT_CERTIFICATE_UNKNOWN:
    r->kind = REFUSAL_VERIFIER_CHROMIUM;
    r->by = "chromium";
    break;
  case ALERT_ILLEGAL_PARAMETER:
    r->kind = REFUSAL_KEY_USAGE_CHROMIUM;
    r->by = "chromium";
    break;
  case ALERT_UNSUPPORTED_CERTIFICATE:
    r->kind = REFUSAL_VERIFIER_FIREFOX;
    r->by = "firefox";
    break;
  case ALERT_BAD_CERTIFICATE:
    r->kind = REFUSAL_SERIAL_REUSED_FIREFOX;
    r->by = "firefox";
    break;
  case ALERT_NO_APPLICATION_PROTOCOL:
    r->kind = REFUSAL_NO_APPLICATION_PROTOCOL;
    r->by = "client";
    break;
  default:
    r->kind = REFUSAL_OTHER;
    r->by = "client";
    break;
  }
}

refusal refusal_decode(const quic_conn_end *end) {
  int alert = end->type == NGTCP2_CCERR_TYPE_TRANSPORT
                  ? alert_of(end->error_code)
                  : NO_ALERT;
  refusal r = {REFUSAL_OTHER, "server", end->error_code, NULL, 0, 0};

  if (end->established) {
    r.kind = REFUSAL_OK;
    r.by = "nobody";
    return r;
  }
  if (end->idle) {
    r.kind = REFUSAL_TIMEOUT;
    r.by = "nobody";
    r.error_code = 0;
    r.telling = 1;
    return r;
  }
  if (end->by_peer) {
    decode_of_client(&r, alert);
    r.reason = end->reason;
    r.reason_len = end->reason_len;
    /* NO_ERROR: it went away. */
    r.telling = end->error_code != 0;
    return r;
  }
  if (alert == ALERT_HANDSHAKE_FAILURE) {
    r.kind = REFUSAL_NO_COMMON_SIGNATURE;
  } else if (alert == ALERT_NO_APPLICATION_PROTOCOL) {
    r.kind = REFUSAL_NO_APPLICATION_PROTOCOL;
  }
  /* CONNECTION_REFUSED: the server stops. */
  r.telling = end->error_code != NGTCP2_NO_ERROR &&
              end->error_code != NGTCP2_CONNECTION_REFUSED &&
              alert != ALERT_CERTIFICATE_REVOKED;
  return r;
}

/* ---- In words ---- */

/* NULL if |alert| is none that has to do with certificates or is frequent. */
static const char *alert_name(int alert) {
  static const char *const names[] = {
      [10] = "unexpected_message",
      [ALERT_HANDSHAKE_FAILURE] = "handshake_failure",
      [ALERT_BAD_CERTIFICATE] = "bad_certificate",
      [ALERT_UNSUPPORTED_CERTIFICATE] = "unsupported_certificate",
      [ALERT_CERTIFICATE_REVOKED] = "certificate_revoked",
      [ALERT_CERTIFICATE_EXPIRED] = "certificate_expired",
      [ALERT_CERTIFICATE_UNKNOWN] = "certificate_unknown",
      [ALERT_ILLEGAL_PARAMETER] = "illegal_parameter",
      [ALERT_UNKNOWN_CA] = "unknown_ca",
      [ALERT_ACCESS_DENIED] = "access_denied",
      [50] = "decode_error",
      [51] = "decrypt_error",
      [70] = "protocol_version",
      [71] = "insufficient_security",
      [80] = "internal_error",
      [90] = "user_canceled",
      [109] = "missing_extension",
      [110] = "unsupported_extension",
      [112] = "unrecognized_name",
      [116] = "certificate_required",
      [ALERT_NO_APPLICATION_PROTOCOL] = "no_application_protocol"};

  return alert >= 0 && (size_t)alert < sizeof(names) / sizeof(names[0])
             ? names[alert]
             : NULL;
}

/* A text that is cut off where the room ends. */
typedef struct line {
  char *dest;
  size_t len, room;
} line;

static void add(line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(line *l, const char *format, ...) {
  va_list args;
  int n;

  va_start(args, format);
  n = vsnprintf(l->dest + l->len, l->room - l->len, format, args);
  va_end(args);
  if (n > 0) {
    l->len += (size_t)n;
    if (l->len >= l->room) {
      l->len = l->room - 1;
    }
  }
}

/* |seconds|, rounded down to one unit. */
static const char *duration(char text[DURATION_MAX], int64_t seconds) {
  static const struct {
    int64_t seconds;
    const char *name;
  } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}};
  size_t i;

  for (i = 0; i < sizeof(units) / sizeof(units[0]); ++i) {
    int64_t n = seconds / units[i].seconds;

    if (n > 0) {
      snprintf(text, DURATION_MAX, "%" PRId64 " %s%s", n, units[i].name,
               n == 1 ? "" : "s");
      return text;
    }
  }
  snprintf(text, DURATION_MAX, "%" PRId64 " second%s", seconds,
           seconds == 1 ? "" : "s");
  return text;
}

static void add_certificate(line *l, const refusal_facts *facts) {
  const uint8_t *c = facts->certificate;

  add(l, "certificate %02x%02x%02x%02x\xe2\x80\xa6", c[0], c[1], c[2], c[3]);
}

/* What a verifier may not have liked.  The certificate is right for every
   browser, so it is the client's clock or what it was given. */
static void add_causes(line *l, const refusal_facts *facts) {
  char text[DURATION_MAX];

  if (facts->published >= 0) {
    add(l, "its link is older than %s", duration(text, facts->published));
  } else {
    add(l, "its link does not name this certificate");
  }
  if (facts->valid_since >= 0 && facts->valid_for >= 0) {
    add(l, ", or its clock is more than %s slow",
        duration(text, facts->valid_since));
    add(l, " or more than %s fast", duration(text, facts->valid_for));
  } else {
    add(l, ", or its clock is wrong");
  }
  if (facts->clock_doubt) {
    add(l, ", or the clock of this server is wrong");
  }
}

static void add_words(line *l, const refusal *r) {
  char words[WORDS_MAX + 1];
  size_t i, n = r->reason_len < WORDS_MAX ? r->reason_len : WORDS_MAX;

  if (n == 0) {
    return;
  }
  for (i = 0; i < n; ++i) {
    uint8_t c = r->reason[i];

    words[i] = c >= ' ' && c <= '~' && c != '"' ? (char)c : '?';
  }
  words[n] = '\0';
  add(l, ", \"%s\"", words);
}

static void add_other(line *l, const refusal *r, const refusal_facts *facts) {
  int alert = alert_of(r->error_code);
  const char *name = alert_name(alert);
  int by_client = strcmp(r->by, "client") == 0;

  if (by_client && alert >= ALERT_BAD_CERTIFICATE &&
      alert <= ALERT_ACCESS_DENIED) {
    add(l, "a client refused ");
    add_certificate(l, facts);
  } else if (by_client) {
    add(l, "a client gave up its handshake");
  } else {
    add(l, "a client's handshake was refused");
  }
  if (name) {
    add(l, ": TLS alert %s (%d)", name, alert);
  } else if (alert != NO_ALERT) {
    add(l, ": TLS alert %d", alert);
  } else {
    add(l, ": QUIC error 0x%" PRIx64, r->error_code);
  }
  add_words(l, r);
  if (by_client &&
      (alert == ALERT_CERTIFICATE_EXPIRED || alert == ALERT_UNKNOWN_CA)) {
    add(l, ": ");
    add_causes(l, facts);
  }
}

const char *refusal_text(char *dest, size_t destlen, const refusal *r,
                         const refusal_facts *facts) {
  line l = {dest, 0, destlen};

  dest[0] = '\0';
  switch (r->kind) {
  case REFUSAL_OK:
    add(&l, "a handshake was completed");
    break;
  case REFUSAL_VERIFIER_CHROMIUM:
    add(&l, "a Chromium client refused ");
    add_certificate(&l, facts);
    add(&l, ": ");
    add_causes(&l, facts);
    break;
  case REFUSAL_KEY_USAGE_CHROMIUM:
    add(&l, "a Chromium client refused ");
    add_certificate(&l, facts);
    add(&l, ": its keyUsage does not allow digitalSignature");
    break;
  case REFUSAL_VERIFIER_FIREFOX:
    add(&l, "a Firefox client refused ");
    add_certificate(&l, facts);
    add(&l, ": ");
    add_causes(&l, facts);
    break;
  case REFUSAL_SERIAL_REUSED_FIREFOX:
    add(&l, "a Firefox client refused ");
    add_certificate(&l, facts);
    add(&l, ": it has seen its issuer and serial number with another key "
            "(clients that are no browsers say the same of any certificate "
            "that they do not trust)");
    break;
  case REFUSAL_NO_COMMON_SIGNATURE:
    add(&l, "a client has no signature algorithm or key exchange in common "
            "with this server: it would have to take P-256 with SHA-256");
    break;
  case REFUSAL_NO_APPLICATION_PROTOCOL:
    add(&l, "a client and this server speak no common protocol: it did not "
            "offer h3");
    break;
  case REFUSAL_TIMEOUT:
    add(&l, "a client fell silent in its handshake: it went away, or packets "
            "are lost between it and this server");
    break;
  case REFUSAL_OTHER:
    add_other(&l, r, facts);
    break;
  }
  return dest;
}

/* ---- Many of them ---- */

/* The one that was seen longest ago goes. */
static refusal_line *new_line(refusals *all) {
  refusal_line *oldest = &all->lines[0];
  size_t i;

  if (all->nlines < REFUSALS_LINES) {
    return &all->lines[all->nlines++];
  }
  for (i = 1; i < all->nlines; ++i) {
    if (all->lines[i].order < oldest->order) {
      oldest = &all->lines[i];
    }
  }
  return oldest;
}

static refusal_line *line_for(refusals *all, refusal_kind kind,
                              const uint8_t *certificate) {
  refusal_line *l;
  size_t i;

  for (i = 0; i < all->nlines; ++i) {
    l = &all->lines[i];
    if (l->kind == kind &&
        memcmp(l->certificate, certificate, CM_HASH_LEN) == 0) {
      return l;
    }
  }
  l = new_line(all);
  memset(l, 0, sizeof(*l));
  l->kind = kind;
  memcpy(l->certificate, certificate, CM_HASH_LEN);
  return l;
}

void refusals_add(refusals *all, const refusal *r, const refusal_facts *facts,
                  const udp_address *peer, int64_t wall) {
  refusal_line *l;

  ++all->counts[r->kind];
  if (!r->telling) {
    return;
  }
  l = line_for(all, r->kind, facts->certificate);
  l->by = r->by;
  refusal_text(l->text, sizeof(l->text), r, facts);
  l->peer[0] = '\0';
  if (peer) {
    udp_address_text(l->peer, peer);
  }
  l->time = wall;
  ++l->count;
  ++l->untold;
  l->order = ++all->order;
}

const refusal_line *refusals_next(refusals *all, int64_t mono) {
  size_t i;

  for (i = 0; i < all->nlines; ++i) {
    refusal_line *l = &all->lines[i];

    if (l->untold && (!l->told || mono - l->told_at >= REFUSALS_INTERVAL)) {
      l->since = l->untold;
      l->untold = 0;
      l->told = 1;
      l->told_at = mono;
      return l;
    }
  }
  return NULL;
}

const refusal_line *refusals_line(const refusals *all, size_t i) {
  size_t j, k;

  /* The line that exactly |i| others are later than. */
  for (j = 0; j < all->nlines; ++j) {
    size_t later = 0;

    for (k = 0; k < all->nlines; ++k) {
      later += all->lines[k].order > all->lines[j].order;
    }
    if (later == i) {
      return &all->lines[j];
    }
  }
  return NULL;
}
