/* SPDX-License-Identifier: Apache-2.0 */
/* "serve": clocks, poll(2), signals, and what the appliance leaves to its host:
   the state folder, the control socket, HTTP. */
/* ppoll */
#define _GNU_SOURCE
#include "server/cli.h"

#include "certmgr/journal.h"
#include "server/control_posix.h"
#include "server/publisher_posix.h"
#include "server/udp_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define PATH_LEN_MAX 512
#define JOURNAL_NAME "journal.jsonl"
#define JOURNAL_MAX (1024 * 1024)

/* For how long a command waits for the disk before it is answered, in
   nanoseconds. */
#define SETTLE_MAX (5 * NGTCP2_SECONDS)

/* The socket, the signals, the store, HTTP; then the control socket. */
#define OWN_POLLFDS 4

typedef struct host {
  const cli_options *options;
  appliance *appliance;
  udp_socket *socket;
  control *control;
  publisher *publisher;
  cm_store *store;
  int store_fd; /* -1: nothing is kept */
  cm_journal_file *journal;
  int journal_failed;
  int signals;
  int announced;
  FILE *key_log;
  uint16_t port;
  char control_path[PATH_LEN_MAX];
  char state_path[PATH_LEN_MAX];
  char http_url[PUBLISHER_ADDRESS_MAX + 32];
} host;

/* ---- What the appliance tells ---- */

__attribute__((format(printf, 2, 3))) static void
warn(const char *level, const char *format, ...) {
  char line[1024];
  cJSON *event = cJSON_CreateObject();
  va_list args;

  va_start(args, format);
  vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  cJSON_AddStringToObject(event, "type", "log");
  cJSON_AddStringToObject(event, "level", level);
  cJSON_AddStringToObject(event, "text", line);
  cli_log_event(stderr, event, time(NULL));
  cJSON_Delete(event);
}

static void on_event(void *user, cJSON *event) {
  (void)user;
  cli_log_event(stderr, event, time(NULL));
}

static void on_journal(void *user, const cm_journal_entry *entry) {
  host *h = user;

  if (h->journal) {
    int rv = cm_journal_append(h->journal, entry);

    /* Told once, however long it lasts. */
    if (rv != 0 && !h->journal_failed) {
      warn("warning", "the journal %s/%s cannot be written: %s", h->state_path,
           JOURNAL_NAME, strerror(errno));
    }
    h->journal_failed = rv != 0;
  }
}

static cJSON *on_health(void *user) {
  const host *h = user;
  cJSON *health = cJSON_CreateObject();

  if (h->http_url[0]) {
    cJSON_AddStringToObject(health, "http", h->http_url);
  }
  if (h->store) {
    cJSON_AddStringToObject(health, "state", h->state_path);
  }
  if (h->journal_failed) {
    cJSON_AddStringToObject(health, "journal", "cannot be written");
  }
  return health;
}

static void on_keylog(void *user, const char *line) {
  FILE *file = user;

  fprintf(file, "%s\n", line);
  fflush(file);
}

static int on_get(void *user, documents_reply *reply,
                  const documents_request *request) {
  const host *h = user;
  documents_source source;

  memset(&source, 0, sizeof(source));
  appliance_documents(h->appliance, &source);
  return documents_get(reply, &source, request);
}

/* ---- The loop ---- */

static int fail(const host *h, int error) {
  char why[256];

  if (h->store && h->store->message[0] &&
      host_exit_code(error) == HOST_EXIT_STATE) {
    cli_complain("%s", h->store->message);
  } else {
    host_explain(why, sizeof(why), error, h->options->address, h->port);
    cli_complain("%s", why);
  }
  return (int)host_exit_code(error);
}

static struct timespec until(uint64_t deadline, const appliance_time *t) {
  uint64_t left = deadline > t->mono ? deadline - t->mono : 0;
  struct timespec ts;

  ts.tv_sec = (time_t)(left / NGTCP2_SECONDS);
  ts.tv_nsec = (long)(left % NGTCP2_SECONDS);
  return ts;
}

/* Those that serve clients and state; returns 2. */
static nfds_t fill_core(const host *h, struct pollfd fds[2]) {
  fds[0].fd = udp_posix_fd(h->socket);
  fds[0].events = POLLIN;
  if (udp_send_pending(h->socket)) {
    fds[0].events |= POLLOUT;
  }
  fds[1].fd = h->store_fd; /* -1 is ignored */
  fds[1].events = POLLIN;
  return 2;
}

