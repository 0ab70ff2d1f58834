/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotations: commands one rotation after the other while sessions live and new
 * ones come, and says what that did to them.
 *
 *   rotations --control PATH [--rotations N] [--window MS] ...
 *
 * Time is cut into windows of the same length.  A rotation is commanded at the
 * beginning of every second one (--every: of each one); the others show what
 * the machine does without.  Of each window the largest latency of a datagram
 * is kept, counted from when it was due: a server that stands still for a
 * moment shows in the datagrams that it did not answer meanwhile.
 *
 * New sessions know the hashes as real clients do: for half a window after a
 * rotation those of before, and so they connect by the standby's; then those
 * that are published.
 *
 * Standard output: a line "rotation N" after each, and one JSON object at the
 * end.
 */
/* memrchr(3) */
#define _GNU_SOURCE

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/guests_posix.h"
#include "tests/sim/wait_posix.h"

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
/* For the last echoes to come back, when all visitors are gone. */
#define DRAIN_TIME (1 * SECOND)
/* Between two questions that the server could not answer yet. */
#define ASK_AGAIN (5 * MS)
/* Windows for each rotation that may be needed, before it is given up. */
#define WINDOWS_EACH 50
#define REPLY_MAX 65536

typedef enum question { NOTHING, HASHES, ROTATE } question;

static struct {
  int fd;
  question asked;
  uint64_t asked_at;
  /* The hashes are to be asked for at this time; 0: not. */
  uint64_t again_at;
  char reply[REPLY_MAX];
  size_t len;
} control;

static struct {
  const char *control;
  size_t rotations;
  uint64_t window;
  int every;
} opts = {.rotations = 200, .window = 100 * MS};

static guests_config config = {
    .stay = 1, .size = 1000, .rate = 2000, .patience = 10 * SECOND};
static guests *all;
static sim_windows windows;
/* What the server says, and what visitors know of it. */
static guests_hashes published, known;
/* When to rotate, when visitors learn of it, and when all is over; UINT64_MAX
   until known. */
static uint64_t rotate_at = UINT64_MAX;
static uint64_t adopt_at = UINT64_MAX;
static uint64_t stop = UINT64_MAX;
static uint64_t rotated_at;
static size_t rotations;
static uint64_t refused;
/* From the command to its reply; to the next standby's being published. */
static sim_histogram reply_times, publish_times;

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "rotations: %s\n", what);
  exit(1);
}

/* --- the control socket --------------------------------------------------- */

static void connect_control(void) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  if (strlen(opts.control) >= sizeof(address.sun_path)) {
    fail("the path of the control socket is too long");
  }
  strcpy(address.sun_path, opts.control);
  control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (control.fd < 0 ||
      connect(control.fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
      epoll_ctl(config.epoll_fd, EPOLL_CTL_ADD, control.fd, &event) != 0) {
    fail("nobody answers at the control socket");
  }
}

static void ask(question what, uint64_t now) {
  const char *line = what == ROTATE
                         ? "{\"command\":\"rotate\",\"force\":true}\n"
                         : "{\"command\":\"hashes\"}\n";

  if (write(control.fd, line, strlen(line)) != (ssize_t)strlen(line)) {
    fail("the control socket takes no command");
  }
  control.asked = what;
  control.asked_at = now;
}

static void parse_url(const char *url) {
  const char *rest = strstr(url, "://"), *slash, *colon;
  char host[256], port[8];

  rest = rest != NULL ? rest + 3 : url;
  slash = strchrnul(rest, '/');
  colon = memrchr(rest, ':', (size_t)(slash - rest));
  if (colon == NULL || slash - rest >= (long)sizeof(host)) {
    fail("the server's URL cannot be read");
  }
  snprintf(config.authority, sizeof(config.authority), "%.*s",
           (int)(slash - rest), rest);
  snprintf(config.path, sizeof(config.path), "%s", *slash == '/' ? slash : "/");
  snprintf(port, sizeof(port), "%.*s", (int)(slash - colon - 1), colon + 1);
  if (*rest == '[') {
    ++rest;
    --colon;
  }
  snprintf(host, sizeof(host), "%.*s", (int)(colon - rest), rest);
  if (sim_address_resolve(&config.remote, &config.remote_len, host, port) !=
      0) {
    fail("the server's URL names no known host");
  }
}

