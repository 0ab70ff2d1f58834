/* SPDX-License-Identifier: Apache-2.0 */
#include "server/keys.h"

#include "certmgr/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

#define HASH_LEN 32
#define HASHED_LEN (QUIC_KEYS_LEN - HASH_LEN)

static const uint8_t magic[8] = {'F', 'N', 'Q', 'U', 'I', 'C', 0, 1};

__attribute__((format(printf, 3, 4))) static void
tell(keys_note *note, const char *level, const char *format, ...) {
  va_list args;

  note->level = level;
  va_start(args, format);
  vsnprintf(note->text, sizeof(note->text), format, args);
  va_end(args);
}

/* Whether |file| is whole; |*keys| is set then. */
static int unseal(quic_endpoint_keys *keys, const uint8_t *file) {
  uint8_t hash[HASH_LEN];

  if (memcmp(file, magic, sizeof(magic)) != 0 ||
      wc_Sha256Hash(file, HASHED_LEN, hash) != 0 ||
      memcmp(hash, file + HASHED_LEN, sizeof(hash)) != 0) {
    return 0;
  }
  memcpy(keys->token, file + sizeof(magic), sizeof(keys->token));
  memcpy(keys->reset, file + sizeof(magic) + sizeof(keys->token),
         sizeof(keys->reset));
  return 1;
}

static int seal(uint8_t file[QUIC_KEYS_LEN], const quic_endpoint_keys *keys) {
  memcpy(file, magic, sizeof(magic));
  memcpy(file + sizeof(magic), keys->token, sizeof(keys->token));
  memcpy(file + sizeof(magic) + sizeof(keys->token), keys->reset,
         sizeof(keys->reset));
  return wc_Sha256Hash(file, HASHED_LEN, file + HASHED_LEN);
}

/* Draws new ones and keeps them, or tells that they are not kept. */
static int renew(quic_endpoint_keys *keys, const char *folder,
                 const cm_random *random, keys_note *note) {
  uint8_t file[QUIC_KEYS_LEN];
  char why[KEYS_WHY_MAX];
  int rv;

  if (random->fill(random->user, (uint8_t *)keys, sizeof(*keys)) != 0) {
    return CM_ERR_RANDOM;
  }
  snprintf(why, sizeof(why), "cryptography failed");
  rv = seal(file, keys);
  if (rv == 0) {
    rv = keys_file_write(folder, file, sizeof(file), why);
  }
  ngtcp2_secure_clear(file, sizeof(file));
  if (rv != 0) {
    tell(note, "warning",
         "the keys of tokens and resets are not kept, so that clients will not "
         "be told of the next restart: %s",
         why);
  }
  return 0;
}

int keys_open(quic_endpoint_keys *keys, const char *folder,
              const cm_random *random, keys_note *note) {
  static const char lost[] = "clients of before will not be told that this is "
                             "another start";
  uint8_t file[QUIC_KEYS_LEN + 1];
  char why[KEYS_WHY_MAX];
  int n;

  note->level = NULL;
  why[0] = '\0';
  n = keys_file_read(folder, file, sizeof(file), why);
  if (n == QUIC_KEYS_LEN && unseal(keys, file)) {
    ngtcp2_secure_clear(file, sizeof(file));
    return 0;
  }
  ngtcp2_secure_clear(file, sizeof(file));
  switch (n) {
  case KEYS_ERR_NONE:
    tell(note, "info", "%s/%s is new: keys of tokens and resets", folder,
         QUIC_KEYS_FILE);
    break;
  case KEYS_ERR_SYSTEM:
    tell(note, "warning", "new keys of tokens and resets, %s: %s", lost, why);
    break;
  case KEYS_ERR_OPEN:
    tell(note, "warning",
         "%s/%s could be read by others: new keys of tokens and resets, %s",
         folder, QUIC_KEYS_FILE, lost);
    break;
  default:
    tell(note, "warning",
         "%s/%s was damaged: new keys of tokens and resets, %s", folder,
         QUIC_KEYS_FILE, lost);
    break;
  }
  return renew(keys, folder, random, note);
}
