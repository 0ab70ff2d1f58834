/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/random.h"

#include <unistd.h>

/* getentropy(3) refuses to give more at once. */
#define CHUNK_MAX 256

static int fill(void *user, uint8_t *dest, size_t len) {
  (void)user;
  while (len > 0) {
    size_t n = len < CHUNK_MAX ? len : CHUNK_MAX;
    if (getentropy(dest, n) != 0) {
      return -1;
    }
    dest += n;
    len -= n;
  }
  return 0;
}

const cm_random cm_random_system = {fill, NULL};

int cm_seed(unsigned char *out, unsigned int len) {
  return fill(NULL, out, len);
}
