/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hook_posix.h"

#include "server/process_posix.h"
#include "server/text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

/* After the first failure, the second, ... and all others. */
static const uint64_t ladder[] = {1 * SECOND, 5 * SECOND, 30 * SECOND,
                                  120 * SECOND, 600 * SECOND};
#define RUNGS (sizeof(ladder) / sizeof(ladder[0]))

/* Something that the command is to be told about. */
typedef struct item {
  struct item *next;
  size_t len;
  char *data;
  size_t n;
  char **environment;
} item;

struct hook {
  char *name;
  char *command;
  hook_kind kind;
  uint64_t timeout;
  size_t queue_max;
  const cm_random *random;
  void (*log)(void *user, const char *text);
  void *user;

  /* The first is the one that the command runs for, or will next. */
  item *first;
  size_t count;
  unsigned tries;   /* Of the first. */
  uint64_t due;     /* When to run for the first. */
  uint64_t untold;  /* How many were dropped since one was told. */
  uint64_t telling; /* Of them, those that the command was told of. */
  int overflows;

  process process;
  int stale; /* The first counts no more, but the command runs for it. */

  unsigned streak; /* Failures since the last success. */
  uint64_t runs;
  uint64_t failures;
  uint64_t dropped;
  char last_error[160];
};

static int is_running(const hook *h) {
  return h->process.phase != PROCESS_ENDED;
}

static void say(const hook *h, const char *what) {
  char line[320];

  if (h->log) {
    snprintf(line, sizeof(line), "the command of %s %s", h->name, what);
    h->log(h->user, line);
  }
}

/* ---- What waits ---- */

static void free_item(item *it) {
  size_t i;

  if (!it) {
    return;
  }
  for (i = 0; it->environment && i < it->n; ++i) {
    free(it->environment[i]);
  }
  free(it->environment);
  free(it->data);
  free(it);
}

static item *new_item(const void *data, size_t len,
                      const char *const *environment, size_t n) {
  item *it = calloc(1, sizeof(*it));
  size_t i;

  if (!it) {
    return NULL;
  }
  it->data = malloc(len ? len : 1);
  it->environment = calloc(n ? n : 1, sizeof(*it->environment));
  if (!it->data || !it->environment) {
    goto fail;
  }
  if (len) {
    memcpy(it->data, data, len);
  }
  it->len = len;
  it->n = n;
  for (i = 0; i < n; ++i) {
    it->environment[i] = strdup(environment[i]);
    if (!it->environment[i]) {
      goto fail;
    }
  }
  return it;

fail:
  free_item(it);
  return NULL;
}

/* Takes the item behind |at| out. */
static void remove_behind(hook *h, item **at) {
  item *it = *at;

  *at = it->next;
  --h->count;
  free_item(it);
}

/* The first has had its turn; the next one has it at |now|. */
static void next_item(hook *h, uint64_t now) {
  remove_behind(h, &h->first);
  h->tries = 0;
  h->due = now;
}

static void drop(hook *h) {
  ++h->dropped;
  ++h->untold;
}

/* Forgets everything but what the command runs for. */
static void forget(hook *h) {
  item **at = &h->first;

  if (is_running(h)) {
    h->stale = 1;
    at = &h->first->next;
  }
  while (*at) {
    remove_behind(h, at);
  }
}

int hook_tell(hook *h, const void *data, size_t len,
              const char *const *environment, size_t n, uint64_t now) {
  item *it, **at;

  if (!h) {
    return 0;
  }
  it = new_item(data, len, environment, n);
  if (!it) {
    drop(h);
    return HOOK_ERR_NOMEM;
  }
  if (h->kind == HOOK_NEWEST) {
    forget(h);
  } else if (h->count == h->queue_max) {
    if (!h->overflows) {
      h->overflows = 1;
      say(h, "does not keep up: the oldest of what waits is dropped");
    }
    remove_behind(h, &h->first->next);
    drop(h);
  }
  for (at = &h->first; *at; at = &(*at)->next) {
  }
  *at = it;
  ++h->count;
  if (h->first == it) {
    h->tries = 0;
    h->due = now;
  }
  return 0;
}

/* ---- Publications and events ---- */

#define VARIABLES_MAX 9

typedef struct variables {
  char *list[VARIABLES_MAX];
  size_t n;
  int failed;
} variables;

