/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "server/publisher_posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* For a request's line and headers, and a reply's headers. */
#define MEMORY_PER_CLIENT (16 * 1024)

typedef struct client {
  int fd; /* libmicrohttpd's; -1: free */
  uint64_t until;
} client;

struct publisher {
  struct MHD_Daemon *daemon;
  publisher_get get;
  void *user;
  uint16_t port;
  int check_host;
  uint64_t now;
  int closed; /* A connection was, in this turn. */
  client clients[PUBLISHER_CLIENTS_MAX];
};

/* ---- Addresses ---- */

typedef union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} address;

static int address_of(address *a, const char *text, uint16_t port) {
  memset(a, 0, sizeof(*a));
  if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons(port);
    return 0;
  }
  if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons(port);
    return 0;
  }
  errno = EINVAL;
  return PUBLISHER_ERR_ADDRESS;
}

static int is_loopback(const address *a) {
  return a->any.sa_family == AF_INET
             ? ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
             : IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* Splits "name", "name:port", "[address]" and "[address]:port"; |*port| is the
   text behind the colon, or NULL.  0, or -1. */
static int split_host(char *name, size_t namelen, const char **port,
                      const char *text) {
  const char *end;
  size_t len;

  if (*text == '[') {
    ++text;
    end = strchr(text, ']');
    if (!end || (end[1] != '\0' && end[1] != ':')) {
      return -1;
    }
    *port = end[1] == ':' ? end + 2 : NULL;
  } else {
    end = text + strcspn(text, ":");
    *port = *end == ':' ? end + 1 : NULL;
  }
  len = (size_t)(end - text);
  if (len == 0 || len >= namelen) {
    return -1;
  }
  memcpy(name, text, len);
  name[len] = '\0';
  return 0;
}

static int is_number(const char *text) {
  return strspn(text, "0123456789") == strlen(text);
}

int publisher_is_loopback(const char *host) {
  static const char local[] = "localhost";
  const size_t local_len = sizeof(local) - 1;
  char name[256];
  const char *port;
  address a;
  size_t len;

  if (split_host(name, sizeof(name), &port, host) != 0 ||
      (port && !is_number(port))) {
    return 0;
  }
  if (address_of(&a, name, 0) == 0) {
    return is_loopback(&a) && (a.any.sa_family == AF_INET6) == (*host == '[');
  }
  len = strlen(name);
  if (len > local_len && name[len - 1] == '.') {
    name[--len] = '\0';
  }
  return *host != '[' && len >= local_len &&
         strcasecmp(name + len - local_len, local) == 0 &&
         (len == local_len || name[len - local_len - 1] == '.');
}

int publisher_parse(char dest[PUBLISHER_ADDRESS_MAX], uint16_t *port,
                    const char *text) {
  unsigned long number;
  const char *digits;
  address a;

  if (split_host(dest, PUBLISHER_ADDRESS_MAX, &digits, text) != 0 || !digits ||
      address_of(&a, dest, 0) != 0 ||
      (a.any.sa_family == AF_INET6) != (*text == '[') || *digits == '\0' ||
      strlen(digits) > 5 || !is_number(digits)) {
    return PUBLISHER_ERR_ADDRESS;
  }
  number = strtoul(digits, NULL, 10);
  if (number > UINT16_MAX) {
    return PUBLISHER_ERR_ADDRESS;
  }
  *port = (uint16_t)number;
  return 0;
}

/* ---- Requests ---- */

static const char *field(struct MHD_Connection *connection, const char *name) {
  return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void refuse(documents_reply *reply, int status, const char *text) {
  memset(reply, 0, sizeof(*reply));
  reply->status = status;
  reply->headers[0].name = "content-type";
  strcpy(reply->headers[0].value, "text/plain; charset=utf-8");
  reply->headers[1].name = "cache-control";
  strcpy(reply->headers[1].value, "no-store");
  reply->nheaders = 2;
  reply->body = strdup(text);
  reply->len = reply->body ? strlen(text) : 0;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection,
                                  documents_reply *reply) {
  enum MHD_Result rv = MHD_YES;
  struct MHD_Response *response;
  size_t i;

  response = MHD_create_response_from_buffer_with_free_callback(
      reply->len, reply->body, free);
  if (!response) {
    documents_reply_free(reply);
    return MHD_NO;
  }
  for (i = 0; i < reply->nheaders && rv == MHD_YES; ++i) {
    rv = MHD_add_response_header(response, reply->headers[i].name,
                                 reply->headers[i].value);
  }
  /* One request a connection: its time is bounded then. */
  if (rv == MHD_YES) {
    rv = MHD_add_response_header(response, "connection", "close");
  }
  if (rv == MHD_YES) {
    rv = MHD_queue_response(connection, (unsigned)reply->status, response);
  }
  MHD_destroy_response(response);
  return rv;
}

/* A request's line and headers are there.  What follows them is of no use:
   the reply goes out at once.  MHD_NO cuts the client off. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_len, void **context) {
  publisher *p = user;
  const char *host = field(connection, "host");
  documents_request request;
  documents_reply reply;

  (void)version;
  (void)upload;
  (void)upload_len;
  (void)context;
  if (p->check_host && host && !publisher_is_loopback(host)) {
    refuse(&reply, MHD_HTTP_FORBIDDEN,
           "This is for this machine alone: ask localhost for it.\n");
    return send_reply(connection, &reply);
  }
  request.method = method;
  request.path = url;
  request.if_none_match = field(connection, "if-none-match");
  request.accept = field(connection, "accept");
  if (p->get(p->user, &reply, &request) != 0) {
    refuse(&reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "The server failed.\n");
  }
  return send_reply(connection, &reply);
}

/* ---- Connections ---- */

static void on_connection(void *user, struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode what) {
  publisher *p = user;
  const union MHD_ConnectionInfo *info;
  size_t i;

  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    client *cl = *context;

    if (cl) {
      cl->fd = -1;
    }
    p->closed = 1;
    return;
  }
  info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  for (i = 0; info && i < PUBLISHER_CLIENTS_MAX; ++i) {
    client *cl = &p->clients[i];

    if (cl->fd < 0) {
      cl->fd = info->connect_fd;
      cl->until = p->now + PUBLISHER_PATIENCE;
      *context = cl;
      return;
    }
  }
}

static int bind_to(int *pfd, const address *a) {
  socklen_t len = a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
  const int one = 1, zero = 0;
  int fd =
      socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int saved;

  if (fd < 0) {
    return errno == ENOMEM || errno == ENOBUFS ? PUBLISHER_ERR_NOMEM
                                               : PUBLISHER_ERR_ADDRESS;
  }
  /* A server that was started anew finds connections of the one before. */
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
      (a->any.sa_family == AF_INET ||
       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) == 0) &&
      bind(fd, &a->any, len) == 0 && listen(fd, PUBLISHER_CLIENTS_MAX) == 0) {
    *pfd = fd;
    return 0;
  }
  saved = errno;
  close(fd);
  errno = saved;
  switch (saved) {
  case EADDRINUSE:
    return PUBLISHER_ERR_IN_USE;
  case EACCES:
  case EPERM:
    return PUBLISHER_ERR_PERMISSION;
  default:
    return PUBLISHER_ERR_ADDRESS;
  }
}

