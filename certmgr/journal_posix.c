/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cm_journal_file {
  cm_journal chain;
  char *path;
  char *other; /* Room for |path| with a suffix. */
  size_t size_of_other;
  int fd;
  size_t len;
  size_t max;
  char last[CM_JOURNAL_LINE_MAX];
  size_t last_len;
};

static int write_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, data, len);
    if (n >= 0) {
      data += n;
      len -= (size_t)n;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

static const char *with_suffix(cm_journal_file *file, const char *suffix) {
  snprintf(file->other, file->size_of_other, "%s%s", file->path, suffix);
  return file->other;
}

/* Makes the file |name| with |text| in it, durably. */
static int make_file(const char *name, const char *text, size_t len) {
  int fd, rv = 0;

  if (unlink(name) != 0 && errno != ENOENT) {
    return CM_ERR_STORE;
  }
  fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return CM_ERR_STORE;
  }
  if (write_all(fd, text, len) != 0 || fsync(fd) != 0) {
    rv = CM_ERR_STORE;
  }
  return close(fd) != 0 ? CM_ERR_STORE : rv;
}

/* Reads the whole file into memory that the caller frees. */
static int read_whole(cm_journal_file *file, char **ptext, size_t *plen) {
  struct stat st;
  size_t len = 0;
  char *text;

  if (fstat(file->fd, &st) != 0) {
    return CM_ERR_STORE;
  }
  text = malloc((size_t)st.st_size + 1);
  if (text == NULL) {
    return CM_ERR_NOMEM;
  }
  while (len < (size_t)st.st_size) {
    ssize_t n =
        pread(file->fd, text + len, (size_t)st.st_size - len, (off_t)len);
    if (n == 0) {
      break;
    }
    if (n > 0) {
      len += (size_t)n;
    } else if (errno != EINTR) {
      free(text);
      return CM_ERR_STORE;
    }
  }
  *ptext = text;
  *plen = len;
  return 0;
}

/* Puts |text| in the place of what the file holds. */
static int replace(cm_journal_file *file, const char *text, size_t len) {
  const char *name = with_suffix(file, ".new");
  int fd, rv = make_file(name, text, len);

  if (rv != 0) {
    return rv;
  }
  fd = open(name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    return CM_ERR_STORE;
  }
  if (rename(name, file->path) != 0) {
    (void)close(fd);
    return CM_ERR_STORE;
  }
  (void)close(file->fd);
  file->fd = fd;
  file->len = len;
  return 0;
}

static int load(cm_journal_file *file, int *bad) {
  char *text;
  size_t len, valid;
  int rv = read_whole(file, &text, &len);

  if (rv != 0) {
    return rv;
  }
  file->len = len;
  rv = cm_journal_verify(&file->chain, text, len, &valid);
  if (rv == CM_ERR_SIGNATURE) {
    *bad = 1;
    rv = make_file(with_suffix(file, ".bad"), text + valid, len - valid);
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
  int rv = CM_ERR_NOMEM;

  *pfile = NULL;
  *bad = 0;
  if (file == NULL) {
    return CM_ERR_NOMEM;
  }
  file->fd = -1;
  file->max = max > 2 * CM_JOURNAL_LINE_MAX ? max : 2 * CM_JOURNAL_LINE_MAX;
  file->path = strdup(path);
  file->size_of_other = strlen(path) + sizeof(".new");
  file->other = malloc(file->size_of_other);
  if (file->path == NULL || file->other == NULL) {
    goto fail;
  }
  file->fd =
      open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  rv = file->fd < 0 ? CM_ERR_STORE : load(file, bad);
  if (rv != 0) {
    goto fail;
  }
  *pfile = file;
  return 0;

fail:
  cm_journal_close(file);
  return rv;
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
  cm_journal chain = file->chain;
  int n = cm_journal_line(&chain, text, sizeof(text), entry), rv;

  if (n < 0) {
    return n;
  }
  if (file->len + (size_t)n > file->max) {
    rv = make_room(file);
    if (rv != 0) {
      return rv;
    }
  }
  if (write_all(file->fd, text, (size_t)n) != 0) {
    /* No half of a line is to stay in front of the next. */
    (void)!ftruncate(file->fd, (off_t)file->len);
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
  if (file->fd >= 0) {
    (void)close(file->fd);
  }
  free(file->path);
  free(file->other);
  free(file);
}