static void set_text(variables *v, const char *name, const char *value) {
  text t = {0};

  text_add(&t, "FORTNIGHT_%s=%s", name, value ? value : "");
  if (t.failed) {
    v->failed = 1;
    text_free(&t);
    return;
  }
  v->list[v->n++] = t.data;
}

static void set_number(variables *v, const char *name, int64_t value) {
  char digits[24];

  snprintf(digits, sizeof(digits), "%" PRId64, value);
  set_text(v, name, digits);
}

static int tell_with(hook *h, const char *data, size_t len, variables *v,
                     uint64_t now) {
  int rv = HOOK_ERR_NOMEM;
  size_t i;

  if (v->failed) {
    drop(h);
  } else {
    rv = hook_tell(h, data, len, (const char *const *)v->list, v->n, now);
  }
  for (i = 0; i < v->n; ++i) {
    free(v->list[i]);
  }
  return rv;
}

int hook_publish(hook *h, const cm_publication *pub, uint64_t now) {
  char url[CM_LINK_MAX], link[CM_LINK_MAX];
  variables v = {.n = 0};

  if (!h) {
    return 0;
  }
  if (pub->jws_len == 0) {
    forget(h);
    return 0;
  }
  if (cm_hashset_url(url, sizeof(url), &pub->set) < 0 ||
      cm_hashset_link(link, sizeof(link), &pub->set) < 0) {
    url[0] = link[0] = '\0';
  }
  set_number(&v, "SEQ", (int64_t)pub->seq);
  set_number(&v, "EPOCH", (int64_t)pub->epoch);
  set_number(&v, "ISSUED_AT", pub->issued_at);
  set_number(&v, "REFRESH_AFTER", pub->refresh_after);
  set_number(&v, "VALID_UNTIL", pub->valid_until);
  set_number(&v, "MAX_AGE", pub->max_age);
  set_text(&v, "URL", url);
  set_text(&v, "LINK", link);
  set_text(&v, "IDENTITY", pub->set.identity);
  return tell_with(h, pub->jws, pub->jws_len, &v, now);
}

int hook_event(hook *h, const cm_journal_entry *entry, const char *line,
               size_t len, uint64_t now) {
  variables v = {.n = 0};

  if (!h) {
    return 0;
  }
  set_text(&v, "EVENT", entry->event);
  set_number(&v, "TIME", entry->time);
  if (entry->id) {
    set_number(&v, "ID", (int64_t)entry->id);
  } else {
    set_text(&v, "ID", NULL);
  }
  set_text(&v, "FROM", entry->from);
  set_text(&v, "TO", entry->to);
  set_text(&v, "TEXT", entry->text);
  if (entry->has_value) {
    set_number(&v, "VALUE", entry->value);
  } else {
    set_text(&v, "VALUE", NULL);
  }
  return tell_with(h, line, len, &v, now);
}

/* ---- Results ---- */

/* Up to a quarter more, so that not all who failed together try again
   together. */
static uint64_t jittered(const hook *h, uint64_t delay) {
  uint32_t r;

  if (h->random->fill(h->random->user, (uint8_t *)&r, sizeof(r)) != 0) {
    r = 0;
  }
  return delay + (delay / 4) * (r >> 16) / 65536;
}

static void succeeded(hook *h, uint64_t now) {
  if (h->streak) {
    say(h, "succeeds again");
  }
  h->streak = 0;
  h->untold -= h->telling;
  h->overflows = 0;
  next_item(h, now);
}

static void failed(hook *h, uint64_t now) {
  char line[256];
  unsigned rung;
  uint64_t delay;

  ++h->failures;
  ++h->streak;
  ++h->tries;
  if (h->stale) {
    /* What has come since then is not to wait for this one's sake. */
    snprintf(line, sizeof(line), "failed: %s", h->last_error);
    say(h, line);
    next_item(h, now);
    return;
  }
  if (h->kind == HOOK_ALL && h->tries == HOOK_TRIES_MAX) {
    snprintf(line, sizeof(line),
             "failed %d times: %s; it is not told about this again",
             HOOK_TRIES_MAX, h->last_error);
    say(h, line);
    drop(h);
    next_item(h, now);
    return;
  }
  rung = h->kind == HOOK_ALL ? h->tries : h->streak;
  delay = jittered(h, ladder[rung > RUNGS ? RUNGS - 1 : rung - 1]);
  h->due = now + delay;
  snprintf(line, sizeof(line), "failed: %s; it is run again in %" PRIu64 " s",
           h->last_error, (delay + SECOND - 1) / SECOND);
  say(h, line);
}

