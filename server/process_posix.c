/* SPDX-License-Identifier: Apache-2.0 */
/* memfd_create, SYS_pidfd_open */
#define _GNU_SOURCE
#include "server/process_posix.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* At process_end(), for SIGTERM and SIGKILL each, in milliseconds. */
#define LAST_PATIENCE 1000

/* ---- Start ---- */

/* A file in memory with |data|, to be read from its beginning; -1 with
   errno. */
static int make_file(const char *data, size_t len) {
  int fd = memfd_create("fortnight", MFD_CLOEXEC);
  size_t written = 0;
  int saved;

  if (fd < 0) {
    return -1;
  }
  while (written < len) {
    ssize_t n = write(fd, data + written, len - written);

    if (n < 0 && errno != EINTR) {
      goto fail;
    }
    written += n > 0 ? (size_t)n : 0;
  }
  if (lseek(fd, 0, SEEK_SET) == 0) {
    return fd;
  }

fail:
  saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static int have_one_name(const char *variable, const char *other) {
  return strncmp(variable, other, strcspn(variable, "=") + 1) == 0;
}

/* Our environment with |more| in place of what has the same names.  The strings
   are borrowed; NULL for want of memory. */
static char **environment_with(char *const *more, size_t n) {
  size_t count = 0, kept = 0, i, k;
  char **all;

  while (environ[count]) {
    ++count;
  }
  all = calloc(count + n + 1, sizeof(*all));
  if (!all) {
    return NULL;
  }
  for (i = 0; i < count; ++i) {
    for (k = 0; k < n && !have_one_name(more[k], environ[i]); ++k) {
    }
    if (k == n) {
      all[kept++] = environ[i];
    }
  }
  for (k = 0; k < n; ++k) {
    all[kept++] = more[k];
  }
  return all;
}

/* As posix_spawn(): 0, or an errno. */
static int spawn(pid_t *pid, const char *command, int input,
                 char *const *environment) {
  char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
  const short flags =
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  int rv;

  rv = posix_spawn_file_actions_init(&actions);
  if (rv != 0) {
    return rv;
  }
  rv = posix_spawnattr_init(&attributes);
  if (rv != 0) {
    goto fail_attributes;
  }
  /* We may have blocked or ignored what a command wants to hear. */
  sigemptyset(&none);
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  if ((rv = posix_spawn_file_actions_adddup2(&actions, input, 0)) == 0 &&
      (rv = posix_spawn_file_actions_adddup2(&actions, 2, 1)) == 0 &&
      (rv = posix_spawnattr_setflags(&attributes, flags)) == 0 &&
      (rv = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
      (rv = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
      (rv = posix_spawnattr_setsigdefault(&attributes, &all)) == 0) {
    rv = posix_spawn(pid, "/bin/sh", &actions, &attributes, arguments,
                     environment);
  }
  posix_spawnattr_destroy(&attributes);
fail_attributes:
  posix_spawn_file_actions_destroy(&actions);
  return rv;
}

static int start(process *p, const process_input *input) {
  char **environment = environment_with(input->environment, input->n);
  int fd, rv;

  if (!environment) {
    return ENOMEM;
  }
  fd = make_file(input->data, input->len);
  rv = errno;
  if (fd >= 0) {
    rv = spawn(&p->pid, input->command, fd, environment);
    close(fd);
  }
  free(environment);
  if (rv != 0) {
    return rv;
  }
  p->fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
  if (p->fd < 0) {
    rv = errno;
    kill(-p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
  }
  return rv;
}

int process_start(process *p, const process_input *input, uint64_t timeout,
                  uint64_t now) {
  int rv = start(p, input);

  p->error[0] = '\0';
  p->timeout = timeout;
  if (rv != 0) {
    p->phase = PROCESS_ENDED;
    snprintf(p->error, sizeof(p->error), "it cannot be run: %s", strerror(rv));
    return -1;
  }
  p->phase = PROCESS_RUNNING;
  p->until = now + timeout;
  return 0;
}

/* ---- End ---- */

/* Whether it has ended, without taking its status: until that is taken, no
   other process group can have its number. */
static int has_ended(const process *p) {
  siginfo_t info;

  memset(&info, 0, sizeof(info));
  if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    return errno != EINTR;
  }
  return info.si_pid == p->pid;
}

static void explain(process *p, const siginfo_t *info) {
  if (info->si_pid != p->pid) {
    snprintf(p->error, sizeof(p->error), "its exit status is not known");
  } else if (info->si_code != CLD_EXITED) {
    snprintf(p->error, sizeof(p->error), "ended by signal %d (%s)",
             info->si_status, strsignal(info->si_status));
  } else if (info->si_status != 0) {
    snprintf(p->error, sizeof(p->error), "exit status %d%s", info->si_status,
             info->si_status == 127   ? " (the command was not found)"
             : info->si_status == 126 ? " (the command cannot be executed)"
                                      : "");
  }
}

static void take_status(process *p) {
  siginfo_t info;

  if (p->phase != PROCESS_RUNNING) {
    /* Those of its group who did not care for SIGTERM. */
    kill(-p->pid, SIGKILL);
  }
  memset(&info, 0, sizeof(info));
  if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG) != 0) {
    info.si_pid = 0;
  }
  close(p->fd);
  if (p->phase == PROCESS_RUNNING) {
    explain(p, &info);
  } else {
    snprintf(p->error, sizeof(p->error),
             "it was still there after %" PRIu64 " s and was ended",
             p->timeout / SECOND);
  }
  p->phase = PROCESS_ENDED;
}

int process_watch(process *p, uint64_t now) {
  if (p->phase == PROCESS_ENDED) {
    return 1;
  }
  if (has_ended(p)) {
    take_status(p);
    return 1;
  }
  if (now < p->until) {
    return 0;
  }
  if (p->phase == PROCESS_RUNNING) {
    kill(-p->pid, SIGTERM);
    p->phase = PROCESS_TERMINATING;
    p->until = now + PROCESS_GRACE;
  } else {
    kill(-p->pid, SIGKILL);
    p->phase = PROCESS_KILLED;
    p->until = UINT64_MAX;
  }
  return 0;
}

static int ends_soon(const process *p) {
  struct pollfd fd = {.fd = p->fd, .events = POLLIN};

  return poll(&fd, 1, LAST_PATIENCE) > 0;
}

void process_end(process *p) {
  if (p->phase == PROCESS_ENDED) {
    return;
  }
  kill(-p->pid, SIGTERM);
  if (!ends_soon(p)) {
    kill(-p->pid, SIGKILL);
    ends_soon(p);
  }
  p->phase = PROCESS_KILLED;
  take_status(p);
}
