/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/journal_medium.h"

#include "certmgr/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cm_journal_medium {
  char *path;
  char *other; /* Room for |path| with a suffix. */
  size_t size_of_other;
  int fd;
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

static const char *with_suffix(cm_journal_medium *medium, const char *suffix) {
  snprintf(medium->other, medium->size_of_other, "%s%s", medium->path, suffix);
  return medium->other;
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

int cm_journal_medium_open(cm_journal_medium **pmedium, const char *path) {
  cm_journal_medium *medium = calloc(1, sizeof(*medium));
  int rv = CM_ERR_NOMEM;

  *pmedium = NULL;
  if (medium == NULL) {
    return CM_ERR_NOMEM;
  }
  medium->fd = -1;
  medium->path = strdup(path);
  medium->size_of_other = strlen(path) + sizeof(".new");
  medium->other = malloc(medium->size_of_other);
  if (medium->path == NULL || medium->other == NULL) {
    goto fail;
  }
  medium->fd =
      open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (medium->fd < 0) {
    rv = CM_ERR_STORE;
    goto fail;
  }
  *pmedium = medium;
  return 0;

fail:
  cm_journal_medium_close(medium);
  return rv;
}

int cm_journal_medium_read(cm_journal_medium *medium, char **ptext,
                           size_t *plen) {
  struct stat st;
  size_t len = 0;
  char *text;

  if (fstat(medium->fd, &st) != 0) {
    return CM_ERR_STORE;
  }
  text = malloc((size_t)st.st_size + 1);
  if (text == NULL) {
    return CM_ERR_NOMEM;
  }
  while (len < (size_t)st.st_size) {
    ssize_t n =
        pread(medium->fd, text + len, (size_t)st.st_size - len, (off_t)len);
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

int cm_journal_medium_replace(cm_journal_medium *medium, const char *text,
                              size_t len, int *torn) {
  const char *name = with_suffix(medium, ".new");
  int fd, rv = make_file(name, text, len);

  /* rename(2) is all or nothing. */
  (void)torn;
  if (rv != 0) {
    return rv;
  }
  fd = open(name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    return CM_ERR_STORE;
  }
  if (rename(name, medium->path) != 0) {
    (void)close(fd);
    return CM_ERR_STORE;
  }
  (void)close(medium->fd);
  medium->fd = fd;
  return 0;
}

int cm_journal_medium_append(cm_journal_medium *medium, const char *text,
                             size_t len, size_t held) {
  if (write_all(medium->fd, text, len) != 0) {
    /* No half of a line is to stay in front of the next. */
    (void)!ftruncate(medium->fd, (off_t)held);
    return CM_ERR_STORE;
  }
  return 0;
}

int cm_journal_medium_set_aside(cm_journal_medium *medium, const char *text,
                                size_t len) {
  return make_file(with_suffix(medium, ".bad"), text, len);
}

void cm_journal_medium_close(cm_journal_medium *medium) {
  if (medium == NULL) {
    return;
  }
  if (medium->fd >= 0) {
    (void)close(medium->fd);
  }
  free(medium->path);
  free(medium->other);
  free(medium);
}
