/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that saves in a thread: a disk may take long to say that something is
 * durable, and packets do not wait.
 *
 * One save at a time.  The thread sleeps until there is one, and tells its end
 * by an eventfd.  All that both sides touch is under |mutex|; |inner| belongs
 * to the thread while |busy|, else to the caller.
 */
#include "certmgr/store.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct thread_store {
  cm_store base;
  cm_store *inner;
  int fd;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int busy;    /* There is a save to be done, or it is being done. */
  int ended;   /* ... it is done, with |result|, and nobody has asked yet. */
  int closing; /* The thread is to end. */
  int result;
  char message[sizeof(((cm_store *)NULL)->message)]; /* That of |result|. */
  size_t len;
  uint8_t body[CM_STORE_BODY_MAX];
} thread_store;

/* Neither fails with a mutex and a condition as they are used here. */
static void lock(thread_store *s) { (void)pthread_mutex_lock(&s->mutex); }
static void unlock(thread_store *s) { (void)pthread_mutex_unlock(&s->mutex); }

static void wait_until_idle(thread_store *s) {
  while (s->busy) {
    (void)pthread_cond_wait(&s->changed, &s->mutex);
  }
}

static void *work(void *arg) {
  const uint64_t one = 1;
  thread_store *s = arg;

  lock(s);
  for (;;) {
    int rv;

    while (!s->busy && !s->closing) {
      (void)pthread_cond_wait(&s->changed, &s->mutex);
    }
    if (!s->busy) {
      break;
    }
    unlock(s);
    rv = cm_store_save(s->inner, s->body, s->len);
    explicit_bzero(s->body, s->len);
    lock(s);
    s->result = rv;
    memcpy(s->message, s->inner->message, sizeof(s->message));
    s->busy = 0;
    s->ended = 1;
    (void)pthread_cond_broadcast(&s->changed);
    /* The counter cannot overflow: it is read before the next save. */
    (void)!write(s->fd, &one, sizeof(one));
  }
  unlock(s);
  return NULL;
}

static int load(cm_store *store, uint8_t *dest, size_t destlen, size_t *len) {
  thread_store *s = (thread_store *)store;
  int rv;

  lock(s);
  wait_until_idle(s);
  rv = cm_store_load(s->inner, dest, destlen, len);
  memcpy(store->message, s->inner->message, sizeof(store->message));
  store->bad = s->inner->bad;
  unlock(s);
  return rv;
}

static int save(cm_store *store, const uint8_t *body, size_t len) {
  thread_store *s = (thread_store *)store;
  int rv;

  lock(s);
  wait_until_idle(s);
  rv = cm_store_save(s->inner, body, len);
  memcpy(store->message, s->inner->message, sizeof(store->message));
  unlock(s);
  return rv;
}

static int begin(cm_store *store, const uint8_t *body, size_t len) {
  thread_store *s = (thread_store *)store;

  lock(s);
  wait_until_idle(s);
  memcpy(s->body, body, len);
  s->len = len;
  s->busy = 1;
  s->ended = 0;
  (void)pthread_cond_broadcast(&s->changed);
  unlock(s);
  return 0;
}

static int poll_end(cm_store *store, int *result) {
  thread_store *s = (thread_store *)store;
  uint64_t count;
  int ended;

  lock(s);
  ended = s->ended;
  if (ended) {
    s->ended = 0;
    *result = s->result;
    memcpy(store->message, s->message, sizeof(store->message));
    (void)!read(s->fd, &count, sizeof(count));
  }
  unlock(s);
  return ended;
}

static void close_store(cm_store *store) {
  thread_store *s = (thread_store *)store;

  lock(s);
  s->closing = 1;
  (void)pthread_cond_broadcast(&s->changed);
  unlock(s);
  (void)pthread_join(s->thread, NULL);
  (void)pthread_cond_destroy(&s->changed);
  (void)pthread_mutex_destroy(&s->mutex);
  close(s->fd);
  cm_store_close(s->inner);
  explicit_bzero(s, sizeof(*s));
  free(s);
}

static const cm_store_ops ops = {load, save, close_store, begin, poll_end};

/* Signals are for the thread that expects them. */
static int start(thread_store *s) {
  sigset_t all, before;
  int rv;

  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
    return CM_ERR_STORE;
  }
  rv = pthread_create(&s->thread, NULL, work, s);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rv == 0 ? 0 : CM_ERR_STORE;
}

int cm_store_open_thread_posix(cm_store **pstore, cm_store *inner) {
  thread_store *s = calloc(1, sizeof(*s));
  int rv = CM_ERR_STORE;

  *pstore = NULL;
  if (s == NULL) {
    return CM_ERR_NOMEM;
  }
  s->base.ops = &ops;
  s->base.bad = inner->bad;
  s->inner = inner;
  s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (s->fd < 0) {
    goto fail_fd;
  }
  if (pthread_mutex_init(&s->mutex, NULL) != 0) {
    goto fail_mutex;
  }
  if (pthread_cond_init(&s->changed, NULL) != 0) {
    goto fail_cond;
  }
  rv = start(s);
  if (rv != 0) {
    goto fail_thread;
  }
  *pstore = &s->base;
  return 0;

fail_thread:
  (void)pthread_cond_destroy(&s->changed);
fail_cond:
  (void)pthread_mutex_destroy(&s->mutex);
fail_mutex:
  close(s->fd);
fail_fd:
  free(s);
  return rv;
}

int cm_store_thread_fd(const cm_store *store) {
  return ((const thread_store *)store)->fd;
}
