/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in a folder:
 *
 *   lock       held with flock(2) as long as the store is open
 *   key        the MAC's key
 *   state.0    the slots
 *   state.1
 *   *.new      a file on its way to one of these names
 *   *.bad      what did not pass its check, set aside
 *
 * A file is written under another name, flushed, and renamed: the name always
 * stands for a complete file.  The folder is flushed after each rename.
 */
#include "certmgr/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_MAX (CM_STORE_BODY_MAX + CM_STORE_OVERHEAD)

static const char *const slot_names[2] = {"state.0", "state.1"};

typedef struct posix_store {
  cm_store base;
  char *path;
  int dir;
  int lock;
  uint8_t key[CM_STORE_KEY_LEN];
  uint64_t seq; /* Of the newest slot. */
  int newest;   /* 0 or 1; the next save goes to the other. */
  int loaded;
  uint8_t buffer[SLOT_MAX + 1];
} posix_store;

__attribute__((format(printf, 2, 3))) static void
tell(posix_store *s, const char *format, ...) {
  va_list args;

  va_start(args, format);
  vsnprintf(s->base.message, sizeof(s->base.message), format, args);
  va_end(args);
}

static int fail(posix_store *s, const char *what, const char *name) {
  tell(s, "%s/%s: %s: %s", s->path, name, what, strerror(errno));
  return CM_ERR_STORE;
}

/* close(2), where what has been written matters no more. */
static void drop(int fd) {
  if (fd >= 0) {
    (void)close(fd);
  }
}

/* Whether |fd| belongs to this user alone. */
static int check_mode(posix_store *s, int fd, const char *name, mode_t mode) {
  struct stat st;

  if (fstat(fd, &st) != 0) {
    return fail(s, "stat", name);
  }
  if (st.st_uid != geteuid()) {
    tell(s,
         "%s/%s belongs to another user; if it is yours: "
         "chown -R %lu '%s'",
         s->path, name, (unsigned long)geteuid(), s->path);
    return CM_ERR_STORE_PERMISSIONS;
  }
  if ((st.st_mode & 077) != 0) {
    tell(s, "%s/%s can be used by others; to mend it: chmod %o '%s/%s'",
         s->path, name, (unsigned)mode, s->path, name);
    return CM_ERR_STORE_PERMISSIONS;
  }
  return 0;
}

/* Reads the file |name| whole into |s->buffer|.  |*plen| is SIZE_MAX if there
   is none; more than SLOT_MAX stands for any length above that. */
static int read_file(posix_store *s, const char *name, size_t *plen) {
  size_t len = 0;
  int fd, rv;

  *plen = SIZE_MAX;
  fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    return errno == ENOENT ? 0 : fail(s, "open", name);
  }
  rv = check_mode(s, fd, name, 0600);
  while (rv == 0 && len < sizeof(s->buffer)) {
    ssize_t n = read(fd, s->buffer + len, sizeof(s->buffer) - len);
    if (n == 0) {
      break;
    }
    if (n > 0) {
      len += (size_t)n;
    } else if (errno != EINTR) {
      rv = fail(s, "read", name);
    }
  }
  drop(fd);
  if (rv == 0) {
    *plen = len;
  }
  return rv;
}

