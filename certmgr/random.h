/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where randomness comes from.  It is passed in, so that a test can say which
 * octets come; programs pass cm_random_system.
 */
#ifndef CERTMGR_RANDOM_H
#define CERTMGR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct cm_random {
  /* Writes |len| unpredictable octets to |dest|.  |user| is the member below.
     Returns 0, or non-zero if not all of them could be had. */
  int (*fill)(void *user, uint8_t *dest, size_t len);
  void *user;
} cm_random;

/* The system's own generator: getrandom(2) natively (random_posix.c),
   crypto.getRandomValues by way of getentropy(3) on the web (random_web.c). */
extern const cm_random cm_random_system;

/* The system's generator with the signature that a seed callback of wolfSSL
   has (CUSTOM_RAND_GENERATE_SEED).  Writes |len| octets to |out|.  Returns 0,
   or -1 if the system has no randomness to give. */
int cm_seed(unsigned char *out, unsigned int len);

#endif
