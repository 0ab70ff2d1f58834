/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the folder that JavaScript opened (certmgr/store_web.h).  Where it
   is written in place and that is cut off, it fails its check. */
#include "server/keys.h"

#include "certmgr/error.h"
#include "certmgr/store_web.h"

int keys_file_read(const char *folder, uint8_t *dest, size_t destlen,
                   char why[KEYS_WHY_MAX]) {
  int n = store_web_read(QUIC_KEYS_FILE, dest, destlen);

  (void)folder;
  if (n == STORE_WEB_NONE) {
    return KEYS_ERR_NONE;
  }
  if (n < 0) {
    store_web_message(why, KEYS_WHY_MAX);
    return n == CM_ERR_STORE_PERMISSIONS ? KEYS_ERR_OPEN : KEYS_ERR_SYSTEM;
  }
  /* It tells the length of the file, which may be more. */
  return (size_t)n < destlen ? n : (int)destlen;
}

int keys_file_write(const char *folder, const uint8_t *src, size_t len,
                    char why[KEYS_WHY_MAX]) {
  (void)folder;
  if (store_web_write(QUIC_KEYS_FILE, src, len) != 0) {
    store_web_message(why, KEYS_WHY_MAX);
    return KEYS_ERR_SYSTEM;
  }
  return 0;
}
