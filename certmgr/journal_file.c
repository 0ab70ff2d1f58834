/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal.h"

#include "certmgr/error.h"
#include "certmgr/journal_medium.h"

#include <stdlib.h>
#include <string.h>

struct cm_journal_file {
  cm_journal chain;
  cm_journal_medium *medium;
  size_t len;
  size_t max;
  int torn; /* It may have been left half written. */
  char last[CM_JOURNAL_LINE_MAX];
  size_t last_len;
};

static int replace(cm_journal_file *file, const char *text, size_t len) {
  int rv = cm_journal_medium_replace(file->medium, text, len, &file->torn);

  if (rv == 0) {
    file->len = len;
  }
  return rv;
}

/* Takes up the chain where what is kept ends. */
static int load(cm_journal_file *file, int *bad) {
  char *text;
  size_t valid;
  int rv = cm_journal_medium_read(file->medium, &text, &file->len);

  if (rv != 0) {
    return rv;
  }
  rv = cm_journal_verify(&file->chain, text, file->len, &valid);
  if (rv == CM_ERR_SIGNATURE) {
    *bad = 1;
    rv = cm_journal_medium_set_aside(file->medium, text + valid,
                                     file->len - valid);
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
  rv = cm_journal_medium_open(&file->medium, path);
  if (rv == 0) {
    rv = load(file, bad);
  }
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
  int rv = cm_journal_medium_read(file->medium, &text, &len);

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
    file->torn = 0;
    rv = load(file, &bad);
    if (rv != 0) {
      file->torn = 1;
      return rv;
    }
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
  rv = cm_journal_medium_append(file->medium, text, (size_t)n, file->len);
  if (rv != 0) {
    return rv;
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
  cm_journal_medium_close(file->medium);
  free(file);
}
