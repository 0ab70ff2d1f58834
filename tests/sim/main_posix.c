/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: lives through years of an appliance, in many worlds (lifecycle_sim.h).
 *
 *   sim                     10,000 worlds of 10 years, and 100 with real
 *                           certificates
 *   sim --seed 7 --trace    one of them, with all that happens in it
 *
 * The seeds take turns at four profiles: the three that have a name, and one
 * that is drawn from the seed.  As many processes as there are processors share
 * the work.  Prints what was seen; each seed that fails is printed with the
 * command that replays it.  The exit code is 0 if none did, 1 if one did, and 2
 * if it could not be run.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "certmgr/profile.h"
#include "tests/sim/lifecycle_sim.h"
#include "tests/sim/random.h"

#define JOBS_MAX 256
/* Failing seeds of which all is told. */
#define FAILURES_MAX 20

typedef struct settings {
  uint64_t first;
  uint64_t seeds;
  uint64_t real_seeds;
  int64_t years;
  int64_t days;
  unsigned faults;
  const char *profile; /* NULL: they take turns. */
  cm_profile own;
  long jobs;
  int trace;
  int one;
  int real;
} settings;

static settings opts = {.first = 1,
                        .seeds = 10000,
                        .real_seeds = 100,
                        .years = 10,
                        .faults = LIFECYCLE_SIM_ALL};

/* What a process tells of one world. */
typedef struct news {
  uint64_t seed;
  char violation[80];
  lifecycle_sim_report report;
} news;

typedef struct sum {
  uint64_t worlds;
  uint64_t violations;
  uint64_t certificates;
  uint64_t swaps;
  uint64_t crashes;
  uint64_t steps;
  uint64_t connects;
  int64_t healthy;
} sum;

static const struct {
  const char *name;
  unsigned fault;
} faults[] = {
    {"crash", LIFECYCLE_SIM_CRASH},       {"disk", LIFECYCLE_SIM_DISK},
    {"random", LIFECYCLE_SIM_RANDOM},     {"clock", LIFECYCLE_SIM_CLOCK},
    {"sleep", LIFECYCLE_SIM_SLEEP},       {"operator", LIFECYCLE_SIM_OPERATOR},
    {"activate", LIFECYCLE_SIM_ACTIVATE}, {"publish", LIFECYCLE_SIM_PUBLISH},
    {"fsync", LIFECYCLE_SIM_FSYNC},       {"all", LIFECYCLE_SIM_ALL},
};

static _Noreturn void usage(const char *problem) {
  if (problem != NULL) {
    fprintf(stderr, "sim: %s\n", problem);
  }
  fputs(
      "usage: sim [OPTION...]\n"
      "  --seeds N         worlds with stub certificates (10000)\n"
      "  --real N          worlds with real ones (100)\n"
      "  --first SEED      (1)\n"
      "  --years Y         of each world (10); or --days D\n"
      "  --profile PROFILE hot-standby, short, long, drawn (each in turn), or\n"
      "                    one of your own: \"active=2d,guard=12h\"\n"
      "  --faults LIST     of crash,disk,fsync,random,clock,sleep,operator,\n"
      "                    activate,publish (all)\n"
      "  --jobs N          processes (one for each processor)\n"
      "  --seed SEED       this one alone; with --real 1, the real one\n"
      "  --trace           tells all that happens\n",
      stderr);
  exit(2);
}

static uint64_t parse_number(const char *name, const char *text, uint64_t max) {
  char problem[80], *end;
  unsigned long long value;

  errno = 0;
  value = strtoull(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
      value > max) {
    snprintf(problem, sizeof(problem), "%s: no such number: %.30s", name, text);
    usage(problem);
  }
  return value;
}

static unsigned parse_faults(const char *text) {
  unsigned result = 0;

  while (*text != '\0') {
    size_t len = strcspn(text, ","), i = 0;
    while (i < sizeof(faults) / sizeof(faults[0]) &&
           (strlen(faults[i].name) != len ||
            strncmp(faults[i].name, text, len) != 0)) {
      i++;
    }
    if (i < sizeof(faults) / sizeof(faults[0])) {
      result |= faults[i].fault;
    } else if (strcmp(text, "none") != 0) {
      usage("--faults: no such fault");
    }
    text += len + (text[len] == ',');
  }
  return result;
}