static uint16_t port_of(int fd) {
  address a;
  socklen_t len = sizeof(a);

  if (getsockname(fd, &a.any, &len) != 0) {
    return 0;
  }
  return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

int publisher_open(publisher **ppublisher, const publisher_config *config) {
  publisher *p;
  address a;
  int i, fd, rv;

  *ppublisher = NULL;
  rv = address_of(&a, config->address ? config->address : "127.0.0.1",
                  config->port);
  if (rv != 0) {
    return rv;
  }
  if (!is_loopback(&a) && !config->anywhere) {
    return PUBLISHER_ERR_NOT_LOOPBACK;
  }
  p = calloc(1, sizeof(*p));
  if (!p) {
    return PUBLISHER_ERR_NOMEM;
  }
  for (i = 0; i < PUBLISHER_CLIENTS_MAX; ++i) {
    p->clients[i].fd = -1;
  }
  p->get = config->get;
  p->user = config->user;
  p->check_host = is_loopback(&a);
  rv = bind_to(&fd, &a);
  if (rv != 0) {
    goto fail;
  }
  p->port = port_of(fd);
  /* It takes over the socket if it succeeds. */
  p->daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY, 0, NULL, NULL, on_request, p,
      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)PUBLISHER_CLIENTS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)MEMORY_PER_CLIENT, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, p, MHD_OPTION_END);
  if (!p->daemon) {
    close(fd);
    rv = PUBLISHER_ERR_NOMEM;
    goto fail;
  }
  *ppublisher = p;
  return 0;

fail:
  free(p);
  return rv;
}

void publisher_close(publisher *p) {
  if (p) {
    MHD_stop_daemon(p->daemon);
    free(p);
  }
}

uint16_t publisher_port(const publisher *p) { return p->port; }

/* ---- Loop ---- */

int publisher_fd(const publisher *p) {
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(p->daemon, MHD_DAEMON_INFO_EPOLL_FD);

  return info ? info->epoll_fd : -1;
}

uint64_t publisher_deadline(const publisher *p) {
  uint64_t deadline = UINT64_MAX;
  int i;

  /* No time-outs of its own are set: either it has something to do at once, or
     nothing. */
  if (MHD_get_timeout64s(p->daemon) >= 0) {
    return p->now;
  }
  for (i = 0; i < PUBLISHER_CLIENTS_MAX; ++i) {
    if (p->clients[i].fd >= 0 && p->clients[i].until < deadline) {
      deadline = p->clients[i].until;
    }
  }
  return deadline;
}

void publisher_serve(publisher *p, uint64_t now) {
  int i;

  p->now = now;
  for (i = 0; i < PUBLISHER_CLIENTS_MAX; ++i) {
    if (p->clients[i].fd >= 0 && p->clients[i].until <= now) {
      /* The descriptor is libmicrohttpd's, which finds the end of it. */
      shutdown(p->clients[i].fd, SHUT_RDWR);
      /* Not to be asked for again while it does. */
      p->clients[i].until = UINT64_MAX;
    }
  }
  p->closed = 0;
  MHD_run(p->daemon);
  /* With all places taken it does not poll the listening socket, and begins
     again only with the next turn after one was freed. */
  if (p->closed) {
    MHD_run(p->daemon);
  }
}

const char *publisher_strerror(int error) {
  switch (error) {
  case PUBLISHER_ERR_NOMEM:
    return "out of memory";
  case PUBLISHER_ERR_ADDRESS:
    return "this address cannot be had here";
  case PUBLISHER_ERR_NOT_LOOPBACK:
    return "this is no loopback address";
  case PUBLISHER_ERR_IN_USE:
    return "the port is in use";
  case PUBLISHER_ERR_PERMISSION:
    return "permission denied";
  default:
    return "unknown error";
  }
}
