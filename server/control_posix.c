/* SPDX-License-Identifier: Apache-2.0 */
/* accept4, ppoll */
#define _GNU_SOURCE
#include "server/control_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A reply names all sessions with the paths that clients chose, so it may be
   long; there is room for this at first, and at most. */
#define REPLY_FIRST (64 * 1024)
#define REPLY_MAX (256 * 1024 * 1024)

typedef struct client {
  int fd; /* -1: free */
  size_t len;
  char line[CONTROL_LINE_MAX];
  char *reply;
  size_t reply_len, reply_sent;
} client;

struct control {
  int fd;
  struct sockaddr_un address;
  client clients[CONTROL_CLIENTS_MAX];
};

static int folder_of(char *dest, size_t destlen) {
  const char *base = getenv("XDG_RUNTIME_DIR");
  int n =
      snprintf(dest, destlen, "%s/fortnight-%lu",
               base && base[0] == '/' ? base : "/tmp", (unsigned long)getuid());

  return n > 0 && (size_t)n < destlen ? 0 : CONTROL_ERR_PATH;
}

int control_default_path(char *dest, size_t destlen, unsigned port) {
  char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
  int n;

  if (folder_of(folder, sizeof(folder)) != 0) {
    return CONTROL_ERR_PATH;
  }
  n = snprintf(dest, destlen, "%s/%u.sock", folder, port);
  return n > 0 && (size_t)n < destlen ? 0 : CONTROL_ERR_PATH;
}

static int address_of(struct sockaddr_un *address, const char *path) {
  size_t len = strlen(path);

  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  if (len == 0 || len >= sizeof(address->sun_path)) {
    errno = ENAMETOOLONG;
    return CONTROL_ERR_PATH;
  }
  memcpy(address->sun_path, path, len);
  return 0;
}

static int connect_to(const struct sockaddr_un *address) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd >= 0 &&
      connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

/* The folder of a socket must be nobody else's: who can write to it can put a
   socket of their own there. */
static int prepare_folder(const char *path) {
  char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
  const char *slash = strrchr(path, '/');
  char standard[sizeof(folder)];
  struct stat st;

  if (!slash || slash == path) {
    return 0;
  }
  memcpy(folder, path, (size_t)(slash - path));
  folder[slash - path] = '\0';
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
    return CONTROL_ERR_PATH;
  }
  if (folder_of(standard, sizeof(standard)) != 0 ||
      strcmp(folder, standard) != 0) {
    return 0;
  }
  if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode) ||
      st.st_uid != getuid() || (st.st_mode & 077) != 0) {
    errno = EPERM;
    return CONTROL_ERR_PATH;
  }
  return 0;
}

/* Removes a socket, but nothing else that has the name: connecting to a plain
   file is refused in the same way. */
static int unlink_socket(const char *path) {
  struct stat st;

  if (lstat(path, &st) != 0) {
    return -1;
  }
  if (!S_ISSOCK(st.st_mode)) {
    errno = EEXIST;
    return -1;
  }
  return unlink(path);
}

int control_open(control **pcontrol, const char *path) {
  control *c;
  mode_t mask;
  int i, fd, rv;

  *pcontrol = NULL;
  c = calloc(1, sizeof(*c));
  if (!c) {
    return CONTROL_ERR_NOMEM;
  }
  for (i = 0; i < CONTROL_CLIENTS_MAX; ++i) {
    c->clients[i].fd = -1;
  }
  rv = address_of(&c->address, path);
  if (rv == 0) {
    rv = prepare_folder(path);
  }
  if (rv != 0) {
    goto fail;
  }
  fd = connect_to(&c->address);
  if (fd >= 0) {
    close(fd);
    rv = CONTROL_ERR_IN_USE;
    goto fail;
  }
  rv = CONTROL_ERR_PATH;
  if (errno == ECONNREFUSED && unlink_socket(path) != 0) {
    goto fail;
  }
  c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->fd < 0) {
    goto fail;
  }
  mask = umask(0177);
  rv = bind(c->fd, (const struct sockaddr *)&c->address, sizeof(c->address));
  umask(mask);
  if (rv != 0 || listen(c->fd, CONTROL_CLIENTS_MAX) != 0) {
    int saved = errno;

    close(c->fd);
    errno = saved;
    rv = CONTROL_ERR_PATH;
    goto fail;
  }
  *pcontrol = c;
  return 0;

fail:
  free(c);
  return rv;
}

/* A command and a reply may hold the backup of an identity: none is left in
   memory. */
static void forget_reply(client *cl) {
  if (cl->reply) {
    explicit_bzero(cl->reply, cl->reply_len);
    free(cl->reply);
    cl->reply = NULL;
  }
}

static void drop(client *cl) {
  close(cl->fd);
  cl->fd = -1;
  explicit_bzero(cl->line, sizeof(cl->line));
  forget_reply(cl);
}

void control_close(control *c) {
  int i;

  if (!c) {
    return;
  }
  for (i = 0; i < CONTROL_CLIENTS_MAX; ++i) {
    if (c->clients[i].fd >= 0) {
      drop(&c->clients[i]);
    }
  }
  close(c->fd);
  unlink(c->address.sun_path);
  free(c);
}