static int parse_hash(uint8_t hash[32], const cJSON *item) {
  const char *hex =
      cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "hex"));
  unsigned int octet;

  if (hex == NULL || strlen(hex) != 64) {
    return -1;
  }
  for (size_t i = 0; i < 32; ++i) {
    if (sscanf(hex + 2 * i, "%2x", &octet) != 1) {
      return -1;
    }
    hash[i] = (uint8_t)octet;
  }
  return 0;
}

/* Takes the hashes of |reply|, active first.  0, or -1 if it is an error. */
static int take_hashes(const cJSON *reply) {
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(reply, "hashes"), *item;
  const char *url =
      cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(reply, "url"));

  if (list == NULL || url == NULL) {
    return -1;
  }
  if (config.authority[0] == '\0') {
    parse_url(url);
  }
  published.count = 0;
  cJSON_ArrayForEach(item, list) {
    if (published.count < 2 &&
        parse_hash(published.sha256[published.count], item) == 0) {
      ++published.count;
    }
  }
  return 0;
}

/* The beginning of the |n|th window after that of |at|. */
static uint64_t later(uint64_t at, uint64_t n) {
  return windows.start +
         ((at - windows.start) / windows.length + n) * windows.length;
}

static void rotated(uint64_t now) {
  rotated_at = control.asked_at;
  sim_histogram_add(&reply_times, now - rotated_at);
  ++published.number;
  adopt_at = rotated_at + windows.length / 2;
  rotate_at = later(rotated_at, opts.every ? 1 : 2);
  printf("rotation %zu\n", ++rotations);
  fflush(stdout);
  if (rotations == opts.rotations) {
    rotate_at = UINT64_MAX;
    stop = later(rotated_at, opts.every ? 1 : 2);
  }
}

static void answered(const char *line, uint64_t now) {
  cJSON *reply = cJSON_Parse(line);
  int rv = take_hashes(reply);

  cJSON_Delete(reply);
  if (control.asked == ROTATE && rv != 0) {
    /* The standby is not published yet. */
    ++refused;
    rotate_at = now + ASK_AGAIN;
  } else if (control.asked == ROTATE) {
    rotated(now);
  }
  if (rotated_at != 0) {
    sim_windows_mark(&windows, rotated_at, now);
  }
  if (published.count < 2) {
    /* The first ones, or the next standby, are not there yet. */
    control.again_at = now + ASK_AGAIN;
  } else if (rotated_at != 0) {
    sim_histogram_add(&publish_times, now - rotated_at);
    rotated_at = 0;
  }
  control.asked = NOTHING;
}

static void receive_control(void) {
  ssize_t n = read(control.fd, control.reply + control.len,
                   sizeof(control.reply) - 1 - control.len);
  char *end;

  if (n <= 0) {
    fail("the server has closed the control socket");
  }
  control.len += (size_t)n;
  control.reply[control.len] = '\0';
  end = strchr(control.reply, '\n');
  if (end != NULL) {
    *end = '\0';
    control.len = 0;
    answered(control.reply, sim_monotonic());
  } else if (control.len == sizeof(control.reply) - 1) {
    fail("the server answers too much");
  }
}

/* --- the course of it ----------------------------------------------------- */

/* Asks and commands what is due; returns when it is to be called again. */
static uint64_t direct(uint64_t now) {
  if (control.asked != NOTHING) {
    return UINT64_MAX;
  }
  if (control.again_at != 0) {
    if (now < control.again_at) {
      return control.again_at;
    }
    control.again_at = 0;
    ask(HASHES, now);
    return UINT64_MAX;
  }
  if (now < adopt_at && adopt_at != UINT64_MAX) {
    return adopt_at;
  }
  if (adopt_at != UINT64_MAX) {
    known = published;
    adopt_at = UINT64_MAX;
  }
  if (now < rotate_at) {
    return rotate_at;
  }
  /* Nobody is to miss two rotations: that is more than six days. */
  if (guests_behind(all, published.number) > 0) {
    return now + MS;
  }
  ask(ROTATE, now);
  return UINT64_MAX;
}

