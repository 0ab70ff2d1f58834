/* SPDX-License-Identifier: Apache-2.0 */
/* What "verify" shows. */
#include "server/cli.h"

#include "certmgr/duration.h"
#include "certmgr/hashset.h"

#include <inttypes.h>
#include <string.h>

int cli_is_thumbprint(const char *id) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";

  return strlen(id) == CM_THUMBPRINT_LEN &&
         strspn(id, alphabet) == CM_THUMBPRINT_LEN;
}

int cli_link_identity(char id[CM_THUMBPRINT_LEN + 1], const char *link) {
  const char *p = strchr(link, '#');

  while (p) {
    size_t len = strcspn(++p, "&");

    if (strncmp(p, "id=", 3) == 0 && len == 3 + CM_THUMBPRINT_LEN) {
      memcpy(id, p + 3, CM_THUMBPRINT_LEN);
      id[CM_THUMBPRINT_LEN] = '\0';
      return cli_is_thumbprint(id) ? 0 : -1;
    }
    p = strchr(p, '&');
  }
  return -1;
}

static void add_time(text *t, const char *what, int64_t time, int64_t wall) {
  char stamp[CLI_TIME_LEN], words[CM_DURATION_MAX];
  int64_t left = time - wall;

  cli_time_text(stamp, time);
  (void)cm_duration_words(words, sizeof(words), left < 0 ? -left : left);
  if (left == 0) {
    text_add(t, "%-14s%s (now)\n", what, stamp);
  } else {
    text_add(t, "%-14s%s (%s%s%s)\n", what, stamp, left < 0 ? "" : "in ", words,
             left < 0 ? " ago" : "");
  }
}

static void add_text(text *t, const cm_signed_set *set, int64_t wall) {
  size_t i;

  text_add(t, "%s\n",
           wall < set->valid_until
               ? "Signed by that identity, and in force."
               : "Signed by that identity, but it HAS RUN OUT.");
  text_add(t, "%-14s", "url");
  cli_add_safely(t, set->url);
  text_add(t, "\n%-14sepoch %" PRIu64 ", number %" PRIu64 "\n", "document",
           set->epoch, set->seq);
  add_time(t, "issued", set->issued_at, wall);
  add_time(t, "refresh after", set->refresh_after, wall);
  add_time(t, "valid until", set->valid_until, wall);
  for (i = 0; i < set->nhashes; ++i) {
    const cm_signed_hash *hash = &set->hashes[i];
    char hex[CM_HEX_LEN + 1];

    (void)cm_hash_hex(hex, sizeof(hex), hash->sha256);
    text_add(t, "\n%-14s%s\n", i == 0 ? "active" : "standby", hex);
    add_time(t, "  valid from", hash->not_before, wall);
    add_time(t, "  active from", hash->active_from, wall);
    add_time(t, "  valid until", hash->not_after, wall);
  }
}

static void add_json(text *t, const cm_signed_set *set, int64_t wall) {
  size_t i;

  text_add(t,
           "{\"verified\":true,\"in_force\":%s,\"epoch\":%" PRIu64
           ",\"seq\":%" PRIu64 ",\"issued_at\":%" PRId64
           ",\"refresh_after\":%" PRId64 ",\"valid_until\":%" PRId64
           ",\"age\":%" PRId64 ",\"url\":",
           wall < set->valid_until ? "true" : "false", set->epoch, set->seq,
           set->issued_at, set->refresh_after, set->valid_until,
           wall - set->issued_at);
  text_add_json(t, set->url);
  text_add(t, ",\"hashes\":[");
  for (i = 0; i < set->nhashes; ++i) {
    const cm_signed_hash *hash = &set->hashes[i];
    char hex[CM_HEX_LEN + 1], b64url[CM_BASE64URL_LEN + 1];

    (void)cm_hash_hex(hex, sizeof(hex), hash->sha256);
    (void)cm_hash_base64url(b64url, sizeof(b64url), hash->sha256);
    text_add(t,
             "%s{\"use\":\"%s\",\"hex\":\"%s\",\"b64url\":\"%s\","
             "\"not_before\":%" PRId64 ",\"not_after\":%" PRId64
             ",\"active_from\":%" PRId64 "}",
             i == 0 ? "" : ",", i == 0 ? "active" : "standby", hex, b64url,
             hash->not_before, hash->not_after, hash->active_from);
  }
  text_add(t, "]}\n");
}

void cli_add_document(text *t, const cm_signed_set *set, int64_t wall,
                      int json) {
  if (json) {
    add_json(t, set, wall);
  } else {
    add_text(t, set, wall);
  }
}
