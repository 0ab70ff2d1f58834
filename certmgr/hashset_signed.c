/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/hashset_signed.h"

#include "certmgr/hashset.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest whole number that JavaScript keeps exactly. */
#define SAFE_MAX INT64_C(9007199254740991)

/* The longest that a browser takes: 14 days less one second. */
#define VALIDITY_MAX 1209599

static const char *const uses[2] = {"active", "standby"};

static int is_time(int64_t t) { return t >= 0 && t <= SAFE_MAX; }

/* Whether |set| is one that may be given out, or taken. */
static int is_sound(const cm_signed_set *set) {
  if (set->epoch < 1 || set->epoch > (uint64_t)SAFE_MAX || set->seq < 1 ||
      set->seq > (uint64_t)SAFE_MAX || !is_time(set->issued_at) ||
      !is_time(set->refresh_after) || !is_time(set->valid_until) ||
      set->nhashes < 1 || set->nhashes > 2 ||
      strncmp(set->url, "https://", 8) != 0) {
    return 0;
  }
  for (size_t i = 0; i < set->nhashes; i++) {
    const cm_signed_hash *hash = &set->hashes[i];
    if (!is_time(hash->not_before) || !is_time(hash->not_after) ||
        !is_time(hash->active_from) || hash->not_after <= hash->not_before ||
        hash->not_after - hash->not_before > VALIDITY_MAX) {
      return 0;
    }
  }
  return 1;
}

int cm_signed_set_from(cm_signed_set *set, const cm_document *doc,
                       const char *url) {
  const cm_slot *slots[2] = {doc->active, doc->standby};

  memset(set, 0, sizeof(*set));
  if (doc->active == NULL || strlen(url) >= sizeof(set->url)) {
    return CM_ERR_INVALID;
  }
  set->epoch = doc->epoch;
  set->seq = doc->seq;
  set->issued_at = doc->issued_at;
  set->refresh_after = doc->refresh_after;
  set->valid_until = doc->valid_until;
  memcpy(set->url, url, strlen(url) + 1);
  for (size_t i = 0; i < 2 && slots[i] != NULL; i++) {
    cm_signed_hash *hash = &set->hashes[set->nhashes++];
    memcpy(hash->sha256, slots[i]->sha256, sizeof(hash->sha256));
    hash->not_before = slots[i]->not_before;
    hash->not_after = slots[i]->not_after;
    hash->active_from = slots[i]->active_at;
  }
  return 0;
}

/* --- writing ------------------------------------------------------------ */

/* Digit by digit: cJSON's own printing rounds from 10^15 on. */
static int add_number(cJSON *object, const char *name, int64_t value) {
  char digits[24];

  snprintf(digits, sizeof(digits), "%" PRId64, value);
  return cJSON_AddRawToObject(object, name, digits) != NULL;
}

static int add_hash(cJSON *array, const char *use, const cm_signed_hash *hash) {
  char hex[CM_HEX_LEN + 1], b64url[CM_BASE64URL_LEN + 1];
  cJSON *object = cJSON_CreateObject();

  if (!cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
    return 0;
  }
  (void)cm_hash_hex(hex, sizeof(hex), hash->sha256);
  (void)cm_hash_base64url(b64url, sizeof(b64url), hash->sha256);
  return cJSON_AddStringToObject(object, "use", use) != NULL &&
         cJSON_AddStringToObject(object, "alg", "sha-256") != NULL &&
         cJSON_AddStringToObject(object, "hex", hex) != NULL &&
         cJSON_AddStringToObject(object, "b64url", b64url) != NULL &&
         add_number(object, "not_before", hash->not_before) &&
         add_number(object, "not_after", hash->not_after) &&
         add_number(object, "active_from", hash->active_from);
}

/* The document as text for cJSON_free(), or NULL. */
static char *print(const cm_signed_set *set) {
  cJSON *root = cJSON_CreateObject(), *array;
  char *text = NULL;
  int ok = add_number(root, "v", 1) &&
           add_number(root, "epoch", (int64_t)set->epoch) &&
           add_number(root, "seq", (int64_t)set->seq) &&
           add_number(root, "issued_at", set->issued_at) &&
           add_number(root, "refresh_after", set->refresh_after) &&
           add_number(root, "valid_until", set->valid_until) &&
           cJSON_AddStringToObject(root, "url", set->url) != NULL;

  array = ok ? cJSON_AddArrayToObject(root, "hashes") : NULL;
  ok = array != NULL;
  for (size_t i = 0; ok && i < set->nhashes; i++) {
    ok = add_hash(array, uses[i], &set->hashes[i]);
  }
  if (ok) {
    text = cJSON_PrintUnformatted(root);
  }
  cJSON_Delete(root);
  return text;
}