size_t control_pollfds(const control *c,
                       struct pollfd fds[CONTROL_POLLFDS_MAX]) {
  size_t i, n = 0;
  int room = 0;

  for (i = 0; i < CONTROL_CLIENTS_MAX; ++i) {
    const client *cl = &c->clients[i];

    if (cl->fd < 0) {
      room = 1;
      continue;
    }
    fds[n].fd = cl->fd;
    fds[n].events = cl->reply ? POLLOUT : POLLIN;
    fds[n].revents = 0;
    ++n;
  }
  if (room) {
    fds[n].fd = c->fd;
    fds[n].events = POLLIN;
    fds[n].revents = 0;
    ++n;
  }
  return n;
}

static void accept_client(control *c) {
  size_t i;

  for (i = 0; i < CONTROL_CLIENTS_MAX; ++i) {
    client *cl = &c->clients[i];

    if (cl->fd < 0) {
      cl->fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      cl->len = 0;
      cl->reply = NULL;
      return;
    }
  }
}

static void send_reply(client *cl) {
  ssize_t n = send(cl->fd, cl->reply + cl->reply_sent,
                   cl->reply_len - cl->reply_sent, MSG_NOSIGNAL);

  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      drop(cl);
    }
    return;
  }
  cl->reply_sent += (size_t)n;
  if (cl->reply_sent == cl->reply_len) {
    forget_reply(cl);
  }
}

/* Answers the lines that are there, until one's reply has to wait. */
static void answer_lines(client *cl, control_answer answer, void *user) {
  while (cl->fd >= 0 && !cl->reply) {
    char *newline = memchr(cl->line, '\n', cl->len);
    size_t used;

    if (!newline) {
      if (cl->len == sizeof(cl->line)) {
        drop(cl);
      }
      return;
    }
    *newline = '\0';
    used = (size_t)(newline - cl->line) + 1;
    cl->reply = answer(user, cl->line);
    if (!cl->reply) {
      drop(cl);
      return;
    }
    memmove(cl->line, cl->line + used, cl->len - used);
    cl->len -= used;
    explicit_bzero(cl->line + cl->len, used);
    cl->reply_sent = 0;
    cl->reply_len = strlen(cl->reply);
    /* The NUL's place takes the newline: the length is what counts now. */
    cl->reply[cl->reply_len++] = '\n';
    send_reply(cl);
  }
}

static void read_lines(client *cl, control_answer answer, void *user) {
  ssize_t n = recv(cl->fd, cl->line + cl->len, sizeof(cl->line) - cl->len, 0);

  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (n <= 0) {
    drop(cl);
    return;
  }
  cl->len += (size_t)n;
  answer_lines(cl, answer, user);
}

void control_serve(control *c, const struct pollfd *fds, size_t nfds,
                   control_answer answer, void *user) {
  size_t i, k;

  for (i = 0; i < nfds; ++i) {
    if (fds[i].revents == 0) {
      continue;
    }
    if (fds[i].fd == c->fd) {
      accept_client(c);
      continue;
    }
    for (k = 0; k < CONTROL_CLIENTS_MAX; ++k) {
      client *cl = &c->clients[k];

      if (cl->fd == fds[i].fd) {
        if (cl->reply) {
          send_reply(cl);
          answer_lines(cl, answer, user);
        } else {
          read_lines(cl, answer, user);
        }
        break;
      }
    }
  }
}

static int read_reply(int fd, char **preply) {
  size_t room = REPLY_FIRST, len = 0;
  char *reply = malloc(room);

  if (!reply) {
    return CONTROL_ERR_NOMEM;
  }
  while (len < REPLY_MAX) {
    char *newline, *longer;
    ssize_t n;

    if (len == room) {
      longer = realloc(reply, 2 * room);
      if (!longer) {
        free(reply);
        return CONTROL_ERR_NOMEM;
      }
      reply = longer;
      room *= 2;
    }
    n = recv(fd, reply + len, room - len, 0);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      break;
    }
    newline = memchr(reply + len, '\n', (size_t)n);
    if (newline) {
      *newline = '\0';
      *preply = reply;
      return 0;
    }
    len += (size_t)n;
  }
  free(reply);
  return CONTROL_ERR_REPLY;
}

int control_request(char **preply, const char *path, const char *line) {
  static const struct timeval patience = {.tv_sec = 10};
  struct sockaddr_un address;
  int fd, rv;

  *preply = NULL;
  rv = address_of(&address, path);
  if (rv != 0) {
    return rv;
  }
  fd = connect_to(&address);
  if (fd < 0) {
    return CONTROL_ERR_NOBODY;
  }
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) !=
          0 ||
      send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) ||
      send(fd, "\n", 1, MSG_NOSIGNAL) != 1) {
    close(fd);
    return CONTROL_ERR_NOBODY;
  }
  rv = read_reply(fd, preply);
  close(fd);
  return rv;
}

int control_find(char *dest, size_t destlen) {
  char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
  struct dirent *entry;
  int found = 0;
  DIR *dir;

  if (folder_of(folder, sizeof(folder)) != 0 || !(dir = opendir(folder))) {
    return CONTROL_ERR_NOBODY;
  }
  while ((entry = readdir(dir))) {
    struct sockaddr_un address;
    char path[sizeof(folder) + sizeof(entry->d_name) + 1];
    size_t len = strlen(entry->d_name);
    int fd;

    if (len < 6 || strcmp(entry->d_name + len - 5, ".sock") != 0) {
      continue;
    }
    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    if (address_of(&address, path) != 0 || strlen(path) >= destlen) {
      continue;
    }
    fd = connect_to(&address);
    if (fd < 0) {
      continue;
    }
    close(fd);
    ++found;
    strcpy(dest, path);
  }
  closedir(dir);
  return found == 1 ? 0 : found ? CONTROL_ERR_IN_USE : CONTROL_ERR_NOBODY;
}
