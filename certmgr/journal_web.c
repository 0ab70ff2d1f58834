/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal where the platform is JavaScript: a file of the folder that was
 * handed in (store_web.h), |path| being its name there.  Where that is written
 * in place, what stops in the midst of making room leaves new lines before old
 * ones.  The chain tells them apart: what comes after the break is set aside.
 */
#include "certmgr/journal.h"

#include "certmgr/store_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cm_journal_file {
  cm_journal chain;
  char *name;
  size_t len;
  size_t max;
  int torn; /* It may have been left half written. */
  char last[CM_JOURNAL_LINE_MAX];
  size_t last_len;
};

/* Reads the whole file into memory that the caller frees. */
static int read_whole(cm_journal_file *file, char **ptext, size_t *plen) {
  int n = store_web_read(file->name, NULL, 0);
  char *text;

  if (n < 0 && n != STORE_WEB_NONE) {
    return CM_ERR_STORE;
  }
  *plen = n > 0 ? (size_t)n : 0;
  text = malloc(*plen + 1);
  if (text == NULL) {
    return CM_ERR_NOMEM;
  }
  if (*plen > 0 && store_web_read(file->name, text, *plen) != n) {
    free(text);
    return CM_ERR_STORE;
  }
  *ptext = text;
  return 0;
}

static int replace(cm_journal_file *file, const char *text, size_t len) {
  file->torn = 1;
  if (store_web_write(file->name, text, len) != 0) {
    return CM_ERR_STORE;
  }
  file->torn = 0;
  file->len = len;
  return 0;
}

static int set_aside(cm_journal_file *file, const char *text, size_t len) {
  char bad[64];

  snprintf(bad, sizeof(bad), "%s.bad", file->name);
  return store_web_write(bad, text, len) != 0 ? CM_ERR_STORE : 0;
}

/* Takes up the chain where the file ends. */
static int load(cm_journal_file *file, int *bad) {
  char *text;
  size_t valid;
  int rv = read_whole(file, &text, &file->len);

  if (rv != 0) {
    return rv;
  }
  rv = cm_journal_verify(&file->chain, text, file->len, &valid);
  if (rv == CM_ERR_SIGNATURE) {
    *bad = 1;
    rv = set_aside(file, text + valid, file->len - valid);
    if (rv == 0) {
      rv = replace(file, text, valid);
    }
  }
  free(text);
  return rv;
}

int cm_journal_open(cm_journal_file **pfile, const char *path, size_t max,
                    int *bad) {
  cm_journal_file *file = calloc(1, sizeof(*file));
  int rv;

  *pfile = NULL;
  *bad = 0;
  if (file == NULL) {
    return CM_ERR_NOMEM;
  }
  file->max = max > 2 * CM_JOURNAL_LINE_MAX ? max : 2 * CM_JOURNAL_LINE_MAX;
  file->name = strdup(path);
  rv = file->name == NULL ? CM_ERR_NOMEM : load(file, bad);
  if (rv != 0) {
    cm_journal_close(file);
    return rv;
  }
  *pfile = file;
  return 0;
}

/* Drops the older half. */
static int make_room(cm_journal_file *file) {
  char *text;
  size_t len, off;
  int rv = read_whole(file, &text, &len);

  if (rv != 0) {
    return rv;
  }
  off = cm_journal_trim(text, len, file->max / 2);
  rv = replace(file, text + off, len - off);
  free(text);
  return rv;
}

int cm_journal_append(cm_journal_file *file, const cm_journal_entry *entry) {
  char text[CM_JOURNAL_LINE_MAX];
  cm_journal chain;
  int n, rv, bad;

  if (file->torn) {
    rv = load(file, &bad);
    if (rv != 0) {
      return rv;
    }
    file->torn = 0;
  }
  chain = file->chain;
  n = cm_journal_line(&chain, text, sizeof(text), entry);
  if (n < 0) {
    return n;
  }
  if (file->len + (size_t)n > file->max) {
    rv = make_room(file);
    if (rv != 0) {
      return rv;
    }
  }
  if (store_web_append(file->name, text, (size_t)n) != 0) {
    return CM_ERR_STORE;
  }
  file->len += (size_t)n;
  file->chain = chain;
  memcpy(file->last, text, (size_t)n + 1);
  file->last_len = (size_t)n;
  return 0;
}

const char *cm_journal_last(const cm_journal_file *file, size_t *len) {
  *len = file->last_len;
  return file->last;
}

void cm_journal_close(cm_journal_file *file) {
  if (file == NULL) {
    return;
  }
  free(file->name);
  free(file);
}