/* Goes on serving until what a command has begun is on the disk. */
static int settle(host *h, appliance_time *t) {
  uint64_t patience = t->mono + SETTLE_MAX;

  while (!appliance_is_settled(h->appliance) && t->mono < patience) {
    struct pollfd fds[2];
    uint64_t deadline = appliance_deadline(h->appliance);
    struct timespec timeout =
        until(deadline < patience ? deadline : patience, t);

    if (ppoll(fds, fill_core(h, fds), &timeout, NULL) < 0 && errno != EINTR) {
      return UDP_ERR_IO;
    }
    if (host_turn(h->appliance, h->socket, t) < 0) {
      return UDP_ERR_IO;
    }
  }
  return 0;
}

static int is_background(const cJSON *command) {
  static const char *const names[] = {"rotate", "revoke", "reset"};
  const char *name = cJSON_GetStringValue(
      cJSON_GetObjectItemCaseSensitive(command, "command"));
  size_t i;

  for (i = 0; name && i < sizeof(names) / sizeof(names[0]); ++i) {
    if (strcmp(name, names[i]) == 0) {
      return 1;
    }
  }
  return cJSON_HasObjectItem(command, "restore");
}

static char *answer(void *user, const char *line) {
  host *h = user;
  cJSON *command = cJSON_Parse(line);
  cJSON *reply;
  appliance_time t;
  char *printed, *longer;

  host_now(&t);
  reply = appliance_command(h->appliance, command, &t);
  if (is_background(command) && !cJSON_HasObjectItem(reply, "error") &&
      settle(h, &t) == 0) {
    cJSON_Delete(reply);
    reply = appliance_describe(h->appliance);
  }
  printed = cJSON_PrintUnformatted(reply);
  cJSON_Delete(reply);
  cJSON_Delete(command);
  /* control_posix.c puts a newline in the place of the NUL and no NUL behind
     it; nothing else needs room. */
  longer = printed ? realloc(printed, strlen(printed) + 2) : NULL;
  if (!longer) {
    free(printed);
  }
  return longer;
}

/* The ready line, once clients can connect and the standby is published too: a
   clock that is not set yet, or a full disk, can keep it from that for a
   while. */
static int announce(host *h) {
  cJSON *ready;
  char *printed;

  if (h->announced || !appliance_is_ready(h->appliance) ||
      !appliance_is_settled(h->appliance)) {
    return 0;
  }
  h->announced = 1;
  ready = appliance_describe(h->appliance);
  cJSON_AddNumberToObject(ready, "pid", (double)getpid());
  cJSON_AddStringToObject(ready, "control", h->control_path);
  if (h->http_url[0]) {
    cJSON_AddStringToObject(ready, "http", h->http_url);
  }
  if (h->store) {
    cJSON_AddStringToObject(ready, "state_folder", h->state_path);
  }
  printed = cJSON_PrintUnformatted(ready);
  cJSON_Delete(ready);
  if (!printed) {
    return UDP_ERR_NOMEM;
  }
  printf("ready %s\n", printed);
  fflush(stdout);
  cJSON_free(printed);
  return 0;
}

static uint64_t deadline_of(const host *h) {
  uint64_t deadline = appliance_deadline(h->appliance);
  uint64_t http = h->publisher ? publisher_deadline(h->publisher) : UINT64_MAX;

  return http < deadline ? http : deadline;
}

static int loop(host *h) {
  struct pollfd fds[OWN_POLLFDS + CONTROL_POLLFDS_MAX];
  appliance_time t;

  for (;;) {
    struct timespec timeout;
    size_t n;
    int rv = host_turn(h->appliance, h->socket, &t);

    if (rv < 0) {
      return rv;
    }
    if (appliance_is_stopping(h->appliance)) {
      return 0;
    }
    if (announce(h) != 0) {
      return UDP_ERR_NOMEM;
    }
    (void)fill_core(h, fds);
    fds[2].fd = h->signals;
    fds[2].events = POLLIN;
    fds[3].fd = h->publisher ? publisher_fd(h->publisher) : -1;
    fds[3].events = POLLIN;
    n = control_pollfds(h->control, fds + OWN_POLLFDS);
    timeout = until(rv == 1 ? 0 : deadline_of(h), &t);
    if (ppoll(fds, OWN_POLLFDS + n, &timeout, NULL) < 0) {
      if (errno != EINTR) {
        return UDP_ERR_IO;
      }
      continue;
    }
    host_now(&t);
    if (fds[2].revents) {
      appliance_shutdown(h->appliance, &t);
    }
    if (h->publisher) {
      publisher_serve(h->publisher, t.mono);
    }
    control_serve(h->control, fds + OWN_POLLFDS, n, answer, h);
  }
}