static void parse(int argc, char *argv[]) {
  static const struct option long_options[] = {
      {"seeds", required_argument, NULL, 's'},
      {"real", required_argument, NULL, 'r'},
      {"first", required_argument, NULL, 'f'},
      {"years", required_argument, NULL, 'y'},
      {"days", required_argument, NULL, 'd'},
      {"profile", required_argument, NULL, 'p'},
      {"faults", required_argument, NULL, 'x'},
      {"jobs", required_argument, NULL, 'j'},
      {"seed", required_argument, NULL, '1'},
      {"trace", no_argument, NULL, 't'},
      {NULL, 0, NULL, 0},
  };
  const char *reason;
  int opt;

  while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    switch (opt) {
    case 's':
      opts.seeds = parse_number("--seeds", optarg, UINT32_MAX);
      break;
    case 'r':
      opts.real_seeds = parse_number("--real", optarg, UINT32_MAX);
      opts.real = opts.real_seeds > 0;
      break;
    case 'f':
      opts.first = parse_number("--first", optarg, UINT64_MAX / 2);
      break;
    case 'y':
      opts.years = (int64_t)parse_number("--years", optarg, 1000);
      break;
    case 'd':
      opts.days = (int64_t)parse_number("--days", optarg, 365000);
      break;
    case 'p':
      opts.profile = optarg;
      if (strcmp(optarg, "drawn") != 0 &&
          cm_profile_parse(&opts.own, optarg, &reason) != 0) {
        fprintf(stderr, "sim: --profile: %s\n", reason);
        exit(2);
      }
      break;
    case 'x':
      opts.faults = parse_faults(optarg);
      break;
    case 'j':
      opts.jobs = (long)parse_number("--jobs", optarg, JOBS_MAX);
      break;
    case '1':
      opts.first = parse_number("--seed", optarg, UINT64_MAX / 2);
      opts.one = 1;
      break;
    case 't':
      opts.trace = 1;
      break;
    default:
      usage(NULL);
    }
  }
  if (optind < argc) {
    usage("there are no arguments but options");
  }
  if (opts.jobs == 0) {
    opts.jobs = sysconf(_SC_NPROCESSORS_ONLN);
    opts.jobs = opts.jobs < 1 ? 1 : opts.jobs > JOBS_MAX ? JOBS_MAX : opts.jobs;
  }
  if (opts.days == 0) {
    opts.days = opts.years * 365;
  }
}

static const char *profile_name(uint64_t seed) {
  static const char *const names[] = {"hot-standby", "short", "long", "drawn"};

  return opts.profile != NULL ? opts.profile : names[seed % 4];
}

/* Runs one world. */
static void run(news *n, uint64_t seed, int real) {
  const char *name = profile_name(seed);
  const cm_profile *profile =
      opts.profile != NULL ? &opts.own : cm_profile_by_name(name);
  lifecycle_sim_options options = {.seed = seed,
                                   .days = opts.days,
                                   .faults = opts.faults,
                                   .profile = profile,
                                   .real = real,
                                   .trace = opts.trace ? stdout : NULL};
  cm_profile drawn;

  if (strcmp(name, "drawn") == 0) {
    lifecycle_sim_draw_profile(&drawn, seed);
    options.profile = &drawn;
  }
  memset(n, 0, sizeof(*n));
  n->seed = seed;
  if (lifecycle_sim_run(&options, &n->report) != 0) {
    snprintf(n->violation, sizeof(n->violation), "%s", n->report.violation);
  }
}

static void add(sum *s, const news *n, int real) {
  const lifecycle_sim_report *r = &n->report;

  s->worlds++;
  s->certificates += r->certificates;
  s->swaps += r->swaps;
  s->crashes += r->crashes;
  s->steps += r->steps;
  s->connects += r->connects;
  s->healthy += r->healthy;
  if (n->violation[0] == '\0') {
    return;
  }
  if (s->violations++ < FAILURES_MAX) {
    char selection[64] = "";
    for (size_t i = 0; opts.faults != LIFECYCLE_SIM_ALL &&
                       i < sizeof(faults) / sizeof(faults[0]) - 1;
         i++) {
      if ((opts.faults & faults[i].fault) != 0) {
        strcat(selection, selection[0] != '\0' ? "," : " --faults ");
        strcat(selection, faults[i].name);
      }
    }
    printf("seed %" PRIu64 " (%s), day %.3f: %s\n"
           "  make sim ARGS='--seed %" PRIu64 " --profile %s --days %" PRId64
           "%s%s --trace'\n",
           n->seed, profile_name(n->seed), (double)r->at / 86400, n->violation,
           n->seed, profile_name(n->seed), opts.days, selection,
           real ? " --real 1" : "");
    fflush(stdout);
  }
}

