/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wall clock that tests can move, for LD_PRELOAD; in no product.
 *
 * CLOCK_REALTIME, time() and gettimeofday() are shifted by the seconds that
 * the file FORTNIGHT_TEST_CLOCK holds: two numbers of 8 octets in the order of
 * the machine, the offset and its complement, so that a reader knows an offset
 * that is being written when it sees one.  Without that variable nothing is
 * shifted.  CLOCK_MONOTONIC is never shifted: it would be no clock for QUIC.
 */
/* RTLD_NEXT */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*clock_function)(clockid_t, struct timespec *);

static clock_function real_clock;
static const _Atomic int64_t *shift;

static _Noreturn void give_up(const char *what) {
  /* Nothing is to be tested by a clock that only seems to move. */
  fprintf(stderr, "test clock: %s\n", what);
  abort();
}

__attribute__((constructor)) static void set_up(void) {
  const char *path = getenv("FORTNIGHT_TEST_CLOCK");
  void *found = dlsym(RTLD_NEXT, "clock_gettime");
  void *page;
  int fd;

  /* ISO C knows no way from an object pointer to a function. */
  *(void **)&real_clock = found;
  if (found == NULL) {
    give_up("there is no clock_gettime");
  }
  if (path == NULL) {
    return;
  }
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    give_up("its file cannot be opened");
  }
  page = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) {
    give_up("its file cannot be mapped");
  }
  close(fd);
  shift = page;
}

static int64_t offset(void) {
  int64_t value, check;

  if (shift == NULL) {
    return 0;
  }
  do {
    value = shift[0];
    check = shift[1];
  } while (value != ~check);
  return value;
}

static int now(clockid_t id, struct timespec *ts) {
  if (real_clock == NULL) {
    set_up();
  }
  return real_clock(id, ts);
}

int clock_gettime(clockid_t id, struct timespec *ts) {
  int rv = now(id, ts);

  if (rv == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
    ts->tv_sec += (time_t)offset();
  }
  return rv;
}

time_t time(time_t *result) {
  struct timespec ts;

  /* The clock that the kernel's time() reads. */
  if (clock_gettime(CLOCK_REALTIME_COARSE, &ts) != 0) {
    return (time_t)-1;
  }
  if (result != NULL) {
    *result = ts.tv_sec;
  }
  return ts.tv_sec;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
  struct timespec ts;

  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
    return -1;
  }
  tv->tv_sec = ts.tv_sec;
  tv->tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
  return 0;
}