int cm_signed_set_write(char *dest, size_t destlen, const cm_signed_set *set,
                        const cm_identity *identity) {
  char *text;
  int rv;

  if (!is_sound(set)) {
    return CM_ERR_INVALID;
  }
  text = print(set);
  if (text == NULL) {
    return CM_ERR_NOMEM;
  }
  rv =
      cm_jws_sign(dest, destlen, identity, (const uint8_t *)text, strlen(text));
  cJSON_free(text);
  return rv;
}

/* --- reading ------------------------------------------------------------ */

/* A whole number in 0..SAFE_MAX. */
static int get_number(int64_t *value, const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) ||
      item->valuedouble > (double)SAFE_MAX ||
      item->valuedouble != floor(item->valuedouble)) {
    return 0;
  }
  *value = (int64_t)item->valuedouble;
  return 1;
}

static const char *get_string(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

  return cJSON_IsString(item) ? item->valuestring : "";
}

static int get_hash(cm_signed_hash *hash, const cJSON *object,
                    const char *use) {
  const char *hex = get_string(object, "hex");
  char again[CM_HEX_LEN + 1], b64url[CM_BASE64URL_LEN + 1];

  if (strcmp(get_string(object, "use"), use) != 0 ||
      strcmp(get_string(object, "alg"), "sha-256") != 0 ||
      strlen(hex) != CM_HEX_LEN) {
    return 0;
  }
  for (size_t i = 0; i < sizeof(hash->sha256); i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
    hash->sha256[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  /* Both forms, and both as they are written here. */
  (void)cm_hash_hex(again, sizeof(again), hash->sha256);
  (void)cm_hash_base64url(b64url, sizeof(b64url), hash->sha256);
  return strcmp(again, hex) == 0 &&
         strcmp(get_string(object, "b64url"), b64url) == 0 &&
         get_number(&hash->not_before, object, "not_before") &&
         get_number(&hash->not_after, object, "not_after") &&
         get_number(&hash->active_from, object, "active_from");
}

static int parse(cm_signed_set *set, const cJSON *root) {
  const cJSON *array = cJSON_GetObjectItemCaseSensitive(root, "hashes");
  const char *url = get_string(root, "url");
  int64_t version, epoch, seq;
  int n = cJSON_GetArraySize(array);

  if (!get_number(&version, root, "v") || version != 1 ||
      !get_number(&epoch, root, "epoch") || !get_number(&seq, root, "seq") ||
      !get_number(&set->issued_at, root, "issued_at") ||
      !get_number(&set->refresh_after, root, "refresh_after") ||
      !get_number(&set->valid_until, root, "valid_until") ||
      strlen(url) >= sizeof(set->url) || !cJSON_IsArray(array) || n < 1 ||
      n > 2) {
    return 0;
  }
  set->epoch = (uint64_t)epoch;
  set->seq = (uint64_t)seq;
  memcpy(set->url, url, strlen(url) + 1);
  for (int i = 0; i < n; i++) {
    if (!get_hash(&set->hashes[i], cJSON_GetArrayItem(array, i), uses[i])) {
      return 0;
    }
  }
  set->nhashes = (size_t)n;
  return is_sound(set);
}

int cm_signed_set_read(cm_signed_set *set, const char *jws, size_t len,
                       const char *thumbprint) {
  char payload[CM_SIGNED_MAX];
  cJSON *root;
  int n, ok;

  memset(set, 0, sizeof(*set));
  n = cm_jws_verify((uint8_t *)payload, sizeof(payload), jws, len, thumbprint);
  if (n < 0) {
    return n == CM_ERR_NOBUF ? CM_ERR_INVALID : n;
  }
  root = cJSON_ParseWithLength(payload, (size_t)n);
  ok = parse(set, root);
  cJSON_Delete(root);
  if (!ok) {
    memset(set, 0, sizeof(*set));
    return CM_ERR_INVALID;
  }
  return 0;
}

int cm_signed_set_supersedes(const cm_signed_set *set,
                             const cm_signed_set *old) {
  return set->epoch != old->epoch ? set->epoch > old->epoch
                                  : set->seq > old->seq;
}