static double now(void) {
  struct timespec ts;

  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void show(const char *kind, const sum *s, double seconds) {
  double years = (double)(s->worlds * (uint64_t)opts.days) / 365;

  printf("%s: %" PRIu64 " worlds, %.0f years in %.0f s\n"
         "  %15" PRIu64 " connects that had to succeed, and did\n"
         "  %15" PRIu64 " certificates\n"
         "  %15" PRIu64 " swaps\n"
         "  %15" PRIu64 " crashes\n"
         "  %15" PRIu64 " steps, the invariants checked after each\n"
         "  %15.2f %% of the time HEALTHY\n"
         "  %15" PRIu64 " violations\n",
         kind, s->worlds, years, seconds, s->connects, s->certificates,
         s->swaps, s->crashes, s->steps,
         100 * (double)s->healthy / (years * 365 * 86400), s->violations);
  fflush(stdout);
}

/* A child: takes the next seed until there is none.  One write a world is
   below PIPE_BUF, and does not mix with others'. */
static _Noreturn void work(int fd, _Atomic uint64_t *next, uint64_t end,
                           int real) {
  uint64_t seed;
  news n;

  while ((seed = (*next)++) < end) {
    run(&n, seed, real);
    if (write(fd, &n, sizeof(n)) != (ssize_t)sizeof(n)) {
      _exit(2);
    }
  }
  _exit(0);
}

static int read_one(int fd, news *n) {
  char *p = (char *)n;
  size_t len = 0;

  while (len < sizeof(*n)) {
    ssize_t got = read(fd, p + len, sizeof(*n) - len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return 0;
    }
    len += (size_t)got;
  }
  return 1;
}

/* All worlds of one kind.  0, 1 if something was violated, 2 if a process
   failed. */
static int run_all(const char *kind, uint64_t seeds, int real) {
  _Atomic uint64_t *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  double begin = now(), told = begin;
  pid_t pids[JOBS_MAX];
  sum s = {0};
  news n;
  int fds[2], status, rv = 0;
  long started = 0;

  if (next == MAP_FAILED || pipe(fds) != 0) {
    perror("sim");
    return 2;
  }
  *next = opts.first;
  while (started < opts.jobs) {
    pids[started] = fork();
    if (pids[started] < 0) {
      perror("sim: fork");
      rv = 2;
      break;
    }
    if (pids[started] == 0) {
      close(fds[0]);
      work(fds[1], next, opts.first + seeds, real);
    }
    started++;
  }
  close(fds[1]);
  while (read_one(fds[0], &n)) {
    add(&s, &n, real);
    if (now() - told >= 10) {
      told = now();
      fprintf(stderr,
              "%s: %" PRIu64 " of %" PRIu64 " worlds, %.0f s, %" PRIu64
              " violations\n",
              kind, s.worlds, seeds, told - begin, s.violations);
    }
  }
  close(fds[0]);
  while (started-- > 0) {
    if (waitpid(pids[started], &status, 0) < 0 || status != 0) {
      fprintf(stderr, "sim: a process failed (status %d)\n", status);
      rv = 2;
    }
  }
  munmap((void *)next, sizeof(*next));
  show(kind, &s, now() - begin);
  return rv != 0 ? rv : s.violations != 0 || s.worlds != seeds;
}

int main(int argc, char *argv[]) {
  int rv, rv_real;

  parse(argc, argv);
  if (opts.one) {
    news n;
    sum s = {0};
    double begin = now();

    run(&n, opts.first, opts.real);
    add(&s, &n, opts.real);
    show(opts.real ? "real" : "stub", &s, now() - begin);
    return s.violations != 0;
  }
  rv = opts.seeds > 0 ? run_all("stub", opts.seeds, 0) : 0;
  rv_real = opts.real_seeds > 0 ? run_all("real", opts.real_seeds, 1) : 0;
  return rv > rv_real ? rv : rv_real;
}