static int write_all(int fd, const uint8_t *data, size_t len) {
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

/* Makes |name| stand for |data|, durably, or leaves it as it is. */
static int replace_file(posix_store *s, const char *name, const uint8_t *data,
                        size_t len) {
  char temporary[32];
  int fd, rv;

  snprintf(temporary, sizeof(temporary), "%s.new", name);
  /* What a crash has left behind; nobody else writes here. */
  if (unlinkat(s->dir, temporary, 0) != 0 && errno != ENOENT) {
    return fail(s, "unlink", temporary);
  }
  fd = openat(s->dir, temporary,
              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(s, "create", temporary);
  }
  if (write_all(fd, data, len) != 0) {
    rv = fail(s, "write", temporary);
    goto fail_fd;
  }
  if (fsync(fd) != 0) {
    rv = fail(s, "fsync", temporary);
    goto fail_fd;
  }
  if (close(fd) != 0) {
    fd = -1;
    rv = fail(s, "close", temporary);
    goto fail_fd;
  }
  fd = -1;
  if (renameat(s->dir, temporary, s->dir, name) != 0) {
    rv = fail(s, "rename", temporary);
    goto fail_fd;
  }
  return fsync(s->dir) != 0 ? fail(s, "fsync", ".") : 0;

fail_fd:
  drop(fd);
  (void)unlinkat(s->dir, temporary, 0);
  return rv;
}

/* Puts what did not pass its check where it can be examined. */
static int set_aside(posix_store *s, const char *name) {
  char bad[32];

  snprintf(bad, sizeof(bad), "%s.bad", name);
  if (renameat(s->dir, name, s->dir, bad) != 0) {
    return fail(s, "rename", name);
  }
  s->base.bad++;
  tell(s, "%s/%s did not pass its check and is now %s", s->path, name, bad);
  return 0;
}

/* Whether there is a slot, with |suffix| at its name. */
static int has_slot(const posix_store *s, const char *suffix) {
  char name[32];

  for (int i = 0; i < 2; i++) {
    snprintf(name, sizeof(name), "%s%s", slot_names[i], suffix);
    if (faccessat(s->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
      return 1;
    }
  }
  return 0;
}

/* --- the operations ----------------------------------------------------- */

static int posix_load(cm_store *store, uint8_t *dest, size_t destlen,
                      size_t *len) {
  posix_store *s = (posix_store *)store;
  int found = 0, rv = 0;

  s->seq = 0;
  s->newest = 1;
  for (int i = 0; i < 2; i++) {
    const uint8_t *body;
    uint64_t seq;
    size_t n;

    rv = read_file(s, slot_names[i], &n);
    if (rv != 0) {
      goto done;
    }
    if (n == SIZE_MAX) {
      continue;
    }
    rv = cm_store_unseal(s->buffer, n, s->key, &seq, &body, &n);
    if (rv == CM_ERR_STORE_BAD) {
      rv = set_aside(s, slot_names[i]);
    } else if (rv == 0 && (!found || seq > s->seq)) {
      if (n > destlen) {
        rv = CM_ERR_NOBUF;
        goto done;
      }
      memcpy(dest, body, n);
      *len = n;
      s->seq = seq;
      s->newest = i;
      found = 1;
    }
    if (rv != 0) {
      goto done;
    }
  }
  s->loaded = 1;
  if (!found && has_slot(s, ".bad")) {
    /* Also at the next start: nobody is given a new identity by accident. */
    tell(s,
         "%s: what is stored did not pass its check, and is now *.bad; restore "
         "a copy of the folder, or begin anew: rm '%s'/*.bad",
         s->path, s->path);
    rv = CM_ERR_STORE_BAD;
  }

done:
  explicit_bzero(s->buffer, sizeof(s->buffer));
  return rv;
}

static int posix_save(cm_store *store, const uint8_t *body, size_t len) {
  posix_store *s = (posix_store *)store;
  int n, rv;

  if (!s->loaded) {
    /* Which slot is to be kept is not known yet. */
    return CM_ERR_INVALID;
  }
  n = cm_store_seal(s->buffer, sizeof(s->buffer), s->key, s->seq + 1, body,
                    len);
  if (n < 0) {
    rv = n;
  } else {
    rv = replace_file(s, slot_names[1 - s->newest], s->buffer, (size_t)n);
  }
  explicit_bzero(s->buffer, sizeof(s->buffer));
  if (rv == 0) {
    s->newest = 1 - s->newest;
    s->seq++;
  }
  return rv;
}

static void posix_close(cm_store *store) {
  posix_store *s = (posix_store *)store;

  drop(s->lock);
  drop(s->dir);
  free(s->path);
  explicit_bzero(s, sizeof(*s));
  free(s);
}

/* --- opening ------------------------------------------------------------ */

/* The folder's own name is to be durable as well. */
static int flush_parent(posix_store *s) {
  int rv = 0, fd = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0) {
    return fail(s, "open", "..");
  }
  if (fsync(fd) != 0) {
    rv = fail(s, "fsync", "..");
  }
  drop(fd);
  return rv;
}

static int open_folder(posix_store *s) {
  int made, rv;

  made = mkdir(s->path, 0700) == 0;
  if (!made && errno != EEXIST) {
    return fail(s, "mkdir", "");
  }
  s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (s->dir < 0) {
    return fail(s, "open", "");
  }
  rv = made ? flush_parent(s) : check_mode(s, s->dir, ".", 0700);
  if (rv != 0) {
    return rv;
  }
  s->lock =
      openat(s->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (s->lock < 0) {
    return fail(s, "open", "lock");
  }
  if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      tell(s, "%s is in use by another process", s->path);
      return CM_ERR_STORE_LOCKED;
    }
    return fail(s, "flock", "lock");
  }
  return 0;
}

static int open_key(posix_store *s, const cm_random *random) {
  size_t len;
  int rv = read_file(s, "key", &len);

  if (rv == 0 && len == SIZE_MAX && has_slot(s, "")) {
    /* It is made before the first slot: a new one would condemn them. */
    tell(s,
         "%s/key is missing; restore a copy of the folder, or begin anew: rm "
         "'%s'/state.*",
         s->path, s->path);
    return CM_ERR_STORE_BAD;
  }
  if (rv == 0 && len == SIZE_MAX) {
    if (random->fill(random->user, s->key, sizeof(s->key)) != 0) {
      return CM_ERR_RANDOM;
    }
    return replace_file(s, "key", s->key, sizeof(s->key));
  }
  if (rv == 0 && len != sizeof(s->key)) {
    tell(
        s,
        "%s/key is damaged; restore a copy of the folder, or begin anew: rm -r "
        "'%s'",
        s->path, s->path);
    rv = CM_ERR_STORE_BAD;
  }
  if (rv == 0) {
    memcpy(s->key, s->buffer, sizeof(s->key));
  }
  explicit_bzero(s->buffer, sizeof(s->buffer));
  return rv;
}

int cm_store_open_posix(cm_store **pstore, const char *path,
                        const cm_random *random) {
  static const cm_store_ops ops = {posix_load, posix_save, posix_close, NULL,
                                   NULL};
  posix_store *s = calloc(1, sizeof(*s));
  int rv;

  *pstore = NULL;
  if (s == NULL) {
    return CM_ERR_NOMEM;
  }
  s->base.ops = &ops;
  s->dir = s->lock = -1;
  s->path = strdup(path);
  if (s->path == NULL) {
    free(s);
    return CM_ERR_NOMEM;
  }
  *pstore = &s->base;
  rv = open_folder(s);
  return rv == 0 ? open_key(s, random) : rv;
}
