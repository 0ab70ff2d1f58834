/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal where the platform is JavaScript: a file of the folder that was
 * handed in (store_web.h).  Where that is written in place, what stops in the
 * midst of making room leaves new lines before old ones.  The chain tells them
 * apart: what comes after the break is set aside.
 */
#include "certmgr/journal_medium.h"

#include "certmgr/error.h"
#include "certmgr/store_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cm_journal_medium {
  char *name;
};

int cm_journal_medium_open(cm_journal_medium **pmedium, const char *path) {
  cm_journal_medium *medium = malloc(sizeof(*medium));

  *pmedium = NULL;
  if (medium == NULL) {
    return CM_ERR_NOMEM;
  }
  medium->name = strdup(path);
  if (medium->name == NULL) {
    free(medium);
    return CM_ERR_NOMEM;
  }
  *pmedium = medium;
  return 0;
}

int cm_journal_medium_read(cm_journal_medium *medium, char **ptext,
                           size_t *plen) {
  int n = store_web_read(medium->name, NULL, 0);
  char *text;

  if (n < 0 && n != STORE_WEB_NONE) {
    return CM_ERR_STORE;
  }
  *plen = n > 0 ? (size_t)n : 0;
  text = malloc(*plen + 1);
  if (text == NULL) {
    return CM_ERR_NOMEM;
  }
  if (*plen > 0 && store_web_read(medium->name, text, *plen) != n) {
    free(text);
    return CM_ERR_STORE;
  }
  *ptext = text;
  return 0;
}

int cm_journal_medium_replace(cm_journal_medium *medium, const char *text,
                              size_t len, int *torn) {
  if (store_web_write(medium->name, text, len) != 0) {
    *torn = 1;
    return CM_ERR_STORE;
  }
  return 0;
}

int cm_journal_medium_append(cm_journal_medium *medium, const char *text,
                             size_t len, size_t held) {
  (void)held;
  return store_web_append(medium->name, text, len) != 0 ? CM_ERR_STORE : 0;
}

int cm_journal_medium_set_aside(cm_journal_medium *medium, const char *text,
                                size_t len) {
  char bad[64];

  snprintf(bad, sizeof(bad), "%s.bad", medium->name);
  return store_web_write(bad, text, len) != 0 ? CM_ERR_STORE : 0;
}

void cm_journal_medium_close(cm_journal_medium *medium) {
  if (medium == NULL) {
    return;
  }
  free(medium->name);
  free(medium);
}