static void wait_for(uint64_t deadline) {
  struct epoll_event events[64];
  int n = sim_wait(config.epoll_fd, events, 64, deadline, 0);

  for (int i = 0; i < n; ++i) {
    if (events[i].data.ptr == NULL) {
      receive_control();
    } else {
      guests_receive(all, events[i].data.ptr);
    }
  }
}

static void come_up(void) {
  const uint64_t limit = sim_monotonic() + config.patience;
  uint64_t now = sim_monotonic(), due, next;

  ask(HASHES, now);
  while (all == NULL || !guests_are_up(all)) {
    now = sim_monotonic();
    if (now >= limit) {
      fail("the sessions do not come up");
    }
    due = direct(now);
    if (all == NULL && control.asked == NOTHING && published.count == 2) {
      known = published;
      if (guests_new(&all, &config, &windows) != 0 ||
          guests_begin(all, &known, now) != 0) {
        fail("there is no memory, or there are no sockets");
      }
    }
    next = all != NULL ? guests_run(all, &known, stop, now) : limit;
    wait_for(next < due ? next : due);
  }
}

static int is_over(uint64_t now) {
  const guests_counts *counts = guests_count(all);

  return now >= stop &&
         ((counts->datagrams_echoed == counts->datagrams_offered &&
           guests_visiting(all) == 0) ||
          now >= stop + DRAIN_TIME +
                     (guests_visiting(all) > 0 ? config.patience : 0));
}

static void run(void) {
  uint64_t now = sim_monotonic(), due, next;

  windows.start = now;
  rotate_at = now + (opts.every ? 0 : windows.length);
  for (; !is_over(now); now = sim_monotonic()) {
    due = direct(now);
    next = guests_run(all, &known, stop, now);
    if (now < stop && sim_windows_at(&windows, now) == NULL) {
      fail("the rotations take too long");
    }
    if (now >= stop) {
      due = now + 10 * MS;
    } else if (stop < due) {
      due = stop;
    }
    wait_for(next < due ? next : due);
  }
  guests_end(all, now);
}

/* --- output --------------------------------------------------------------- */

static void print_times(const char *name, const sim_histogram *times) {
  printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
         (double)sim_histogram_percentile(times, 50) / 1e3,
         (double)sim_histogram_percentile(times, 99) / 1e3,
         (double)times->max / 1e3);
}

static void print_spread(const char *name, const sim_spread *spread) {
  printf(",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name,
         spread->count, (double)spread->p50 / 1e3, (double)spread->p99 / 1e3,
         (double)spread->max / 1e3);
}

static void print_result(void) {
  const guests_counts *c = guests_count(all);
  double seconds = (double)(stop - windows.start) / 1e9;
  sim_spread rotation, quiet, excess;

  if (sim_windows_spread(&rotation, &windows, 1) != 0 ||
      sim_windows_spread(&quiet, &windows, 0) != 0 ||
      sim_windows_excess(&excess, &windows) != 0) {
    fail("there is no memory");
  }
  printf("{\"rotations\":%zu,\"refused\":%llu,\"seconds\":%.3f,"
         "\"stay\":%zu,\"dropped\":%llu,\"wrong\":%llu,"
         "\"stream_octets\":%llu",
         rotations, (unsigned long long)refused, seconds, config.stay,
         (unsigned long long)c->dropped, (unsigned long long)c->wrong,
         (unsigned long long)c->stream_octets);
  if (c->dropped + c->failed > 0) {
    printf(",\"last_failure\":{\"kind\":%d,\"local\":%d,\"code\":%llu}",
           (int)c->last.by, c->last.local,
           (unsigned long long)c->last.error_code);
  }
  print_times("reply_us", &reply_times);
  print_times("publish_us", &publish_times);
  printf(",\"visits\":{\"begun\":%llu,\"served\":%llu,\"by_standby\":%llu,"
         "\"failed\":%llu,\"unstarted\":%llu,\"per_second\":%.1f",
         (unsigned long long)c->visits, (unsigned long long)c->served,
         (unsigned long long)c->by_second, (unsigned long long)c->failed,
         (unsigned long long)c->unstarted, (double)c->served / seconds);
  print_times("latency_us", &c->visit);
  printf("},\"datagrams\":{\"rate\":%.0f,\"size\":%zu,\"offered\":%llu,"
         "\"echoed\":%llu,\"lost_in_rotations\":%llu,\"lost_in_quiet\":%llu",
         config.rate, config.size, (unsigned long long)c->datagrams_offered,
         (unsigned long long)c->datagrams_echoed,
         (unsigned long long)sim_windows_lost(&windows, 1),
         (unsigned long long)sim_windows_lost(&windows, 0));
  print_times("latency_us", &c->datagram);
  printf("},\"worst_us\":{\"window_ms\":%.0f", (double)windows.length / 1e6);
  print_spread("rotation", &rotation);
  print_spread("quiet", &quiet);
  print_spread("excess", &excess);
  printf("}}\n");
}