/* ---- Runs ---- */

static void finished(hook *h, uint64_t now) {
  if (h->process.error[0] == '\0') {
    succeeded(h, now);
    return;
  }
  snprintf(h->last_error, sizeof(h->last_error), "%s", h->process.error);
  failed(h, now);
}

/* Runs the command for the first. */
static void run(hook *h, uint64_t now) {
  const item *it = h->first;
  process_input input = {
      .command = h->command, .data = it->data, .len = it->len, .n = it->n + 3};
  text own[3] = {{0}};
  char **all;
  size_t i;

  ++h->runs;
  h->stale = 0;
  h->telling = h->untold;
  text_add(&own[0], "FORTNIGHT_HOOK=%s", h->name);
  text_add(&own[1], "FORTNIGHT_TRY=%u", h->tries + 1);
  text_add(&own[2], "FORTNIGHT_DROPPED=%" PRIu64, h->untold);
  all = calloc(input.n, sizeof(*all));
  if (all && !own[0].failed && !own[1].failed && !own[2].failed) {
    for (i = 0; i < input.n; ++i) {
      all[i] = i < 3 ? own[i].data : it->environment[i - 3];
    }
    input.environment = all;
    process_start(&h->process, &input, h->timeout, now);
  } else {
    snprintf(h->process.error, sizeof(h->process.error), "out of memory");
  }
  free(all);
  for (i = 0; i < 3; ++i) {
    text_free(&own[i]);
  }
  if (!is_running(h)) {
    finished(h, now);
  }
}

/* ---- Hooks ---- */

int hook_open(hook **phook, const hook_config *config) {
  struct sigaction action;
  hook *h;

  *phook = NULL;
  h = calloc(1, sizeof(*h));
  if (!h) {
    return HOOK_ERR_NOMEM;
  }
  h->name = strdup(config->name);
  h->command = strdup(config->command);
  if (!h->name || !h->command) {
    hook_close(h);
    return HOOK_ERR_NOMEM;
  }
  h->kind = config->kind;
  h->timeout = config->timeout ? config->timeout : HOOK_TIMEOUT;
  h->queue_max = config->queue_max ? config->queue_max : HOOK_QUEUE_MAX;
  h->random = config->random ? config->random : &cm_random_system;
  h->log = config->log;
  h->user = config->user;
  if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
    memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, NULL);
  }
  *phook = h;
  return 0;
}

void hook_close(hook *h) {
  if (!h) {
    return;
  }
  process_end(&h->process);
  while (h->first) {
    remove_behind(h, &h->first);
  }
  free(h->name);
  free(h->command);
  free(h);
}

size_t hook_pollfds(const hook *h, struct pollfd fds[HOOK_POLLFDS_MAX]) {
  if (!h || !is_running(h)) {
    return 0;
  }
  fds[0].fd = h->process.fd;
  fds[0].events = POLLIN;
  fds[0].revents = 0;
  return 1;
}

uint64_t hook_deadline(const hook *h) {
  if (!h) {
    return UINT64_MAX;
  }
  if (is_running(h)) {
    return h->process.until;
  }
  return h->first ? h->due : UINT64_MAX;
}

void hook_serve(hook *h, uint64_t now) {
  if (!h) {
    return;
  }
  if (is_running(h) && process_watch(&h->process, now)) {
    finished(h, now);
  }
  if (!is_running(h) && h->first && h->due <= now) {
    run(h, now);
  }
}

int hook_is_busy(const hook *h, uint64_t now) {
  return h && (is_running(h) || (h->first && h->due <= now));
}

void hook_get_health(const hook *h, documents_hook *health) {
  memset(health, 0, sizeof(*health));
  health->name = h ? h->name : "";
  health->ok = h ? h->streak == 0 : 1;
  health->runs = h ? h->runs : 0;
  health->failures = h ? h->failures : 0;
  health->dropped = h ? h->dropped : 0;
  health->pending = h ? h->count : 0;
  health->last_error = h ? h->last_error : "";
}
