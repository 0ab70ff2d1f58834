/* SPDX-License-Identifier: Apache-2.0 */
/* Written under another name, flushed and renamed, as the state beside it. */
#include "server/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY QUIC_KEYS_FILE ".new"

static int refuse(char why[KEYS_WHY_MAX], const char *folder,
                  const char *what) {
  snprintf(why, KEYS_WHY_MAX, "%s: %s/%s: %s", what, folder, QUIC_KEYS_FILE,
           strerror(errno));
  return KEYS_ERR_SYSTEM;
}

static int open_folder(const char *folder) {
  return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int read_all(int fd, uint8_t *dest, size_t destlen) {
  size_t len = 0;

  while (len < destlen) {
    ssize_t n = read(fd, dest + len, destlen - len);

    if (n == 0) {
      break;
    }
    if (n > 0) {
      len += (size_t)n;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return (int)len;
}

int keys_file_read(const char *folder, uint8_t *dest, size_t destlen,
                   char why[KEYS_WHY_MAX]) {
  int dir = open_folder(folder), fd, n;
  struct stat st;

  if (dir < 0) {
    return refuse(why, folder, "open");
  }
  fd = openat(dir, QUIC_KEYS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    n = errno == ENOENT ? KEYS_ERR_NONE : refuse(why, folder, "open");
    goto close_dir;
  }
  if (fstat(fd, &st) != 0) {
    n = refuse(why, folder, "stat");
  } else if ((st.st_mode & 077) != 0 || st.st_uid != geteuid()) {
    n = KEYS_ERR_OPEN;
  } else {
    n = read_all(fd, dest, destlen);
    if (n < 0) {
      n = refuse(why, folder, "read");
    }
  }
  close(fd);
close_dir:
  close(dir);
  return n;
}

int keys_file_write(const char *folder, const uint8_t *src, size_t len,
                    char why[KEYS_WHY_MAX]) {
  int dir = open_folder(folder), fd, rv = 0;

  if (dir < 0) {
    return refuse(why, folder, "open");
  }
  /* What a crash has left behind. */
  if (unlinkat(dir, TEMPORARY, 0) != 0 && errno != ENOENT) {
    rv = refuse(why, folder, "unlink");
    goto close_dir;
  }
  fd = openat(dir, TEMPORARY,
              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    rv = refuse(why, folder, "create");
    goto close_dir;
  }
  while (rv == 0 && len > 0) {
    ssize_t n = write(fd, src, len);

    if (n >= 0) {
      src += n;
      len -= (size_t)n;
    } else if (errno != EINTR) {
      rv = refuse(why, folder, "write");
    }
  }
  if (rv == 0 && fsync(fd) != 0) {
    rv = refuse(why, folder, "fsync");
  }
  if (close(fd) != 0 && rv == 0) {
    rv = refuse(why, folder, "close");
  }
  if (rv == 0 && renameat(dir, TEMPORARY, dir, QUIC_KEYS_FILE) != 0) {
    rv = refuse(why, folder, "rename");
  }
  if (rv != 0) {
    (void)unlinkat(dir, TEMPORARY, 0);
  } else if (fsync(dir) != 0) {
    rv = refuse(why, folder, "fsync");
  }
close_dir:
  close(dir);
  return rv;
}