/* --- options -------------------------------------------------------------- */

static _Noreturn void usage(const char *problem) {
  if (problem != NULL) {
    fprintf(stderr, "rotations: %s\n", problem);
  }
  fputs("usage: rotations --control PATH [OPTION...]\n"
        "  --control PATH  the server's control socket\n"
        "  --rotations N   (200)\n"
        "  --window MS     (100)\n"
        "  --every         a rotation in each window, not in every second\n"
        "  --stay N        sessions that last all the time (1)\n"
        "  --rate R        datagrams a second over all of them (2000), each\n"
        "                  with 100 octets on a stream\n"
        "  --size B        octets of a datagram (1000)\n"
        "  --visits R      new sessions a second (0)\n"
        "  --patience S    seconds after which one that was not served has\n"
        "                  failed (10)\n",
        stderr);
  exit(2);
}

static double number(const char *text, double min, double max) {
  char *end;
  double value = strtod(text, &end);

  if (end == text || *end != '\0' || !(value >= min && value <= max)) {
    usage("a number is out of range");
  }
  return value;
}

static void parse_options(int argc, char **argv) {
  static const struct option long_options[] = {
      {"control", required_argument, NULL, 'c'},
      {"rotations", required_argument, NULL, 'n'},
      {"window", required_argument, NULL, 'w'},
      {"every", no_argument, NULL, 'e'},
      {"stay", required_argument, NULL, 's'},
      {"rate", required_argument, NULL, 'r'},
      {"size", required_argument, NULL, 'b'},
      {"visits", required_argument, NULL, 'v'},
      {"patience", required_argument, NULL, 'p'},
      {"help", no_argument, NULL, '?'},
      {NULL, 0, NULL, 0}};
  int c;

  while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    switch (c) {
    case 'c':
      opts.control = optarg;
      break;
    case 'n':
      opts.rotations = (size_t)number(optarg, 1, 1e6);
      break;
    case 'w':
      opts.window = (uint64_t)number(optarg, 1, 60000) * MS;
      break;
    case 'e':
      opts.every = 1;
      break;
    case 's':
      config.stay = (size_t)number(optarg, 1, GUESTS_STAY_MAX);
      break;
    case 'r':
      config.rate = number(optarg, 1, 1e6);
      break;
    case 'b':
      config.size =
          (size_t)number(optarg, GUESTS_DATAGRAM_MIN, GUESTS_DATAGRAM_MAX);
      break;
    case 'v':
      config.visits = number(optarg, 0, 10000);
      break;
    case 'p':
      config.patience = (uint64_t)(number(optarg, 0.1, 3600) * 1e9);
      break;
    default:
      usage(NULL);
    }
  }
  if (optind < argc || opts.control == NULL) {
    usage("give a control socket, and nothing but options");
  }
}

int main(int argc, char **argv) {
  parse_options(argc, argv);
  config.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (config.epoll_fd < 0 ||
      sim_windows_init(&windows, opts.window, opts.rotations * WINDOWS_EACH) !=
          0) {
    fail("there is no memory");
  }
  connect_control();
  come_up();
  run();
  print_result();
  guests_free(all);
  sim_windows_free(&windows);
  return 0;
}
