/* SPDX-License-Identifier: Apache-2.0 */
/* "serve": the loop around the appliance, what it tells, and what is asked of
   it. */
/* ppoll */
#define _GNU_SOURCE
#include "server/cli_serve.h"

#include "server/keys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* For how long a command waits for the disk before it is answered, in
   nanoseconds. */
#define SETTLE_MAX (5 * NGTCP2_SECONDS)

/* The store, the signals, HTTP; then the socket, the control socket, hooks. */
#define OWN_POLLFDS 3

/* For how long hooks that are due are waited for at the end, in nanoseconds. */
#define FAREWELL_MAX (2 * NGTCP2_SECONDS)

/* ---- What the appliance tells ---- */

static void on_event(void *user, cJSON *event) {
  const serve_host *h = user;

  cli_log_event(stderr, &h->options->log, event, time(NULL));
}

static uint64_t mono_now(void) {
  appliance_time t;

  host_now(&t);
  return t.mono;
}

static void on_publish(void *user, const cm_publication *publication) {
  const serve_host *h = user;

  if (hook_publish(h->on_publish, publication, mono_now()) != 0) {
    serve_log(h, "error", "on-publish: out of memory");
  }
}

/* The line of |entry| goes to the journal, or at least to the hook. */
static void on_journal(void *user, const cm_journal_entry *entry) {
  char buffer[CM_JOURNAL_LINE_MAX];
  const char *line = NULL;
  serve_host *h = user;
  size_t len = 0;

  if (h->journal) {
    int rv = cm_journal_append(h->journal, entry);

    /* Told once, however long it lasts. */
    if (rv != 0 && !h->journal_failed) {
      serve_log(h, "warning", "the journal %s/%s cannot be written: %s",
                h->state_path, SERVE_JOURNAL_NAME, strerror(errno));
    }
    h->journal_failed = rv != 0;
    if (rv == 0) {
      line = cm_journal_last(h->journal, &len);
    }
  }
  if (h->on_event && !line) {
    int n = cm_journal_line(&h->chain, buffer, sizeof(buffer), entry);

    line = n > 0 ? buffer : NULL;
    len = n > 0 ? (size_t)n : 0;
  }
  if (line && hook_event(h->on_event, entry, line, len, mono_now()) != 0) {
    serve_log(h, "error", "on-event: out of memory");
  }
}

/* Fills |health| for the hooks that there are, and returns how many. */
static size_t hooks_health(const serve_host *h,
                           documents_hook health[SERVE_HOOKS]) {
  size_t n = 0;

  if (h->on_publish) {
    hook_get_health(h->on_publish, &health[n++]);
  }
  if (h->on_event) {
    hook_get_health(h->on_event, &health[n++]);
  }
  return n;
}

static void add_hook(cJSON *array, const documents_hook *health) {
  cJSON *object = cJSON_CreateObject();

  cJSON_AddStringToObject(object, "name", health->name);
  cJSON_AddBoolToObject(object, "ok", health->ok);
  cJSON_AddNumberToObject(object, "runs", (double)health->runs);
  cJSON_AddNumberToObject(object, "failures", (double)health->failures);
  cJSON_AddNumberToObject(object, "dropped", (double)health->dropped);
  cJSON_AddNumberToObject(object, "pending", (double)health->pending);
  cJSON_AddStringToObject(object, "last_error", health->last_error);
  if (!cJSON_AddItemToArray(array, object)) {
    cJSON_Delete(object);
  }
}

/* "127.0.0.1:4433", ..., as they are bound. */
static cJSON *listens_of(const serve_host *h) {
  cJSON *array = cJSON_CreateArray();
  const udp_address *local;
  size_t i;

  for (i = 0; (local = udp_local_address(h->socket, i)) != NULL; ++i) {
    char line[UDP_ADDRESS_TEXT_MAX];

    cJSON_AddItemToArray(array,
                         cJSON_CreateString(udp_address_text(line, local)));
  }
  return array;
}

