/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of address tokens and stateless resets, kept over a restart: whoever
 * has a token of before needs no Retry, and whoever has a connection of before
 * is told at once that it is gone (RFC 9000 sections 8.1.3 and 10.3).
 *
 * They are in a file of their own beside the state, QUIC_KEYS_FILE:
 *
 *   magic     8   "FNQUIC" and two octets of version, 0 and 1
 *   token    32   quic_endpoint_keys.token
 *   reset    32   quic_endpoint_keys.reset
 *   SHA-256  32   of all before it: tells what is damaged or cut off
 *
 * It can be lost or deleted at any time: new ones are made then.
 */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "certmgr/random.h"
#include "server/quic/endpoint.h"

#include <stddef.h>
#include <stdint.h>

#define QUIC_KEYS_FILE "quic.keys"
#define QUIC_KEYS_LEN (8 + ADDRESS_TOKEN_KEYLEN + QUIC_RESET_SECRETLEN + 32)

/* What there is to tell of them; |level| is NULL if there is nothing. */
typedef struct keys_note {
  const char *level; /* as appliance_log() has it */
  char text[384];
} keys_note;

/*
 * Reads the keys that are kept in |folder| (on the web, where JavaScript has
 * opened it before, its name alone), or draws new ones from |random| and keeps
 * them.  Nobody else may use that folder at the time.  0, and |*keys| is for
 * the caller to zero; or CM_ERR_RANDOM.  What is not kept is told in |*note|,
 * and no reason not to serve.
 */
int keys_open(quic_endpoint_keys *keys, const char *folder,
              const cm_random *random, keys_note *note);

/* ---- For keys_posix.c and keys_web.c ---- */

/* There is no such file. */
#define KEYS_ERR_NONE (-1)
/* The system says no: see |why|. */
#define KEYS_ERR_SYSTEM (-2)
/* Others than this user can read it. */
#define KEYS_ERR_OPEN (-3)

#define KEYS_WHY_MAX 256

/* Reads at most |destlen| octets of the file; returns how many, or an error. */
int keys_file_read(const char *folder, uint8_t *dest, size_t destlen,
                   char why[KEYS_WHY_MAX]);
/* Makes the file stand for |src|, durably, with mode 0600.  0, or
   KEYS_ERR_SYSTEM. */
int keys_file_write(const char *folder, const uint8_t *src, size_t len,
                    char why[KEYS_WHY_MAX]);

#endif
