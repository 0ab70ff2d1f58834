/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/random.h"

#include <errno.h>
#include <sys/random.h>

static int fill(void *user, uint8_t *dest, size_t len) {
  (void)user;
  while (len > 0) {
    /* Blocks until the kernel's generator is seeded, never afterwards. */
    ssize_t n = getrandom(dest, len, 0);
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return -1;
    }
    dest += n;
    len -= (size_t)n;
  }
  return 0;
}

const cm_random cm_random_system = {fill, NULL};

int cm_seed(unsigned char *out, unsigned int len) {
  return fill(NULL, out, len);
}
