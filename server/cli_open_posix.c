/* SPDX-License-Identifier: Apache-2.0 */
/* What "serve" has to have before there is an appliance. */
#include "server/cli_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_MAX (1024 * 1024)

void serve_log(const serve_host *h, const char *level, const char *format,
               ...) {
  char line[1024];
  cJSON *event = cJSON_CreateObject();
  va_list args;

  va_start(args, format);
  vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  cJSON_AddStringToObject(event, "type", "log");
  cJSON_AddStringToObject(event, "level", level);
  cJSON_AddStringToObject(event, "text", line);
  cli_log_event(stderr, &h->options->log, event, time(NULL));
  cJSON_Delete(event);
}

/* What to do about an error of the store, where its message does not say. */
static const char *hint_of(int error) {
  switch (error) {
  case CM_ERR_STORE_LOCKED:
    return ": give each server its own with --state DIR, or --ephemeral to "
           "keep nothing";
  case CM_ERR_STORE_BAD:
    return "; \"fortnight identity --restore\" gives a new state the identity "
           "of a backup";
  case CM_ERR_STORE:
    return "; mend that, or choose another folder with --state DIR";
  default:
    return "";
  }
}

static int refuse_state(int error, const char *message) {
  cli_complain("%s%s", message[0] ? message : cm_strerror(error),
               hint_of(error));
  return HOST_EXIT_STATE;
}

int serve_fail(const serve_host *h, int error) {
  char why[256];

  if (h->store && host_exit_code(error) == HOST_EXIT_STATE) {
    return refuse_state(error, h->store->message);
  }
  host_explain(why, sizeof(why), error, h->address, h->port);
  cli_complain("%s", why);
  return (int)host_exit_code(error);
}

static int open_key_log(serve_host *h, const char *path) {
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

static int open_socket(serve_host *h) {
  const cli_options *o = h->options;
  size_t i;

  for (i = 0; i < o->nlistens; ++i) {
    const udp_options udp = {o->listens[i].address, o->listens[i].port};
    int rv = i == 0 ? udp_open(&h->socket, &udp) : udp_add(h->socket, &udp);

    if (rv != 0) {
      h->address = udp.address;
      h->port = udp.port;
      return serve_fail(h, rv);
    }
  }
  h->address = o->listens[0].address;
  h->port = host_port(udp_local_address(h->socket, 0));
  return 0;
}

static void open_journal(serve_host *h) {
  char path[SERVE_PATH_MAX + sizeof(SERVE_JOURNAL_NAME) + 1];
  int bad = 0;

  snprintf(path, sizeof(path), "%s/%s", h->state_path, SERVE_JOURNAL_NAME);
  if (cm_journal_open(&h->journal, path, JOURNAL_MAX, &bad) != 0) {
    /* It is told of what happens, and nothing depends on it. */
    h->journal_failed = 1;
    serve_log(h, "warning", "the journal %s cannot be opened: %s", path,
              strerror(errno));
  } else if (bad) {
    serve_log(h, "warning",
              "the journal %s had been changed or cut off: what does not hold "
              "together is now in %s.bad",
              path, path);
  }
}

static int choose_state(serve_host *h) {
  const char *state = h->options->state;
  int n;

  if (!state) {
    n = cli_state_path(h->state_path, sizeof(h->state_path));
  } else {
    n = snprintf(h->state_path, sizeof(h->state_path), "%s", state);
    n = n < (int)sizeof(h->state_path) ? 0 : -1;
  }
  if (n != 0) {
    cli_complain("%s: give --state DIR, or --ephemeral to keep nothing",
                 state ? "the state folder's path is too long"
                       : "where is the state to be kept? HOME is not set");
    return HOST_EXIT_STATE;
  }
  return 0;
}

static int open_state(serve_host *h) {
  cm_store *posix;
  int rv;

  if (h->options->ephemeral) {
    return 0;
  }
  rv = choose_state(h);
  if (rv != 0) {
    return rv;
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
    if (rv != 0) {
      (void)refuse_state(rv, "");
    }
  } else {
    (void)refuse_state(rv, posix ? posix->message : "");
  }
  if (rv != 0) {
    cm_store_close(posix);
    return HOST_EXIT_STATE;
  }
  h->store_fd = cm_store_thread_fd(h->store);
  open_journal(h);
  return 0;
}

static int open_control(serve_host *h) {
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

static int open_publisher(serve_host *h, publisher_get get) {
  const char *http = h->options->http;
  char address[PUBLISHER_ADDRESS_MAX] = "127.0.0.1";
  publisher_config config = {address, h->port, 0, get, h};
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
    serve_log(h, "warning",
              "no HTTP at %s port %u: %s (choose a place with --http)", address,
              (unsigned)config.port, publisher_strerror(rv));
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

static void on_hook_log(void *user, const char *line) {
  const serve_host *h = user;

  serve_log(h, "warning", "%s", line);
}

static int open_hook(serve_host *h, hook **phook, const char *name,
                     const char *command, hook_kind kind) {
  hook_config config;

  if (!command) {
    return 0;
  }
  memset(&config, 0, sizeof(config));
  config.name = name;
  config.command = command;
  config.kind = kind;
  config.log = on_hook_log;
  config.user = h;
  if (hook_open(phook, &config) != 0) {
    cli_complain("out of memory");
    return HOST_EXIT_INTERNAL;
  }
  return 0;
}

static int open_hooks(serve_host *h) {
  int rv;

  cm_journal_init(&h->chain);
  rv = open_hook(h, &h->on_publish, "on-publish", h->options->on_publish,
                 HOOK_NEWEST);
  if (rv == 0) {
    rv = open_hook(h, &h->on_event, "on-event", h->options->on_event, HOOK_ALL);
  }
  return rv;
}

static int open_signals(serve_host *h) {
  sigset_t set;

  /* Who read the log may go at any time: that ends no server. */
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
    cli_complain("SIGPIPE cannot be ignored: %s", strerror(errno));
    return HOST_EXIT_INTERNAL;
  }
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

int serve_open(serve_host *h, const cli_options *options, publisher_get get) {
  int rv;

  memset(h, 0, sizeof(*h));
  h->options = options;
  h->store_fd = h->signals = -1;
  rv = open_key_log(h, options->key_log);
  if (rv == 0) {
    rv = open_socket(h);
  }
  if (rv == 0) {
    rv = open_state(h);
  }
  if (rv == 0) {
    rv = open_control(h);
  }
  if (rv == 0) {
    rv = open_publisher(h, get);
  }
  if (rv == 0) {
    rv = open_hooks(h);
  }
  if (rv == 0) {
    rv = open_signals(h);
  }
  return rv;
}

void serve_close(serve_host *h) {
  if (h->signals >= 0) {
    close(h->signals);
  }
  hook_close(h->on_event);
  hook_close(h->on_publish);
  publisher_close(h->publisher);
  control_close(h->control);
  cm_journal_close(h->journal);
  cm_store_close(h->store);
  udp_close(h->socket);
  if (h->key_log) {
    fclose(h->key_log);
  }
}