static cJSON *on_health(void *user) {
  const serve_host *h = user;
  documents_hook hooks[SERVE_HOOKS];
  size_t i, n = hooks_health(h, hooks);
  cJSON *health = cJSON_CreateObject(), *array;

  cJSON_AddItemToObject(health, "listen", listens_of(h));
  if (h->http_url[0]) {
    cJSON_AddStringToObject(health, "http", h->http_url);
  }
  if (h->store) {
    cJSON_AddStringToObject(health, "state", h->state_path);
  }
  if (h->journal_failed) {
    cJSON_AddStringToObject(health, "journal", "cannot be written");
  }
  array = cJSON_AddArrayToObject(health, "hooks");
  for (i = 0; i < n; ++i) {
    add_hook(array, &hooks[i]);
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
  const serve_host *h = user;
  documents_hook hooks[SERVE_HOOKS];
  documents_source source;

  memset(&source, 0, sizeof(source));
  appliance_documents(h->appliance, &source);
  source.version = CLI_VERSION;
  source.hooks = hooks;
  source.nhooks = hooks_health(h, hooks);
  return documents_get(reply, &source, request);
}

/* ---- The loop ---- */

static struct timespec until(uint64_t deadline, const appliance_time *t) {
  uint64_t left = deadline > t->mono ? deadline - t->mono : 0;
  struct timespec ts;

  ts.tv_sec = (time_t)(left / NGTCP2_SECONDS);
  ts.tv_nsec = (long)(left % NGTCP2_SECONDS);
  return ts;
}

static void fill(struct pollfd *p, int fd) {
  p->fd = fd; /* -1 is ignored */
  p->events = POLLIN;
  p->revents = 0;
}

/* Goes on serving until what a command has begun is on the disk. */
static int settle(serve_host *h, appliance_time *t) {
  uint64_t patience = t->mono + SETTLE_MAX;

  while (!appliance_is_settled(h->appliance) && t->mono < patience) {
    struct pollfd fds[1 + UDP_ADDRESSES_MAX];
    uint64_t deadline = appliance_deadline(h->appliance);
    struct timespec timeout =
        until(deadline < patience ? deadline : patience, t);

    fill(&fds[0], h->store_fd);
    if (ppoll(fds, 1 + udp_posix_pollfds(h->socket, fds + 1), &timeout, NULL) <
            0 &&
        errno != EINTR) {
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
  serve_host *h = user;
  cJSON *command = cJSON_Parse(line);
  cJSON *reply;
  appliance_time t;
  char *printed;

  host_now(&t);
  reply = appliance_command(h->appliance, command, &t);
  if (is_background(command) && !cJSON_HasObjectItem(reply, "error") &&
      settle(h, &t) == 0) {
    cJSON_Delete(reply);
    reply = appliance_describe(h->appliance);
    if (!appliance_is_settled(h->appliance)) {
      cJSON_AddTrueToObject(reply, "unsettled");
    }
  }
  printed = cJSON_PrintUnformatted(reply);
  cli_forget(reply, "backup");
  cli_forget(command, "restore");
  return printed;
}

/* The ready line, once clients can connect and the standby is published too: a
   clock that is not set yet, or a full disk, can keep it from that for a
   while. */
static int announce(serve_host *h) {
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
  cJSON_AddItemToObject(ready, "listen", listens_of(h));
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

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t deadline_of(const serve_host *h) {
  uint64_t deadline = appliance_deadline(h->appliance);

  deadline = least(deadline, hook_deadline(h->on_publish));
  deadline = least(deadline, hook_deadline(h->on_event));
  return h->publisher ? least(deadline, publisher_deadline(h->publisher))
                      : deadline;
}

static size_t fill_hooks(const serve_host *h,
                         struct pollfd fds[SERVE_HOOKS * HOOK_POLLFDS_MAX]) {
  size_t n = hook_pollfds(h->on_publish, fds);

  return n + hook_pollfds(h->on_event, fds + n);
}

static void serve_hooks(serve_host *h, uint64_t now) {
  hook_serve(h->on_publish, now);
  hook_serve(h->on_event, now);
}

/* The first signal asks sessions to end, the second ends them, the third waits
   for no packet. */
static void take_signals(serve_host *h, const appliance_time *t) {
  struct signalfd_siginfo info;

  while (read(h->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
    if (++h->stops < 3) {
      appliance_drain(h->appliance, t);
    } else {
      appliance_shutdown(h->appliance, t);
    }
  }
}

/* Serves who else there is: what a poll has found in |fds|, and in |clients|
   of the control socket. */
static void serve_others(serve_host *h, const struct pollfd *fds,
                         const struct pollfd *clients, size_t nclients) {
  appliance_time t;

  host_now(&t);
  if (fds[1].revents) {
    take_signals(h, &t);
  }
  /* Not at every turn: each asks the kernel. */
  if (h->publisher &&
      (fds[2].revents || publisher_deadline(h->publisher) <= t.mono)) {
    publisher_serve(h->publisher, t.mono);
  }
  serve_hooks(h, t.mono);
  control_serve(h->control, clients, nclients, answer, h);
}

static int loop(serve_host *h) {
  struct pollfd fds[OWN_POLLFDS + UDP_ADDRESSES_MAX + CONTROL_POLLFDS_MAX +
                    SERVE_HOOKS * HOOK_POLLFDS_MAX];
  appliance_time t;

  for (;;) {
    struct timespec timeout;
    struct pollfd *clients;
    size_t nclients, n;
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
    fill(&fds[0], h->store_fd);
    fill(&fds[1], h->signals);
    fill(&fds[2], h->publisher ? publisher_fd(h->publisher) : -1);
    n = OWN_POLLFDS + udp_posix_pollfds(h->socket, fds + OWN_POLLFDS);
    clients = fds + n;
    nclients = control_pollfds(h->control, clients);
    n += nclients;
    n += fill_hooks(h, fds + n);
    timeout = until(rv == 1 ? 0 : deadline_of(h), &t);
    if (ppoll(fds, n, &timeout, NULL) >= 0) {
      serve_others(h, fds, clients, nclients);
    } else if (errno != EINTR) {
      return UDP_ERR_IO;
    }
  }
}

/* What hooks are still to be told, they are told; but nobody waits for long. */
static void bid_farewell(serve_host *h) {
  uint64_t now = mono_now();
  uint64_t patience = now + FAREWELL_MAX;

  for (; now < patience; now = mono_now()) {
    struct pollfd fds[SERVE_HOOKS * HOOK_POLLFDS_MAX];
    appliance_time t = {now, 0};
    struct timespec timeout;

    serve_hooks(h, now);
    if (!hook_is_busy(h->on_publish, now) && !hook_is_busy(h->on_event, now)) {
      return;
    }
    timeout = until(least(patience, least(hook_deadline(h->on_publish),
                                          hook_deadline(h->on_event))),
                    &t);
    if (ppoll(fds, fill_hooks(h, fds), &timeout, NULL) < 0 && errno != EINTR) {
      return;
    }
  }
}

/* ---- All together ---- */

/* What |o| says of who may come, and how many. */
static void set_limits(appliance_config *config, const cli_options *o) {
  size_t i;

  for (i = 0; i < HOST_LIMIT_COUNT; ++i) {
    if (o->limits[i] >= 0) {
      host_limits[i].set(config, o->limits[i]);
    }
  }
  config->retry = o->retry;
  config->origins = o->norigins ? o->origins : NULL;
  config->omitted = o->apps ? APPLIANCE_APPS_OWN & ~o->apps : 0;
}

static size_t default_names(const char *names[HOST_NAMES_MAX],
                            const cli_options *o) {
  size_t i, n = 0;

  for (i = 0; i < o->nlistens; ++i) {
    n = host_add_default_names(names, n, o->listens[i].address);
  }
  return n;
}

/* Whether none of the places with the link's port lets clients in by its host:
   what is wrong with the first is in |why|. */
static int is_doubtful(char *why, size_t whylen, const serve_host *h,
                       const char *const *names, size_t n) {
  const udp_address *local;
  char other[256];
  size_t i;

  if (!host_doubt(why, whylen, h->address, names, n)) {
    return 0;
  }
  for (i = 1; (local = udp_local_address(h->socket, i)) != NULL; ++i) {
    if (host_port(local) == h->port &&
        !host_doubt(other, sizeof(other), h->options->listens[i].address, names,
                    n)) {
      return 0;
    }
  }
  return 1;
}

/* Those of the state folder, if there is one. */
static int open_keys(const serve_host *h, quic_endpoint_keys *keys) {
  keys_note note;
  int rv;

  if (!h->store) {
    return 0;
  }
  rv = keys_open(keys, h->state_path, &cm_random_system, &note);
  if (rv == 0 && note.level) {
    serve_log(h, note.level, "%s", note.text);
  }
  return rv;
}

static int open_appliance(serve_host *h) {
  const cli_options *o = h->options;
  const char *defaults[HOST_NAMES_MAX];
  appliance_config config;
  quic_endpoint_keys keys;
  appliance_time t;
  char doubt[256];
  int rv;

  appliance_config_default(&config);
  config.port = h->port;
  config.hosts = o->nhosts ? o->hosts : defaults;
  config.nhosts = o->nhosts ? o->nhosts : default_names(defaults, o);
  set_limits(&config, o);
  config.path = o->path;
  config.mirror = o->mirror;
  config.profile = &o->profile;
  config.store = h->store;
  config.on_event = on_event;
  config.on_publish = on_publish;
  config.on_journal = on_journal;
  config.on_health = on_health;
  config.user = h;
  if (h->key_log) {
    config.keylog = on_keylog;
    config.keylog_user = h->key_log;
  }
  rv = open_keys(h, &keys);
  if (rv != 0) {
    return serve_fail(h, rv);
  }
  config.keys = h->store ? &keys : NULL;
  host_now(&t);
  rv = appliance_new(&h->appliance, &config, &t);
  ngtcp2_secure_clear(&keys, sizeof(keys));
  if (rv != 0) {
    return serve_fail(h, rv);
  }
  if (is_doubtful(doubt, sizeof(doubt), h, config.hosts, config.nhosts)) {
    serve_log(h, "warning", "%s", doubt);
  }
  if (h->store && h->store->bad > 0) {
    serve_log(h, "warning",
              "%u of 2 copies of the state was damaged, and is set aside in %s",
              h->store->bad, h->state_path);
  }
  return 0;
}

int cli_serve(const cli_options *options) {
  serve_host h;
  int rv = serve_open(&h, options, on_get);

  if (rv == 0) {
    rv = open_appliance(&h);
  }
  if (rv == 0) {
    rv = loop(&h);
    if (rv != 0) {
      rv = serve_fail(&h, rv);
    }
    appliance_free(h.appliance);
    bid_farewell(&h);
  }
  serve_close(&h);
  return rv;
}