/* ---- What has to be there first ---- */

static int open_key_log(host *h, const char *path) {
  int fd;

  if (!path) {
    return 0;
  }
  fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  h->key_log = fd >= 0 ? fdopen(fd, "a") : NULL;
  if (!h->key_log) {
    cli_complain("cannot write the key log %s: %s", path, strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return HOST_EXIT_OPTION;
  }
  return 0;
}

static int open_socket(host *h) {
  udp_options udp;
  int rv;

  udp.address = h->options->address;
  udp.port = h->options->port;
  h->port = udp.port;
  rv = udp_open(&h->socket, &udp);
  if (rv != 0) {
    return fail(h, rv);
  }
  h->port = host_port(udp_local_address(h->socket));
  return 0;
}

static void open_journal(host *h) {
  char path[PATH_LEN_MAX + sizeof(JOURNAL_NAME) + 1];
  int bad = 0;

  snprintf(path, sizeof(path), "%s/%s", h->state_path, JOURNAL_NAME);
  if (cm_journal_open(&h->journal, path, JOURNAL_MAX, &bad) != 0) {
    /* It is told of what happens, and nothing depends on it. */
    h->journal_failed = 1;
    warn("warning", "the journal %s cannot be opened: %s", path,
         strerror(errno));
  } else if (bad) {
    warn("warning",
         "the journal %s had been changed or cut off: what does not hold "
         "together is now in %s.bad",
         path, path);
  }
}

static int open_state(host *h) {
  const cli_options *o = h->options;
  cm_store *posix;
  int rv;

  h->store_fd = -1;
  if (o->ephemeral) {
    return 0;
  }
  if (o->state && strlen(o->state) >= sizeof(h->state_path)) {
    cli_complain("--state is longer than %d octets", PATH_LEN_MAX - 1);
    return HOST_EXIT_OPTION;
  }
  if (o->state) {
    snprintf(h->state_path, sizeof(h->state_path), "%s", o->state);
  } else if (cli_state_path(h->state_path, sizeof(h->state_path)) != 0) {
    cli_complain("where is the state to be kept? HOME is not set: give "
                 "--state DIR, or --ephemeral to keep nothing");
    return HOST_EXIT_STATE;
  }
  if (cli_state_make_parents(h->state_path) != 0) {
    cli_complain("the state folder %s cannot be made: %s; choose another with "
                 "--state DIR, or --ephemeral to keep nothing",
                 h->state_path, strerror(errno));
    return HOST_EXIT_STATE;
  }
  rv = cm_store_open_posix(&posix, h->state_path, &cm_random_system);
  if (rv == 0) {
    rv = cm_store_open_thread_posix(&h->store, posix);
  }
  if (rv != 0) {
    const char *message = posix ? posix->message : "";

    cli_complain("%s%s", message[0] ? message : cm_strerror(rv),
                 rv == CM_ERR_STORE_LOCKED
                     ? ": give each server its own with --state DIR, or "
                       "--ephemeral to keep nothing"
                     : "");
    cm_store_close(posix);
    return HOST_EXIT_STATE;
  }
  h->store_fd = cm_store_thread_fd(h->store);
  open_journal(h);
  return 0;
}

static int open_control(host *h) {
  const char *path = h->options->control;
  int rv = 0;

  if (path) {
    rv = snprintf(h->control_path, sizeof(h->control_path), "%s", path) >=
         (int)sizeof(h->control_path);
  } else {
    rv =
        control_default_path(h->control_path, sizeof(h->control_path), h->port);
  }
  if (rv != 0) {
    cli_complain("the control socket's path is too long: choose another with "
                 "--control");
    return HOST_EXIT_CONTROL;
  }
  rv = control_open(&h->control, h->control_path);
  if (rv == CONTROL_ERR_IN_USE) {
    cli_complain("another server answers at %s: stop it, or choose another "
                 "path with --control",
                 h->control_path);
  } else if (rv != 0) {
    cli_complain("cannot make the control socket %s (%s): choose another path "
                 "with --control",
                 h->control_path, strerror(errno));
  }
  return rv == 0 ? 0 : HOST_EXIT_CONTROL;
}

static int http_exit_code(int error) {
  switch (error) {
  case PUBLISHER_ERR_IN_USE:
    return HOST_EXIT_PORT_BUSY;
  case PUBLISHER_ERR_PERMISSION:
    return HOST_EXIT_PERMISSION;
  case PUBLISHER_ERR_ADDRESS:
    return HOST_EXIT_ADDRESS;
  default:
    return HOST_EXIT_INTERNAL;
  }
}

static int open_publisher(host *h) {
  const char *http = h->options->http;
  char address[PUBLISHER_ADDRESS_MAX] = "127.0.0.1";
  publisher_config config = {address, h->port, 0, on_get, h};
  int rv;

  if (http && strcmp(http, "off") == 0) {
    return 0;
  }
  if (http) {
    if (publisher_parse(address, &config.port, http) != 0) {
      cli_complain("--http takes an address and a port, such as "
                   "127.0.0.1:8080 or [::1]:8080, or \"off\"");
      return HOST_EXIT_OPTION;
    }
    config.anywhere = 1;
  }
  rv = publisher_open(&h->publisher, &config);
  if (rv != 0 && !http) {
    warn("warning", "no HTTP at %s port %u: %s (choose a place with --http)",
         address, (unsigned)config.port, publisher_strerror(rv));
    return 0;
  }
  if (rv != 0) {
    cli_complain("no HTTP at %s: %s; choose another place with --http", http,
                 publisher_strerror(rv));
    return http_exit_code(rv);
  }
  snprintf(h->http_url, sizeof(h->http_url),
           strchr(address, ':') ? "http://[%s]:%u/" : "http://%s:%u/", address,
           (unsigned)publisher_port(h->publisher));
  return 0;
}

static int open_signals(host *h) {
  sigset_t set;

  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &set, NULL) == 0) {
    h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  if (h->signals < 0) {
    cli_complain("no signalfd: %s", strerror(errno));
    return HOST_EXIT_INTERNAL;
  }
  return 0;
}

/* ---- All together ---- */

static int open_appliance(host *h) {
  const cli_options *o = h->options;
  const char *defaults[HOST_NAMES_MAX];
  appliance_config config;
  appliance_time t;
  int rv;

  appliance_config_default(&config);
  config.port = h->port;
  config.hosts = o->nhosts ? o->hosts : defaults;
  config.nhosts =
      o->nhosts ? o->nhosts : host_default_names(defaults, o->address);
  config.mirror = o->mirror;
  config.profile = &o->profile;
  config.store = h->store;
  config.on_event = on_event;
  config.on_journal = on_journal;
  config.on_health = on_health;
  config.user = h;
  if (h->key_log) {
    config.keylog = on_keylog;
    config.keylog_user = h->key_log;
  }
  host_now(&t);
  rv = appliance_new(&h->appliance, &config, &t);
  return rv == 0 ? 0 : fail(h, rv);
}

int cli_serve(const cli_options *options) {
  host h;
  int rv;

  memset(&h, 0, sizeof(h));
  h.options = options;
  h.store_fd = h.signals = -1;
  rv = open_key_log(&h, options->key_log);
  if (rv != 0) {
    return rv;
  }
  rv = open_socket(&h);
  if (rv != 0) {
    goto fail_key_log;
  }
  rv = open_state(&h);
  if (rv != 0) {
    goto fail_socket;
  }
  rv = open_control(&h);
  if (rv != 0) {
    goto fail_state;
  }
  rv = open_publisher(&h);
  if (rv != 0) {
    goto fail_control;
  }
  rv = open_signals(&h);
  if (rv != 0) {
    goto fail_publisher;
  }
  rv = open_appliance(&h);
  if (rv != 0) {
    goto fail_signals;
  }
  rv = loop(&h);
  if (rv != 0) {
    rv = fail(&h, rv);
  }
  appliance_free(h.appliance);
fail_signals:
  close(h.signals);
fail_publisher:
  publisher_close(h.publisher);
fail_control:
  control_close(h.control);
fail_state:
  cm_journal_close(h.journal);
  cm_store_close(h.store);
fail_socket:
  udp_close(h.socket);
fail_key_log:
  if (h.key_log) {
    fclose(h.key_log);
  }
  return rv;
}
