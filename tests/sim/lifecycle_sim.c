/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/lifecycle_sim.h"

#include "certmgr/error.h"
#include "certmgr/lifecycle.h"

#include <inttypes.h>
#include <string.h>

#define MINUTE INT64_C(60)
#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

#define BUILD_DATE INT64_C(1760000000)
#define START (BUILD_DATE + 30 * DAY)

/* Keys are numbered; this many are remembered at a time. */
#define KEYS 1024
/* Documents in clients' hands. */
#define DOCUMENTS 64
/* More steps than this at one moment: it turns in circles. */
#define STEPS_AT_ONCE 400
/* The clock is right if it is no more than this off. */
#define RIGHT 5
/* For so long after a fault of the clock nothing is promised. */
#define AFTERMATH (15 * DAY)

typedef struct document {
  int known;
  int64_t fetched; /* True time. */
  uint64_t keys[2];
  int64_t valid_until;
  unsigned rotations;
  unsigned revocations;
  unsigned long_faults;
  int regular;
} document;

typedef struct world {
  const lifecycle_sim_options *options;
  lifecycle_sim_report *report;
  uint64_t prng;

  int64_t truth;
  int64_t error; /* wall = truth + error */
  int64_t mono;

  cm_lifecycle lc;
  cm_output out;
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int image_len; /* 0: there is no file yet. */

  uint64_t last_key;
  uint64_t alive[KEYS]; /* The number of the key that is there, or 0. */
  uint64_t max_seq;
  uint8_t last_serial[CM_LC_SERIAL_LEN];

  /* What the server hands out. */
  document current;
  document documents[DOCUMENTS];
  unsigned ndocuments;

  /* The fault of now. */
  unsigned fault;
  int64_t fault_end;
  int64_t next_fault;
  int64_t clock_error;
  int is_long;
  unsigned crash_odds; /* Of 1000, at each action. */

  unsigned rotations;
  unsigned revocations;
  unsigned long_faults;
  int64_t last_operator;
  int64_t last_clock;      /* The end of the last fault of the clock. */
  int64_t last_long_clock; /* ... that was longer than an hour. */
} world;

/* --- chance ------------------------------------------------------------- */

static uint64_t draw(world *w) {
  /* splitmix64 */
  uint64_t z = w->prng += UINT64_C(0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* A number in low..high. */
static int64_t between(world *w, int64_t low, int64_t high) {
  return low + (int64_t)(draw(w) % (uint64_t)(high - low + 1));
}

static int chance(world *w, unsigned of_1000) {
  return draw(w) % 1000 < of_1000;
}

/* A number in 1..high, each order of magnitude as likely as the other. */
static int64_t spread(world *w, int64_t high) {
  int64_t top = 1;
  int bits = 0;

  while (top < high) {
    top *= 2;
    bits++;
  }
  top = INT64_C(1) << between(w, 0, bits);
  top = between(w, (top + 1) / 2, top);
  return top < high ? top : high;
}

/* --- reporting ---------------------------------------------------------- */

static int violated(world *w, const char *what) {
  if (w->report->violation == NULL) {
    w->report->violation = what;
    w->report->at = w->truth - START;
  }
  return -1;
}

static void trace_line(const world *w, const char *what, int64_t value) {
  if (w->options->trace != NULL) {
    fprintf(w->options->trace, "%12.6f d  %s %" PRId64 "\n",
            (double)(w->truth - START) / (double)DAY, what, value);
  }
}

static void trace_events(const world *w) {
  for (size_t i = 0; w->options->trace != NULL && i < w->out.nevents; i++) {
    const cm_event *e = &w->out.events[i];
    const char *from = "", *to = "";

    if (e->kind == CM_EVENT_CERTIFICATE) {
      from = cm_cert_state_name((cm_cert_state)e->from);
      to = cm_cert_state_name((cm_cert_state)e->to);
    } else if (e->kind == CM_EVENT_STATE) {
      from = cm_manager_state_name((cm_manager_state)e->from);
      to = cm_manager_state_name((cm_manager_state)e->to);
    } else if (e->kind == CM_EVENT_FAILED) {
      from = cm_action_name((cm_action)e->from);
    }
    fprintf(w->options->trace, "%12.6f d    %s %" PRIu64 " %s %s %" PRId64 "\n",
            (double)(w->truth - START) / (double)DAY, cm_event_name(e->kind),
            e->id, from, to, e->value);
  }
}

/* --- the host ----------------------------------------------------------- */

static uint64_t key_of(const cm_slot *slot) {
  uint64_t key;

  memcpy(&key, slot->key_id, sizeof(key));
  return key;
}

static void forget_documents(world *w) { w->current.known = 0; }

/* A new process: memory is gone, the disk is there. */
static int boot(world *w) {
  w->mono = between(w, 0, 1000000);
  forget_documents(w);
  memset(w->alive, 0, sizeof(w->alive));
  if (w->image_len == 0) {
    cm_lifecycle_init(&w->lc, w->options->profile, BUILD_DATE, draw(w));
    return 0;
  }
  if (cm_lifecycle_decode(&w->lc, w->image, (size_t)w->image_len) != 0) {
    return violated(w, "an image that was written cannot be read");
  }
  cm_lifecycle_resume(&w->lc, w->options->profile, BUILD_DATE, draw(w));
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (w->lc.slots[i].state != CM_CERT_EMPTY) {
      w->alive[key_of(&w->lc.slots[i]) % KEYS] = key_of(&w->lc.slots[i]);
    }
  }
  return 0;
}

static void generate(world *w, cm_result *result) {
  uint64_t key = ++w->last_key;

  memset(result->sha256, 0x5a, sizeof(result->sha256));
  memset(result->key_id, 0, sizeof(result->key_id));
  memset(result->serial, 0x11, sizeof(result->serial));
  memcpy(result->sha256, &key, sizeof(key));
  memcpy(result->key_id, &key, sizeof(key));
  memcpy(result->serial, &key, sizeof(key));
  if (w->fault == LIFECYCLE_SIM_RANDOM && chance(w, 500)) {
    /* A generator that is stuck. */
    memcpy(result->serial, w->last_serial, sizeof(result->serial));
  }
  memcpy(w->last_serial, result->serial, sizeof(w->last_serial));
  result->random = (uint32_t)draw(w);
  w->alive[key % KEYS] = key;
  w->report->certificates++;
}

static int persist(world *w) {
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int len = cm_lifecycle_encode(&w->lc, image, sizeof(image));

  if (len < 0) {
    (void)violated(w, "the image does not fit");
    return CM_ERR_NOBUF;
  }
  /* A write that fails may have reached the disk nevertheless. */
  if (w->fault != LIFECYCLE_SIM_DISK || chance(w, 100)) {
    memcpy(w->image, image, (size_t)len);
    w->image_len = len;
  }
  return w->fault == LIFECYCLE_SIM_DISK ? -1 : 0;
}

static int publish(world *w) {
  cm_document doc;

  if (w->fault == LIFECYCLE_SIM_PUBLISH) {
    return -1;
  }
  cm_lifecycle_document(&w->lc, &doc);
  if (doc.seq != w->out.seq || doc.seq <= w->max_seq) {
    (void)violated(w, "the number of the document did not grow");
  }
  w->max_seq = doc.seq;
  w->current =
      (document){.known = doc.active != NULL, .valid_until = doc.valid_until};
  if (doc.active != NULL) {
    w->current.keys[0] = key_of(doc.active);
  }
  if (doc.standby != NULL) {
    w->current.keys[1] = key_of(doc.standby);
  }
  return 0;
}

static int destroy(world *w, uint64_t id) {
  const cm_slot *slot = cm_lifecycle_find(&w->lc, id);

  if (slot->state != CM_CERT_REVOKED && w->lc.doubt > 0 && !slot->doubtful &&
      slot->parked) {
    (void)violated(w, "a certificate was destroyed by a jump of the clock");
  }
  if (slot == cm_lifecycle_active(&w->lc) ||
      slot == cm_lifecycle_standby(&w->lc)) {
    (void)violated(w, "a certificate in use was destroyed");
  }
  w->alive[key_of(slot) % KEYS] = 0;
  return 0;
}

static int carry_out(world *w, cm_result *result) {
  const cm_slot *slot;

  switch (w->out.action) {
  case CM_ACTION_NONE:
    break;
  case CM_ACTION_GENERATE:
    if (w->fault == LIFECYCLE_SIM_RANDOM && chance(w, 800)) {
      return CM_ERR_RANDOM;
    }
    if (w->out.not_after - w->out.not_before > 1209599) {
      (void)violated(w, "a certificate would be valid for too long");
    }
    if (w->lc.wall < BUILD_DATE) {
      (void)violated(w, "a certificate was made before the build date");
    }
    generate(w, result);
    return 0;
  case CM_ACTION_PERSIST:
    return persist(w);
  case CM_ACTION_PUBLISH:
    return publish(w);
  case CM_ACTION_ACTIVATE:
    slot = cm_lifecycle_find(&w->lc, w->out.id);
    if (slot == NULL || w->alive[key_of(slot) % KEYS] != key_of(slot)) {
      (void)violated(w, "a certificate without a key was to be activated");
      return -1;
    }
    if (w->fault == LIFECYCLE_SIM_ACTIVATE) {
      return CM_ERR_NOMEM;
    }
    w->report->swaps++;
    return 0;
  case CM_ACTION_CLOSE:
    return 0;
  case CM_ACTION_DESTROY:
    return destroy(w, w->out.id);
  }
  return 0;
}

static int check(world *w) {
  static const char *const texts[] = {
      "",
      "invariant 1: something is served that is not durable or published",
      "invariant 2: the number of certificates in use",
      "invariant 3: something is served that is not valid",
      "invariant 4: something is used twice",
      "invariant 5: a document's number is not reserved",
      "invariant 6: something is valid for too long",
  };
  const cm_slot *serving = cm_lifecycle_serving(&w->lc, w->truth + w->error);
  int rv = cm_lifecycle_check(&w->lc);

  if (rv != 0) {
    return violated(w, texts[rv]);
  }
  if (serving != NULL && w->alive[key_of(serving) % KEYS] != key_of(serving)) {
    return violated(w, "something is served whose key is gone");
  }
  return w->report->violation == NULL ? 0 : -1;
}

/* Steps until there is nothing more to do now. */
static int settle(world *w, cm_command command) {
  cm_input in;

  memset(&in, 0, sizeof(in));
  in.command = command;
  for (int n = 0; n < STEPS_AT_ONCE; n++) {
    int crash = chance(w, w->crash_odds), before = chance(w, 500);

    in.wall = w->truth + w->error;
    in.mono = w->mono;
    cm_lifecycle_step(&w->lc, &in, &w->out);
    w->report->steps++;
    trace_events(w);
    if (check(w) != 0) {
      return -1;
    }
    memset(&in, 0, sizeof(in));
    if (w->out.action == CM_ACTION_NONE) {
      if (w->out.wait < 1) {
        return violated(w, "no action and no time to wait");
      }
      return 0;
    }
    if (!crash || !before) {
      in.result.action = w->out.action;
      in.result.status = carry_out(w, &in.result);
    }
    if (crash) {
      trace_line(w, "crash", (int64_t)w->out.action);
      w->report->crashes++;
      w->truth += spread(w, HOUR / 4);
      if (boot(w) != 0) {
        return -1;
      }
      memset(&in, 0, sizeof(in));
    }
  }
  return violated(w, "it turns in circles");
}

/* --- the clients -------------------------------------------------------- */

static void fetch(world *w) {
  document *doc = &w->documents[w->ndocuments++ % DOCUMENTS];

  *doc = w->current;
  doc->fetched = w->truth;
  doc->rotations = w->rotations;
  doc->revocations = w->revocations;
  doc->long_faults = w->long_faults;
  doc->regular = w->error >= -RIGHT && w->error <= RIGHT &&
                 w->truth - w->last_long_clock >= AFTERMATH;
  if (doc->known && doc->regular && w->truth - w->last_clock >= AFTERMATH &&
      w->lc.state == CM_STATE_HEALTHY &&
      doc->valid_until < w->truth + w->options->profile->active &&
      w->truth - w->last_operator >= AFTERMATH) {
    (void)violated(w, "HEALTHY, and its document runs out too soon");
  }
}

/* A client whose clock is |skew| seconds ahead. */
static int connect_one(world *w, const document *doc, int64_t skew) {
  const cm_slot *slot = cm_lifecycle_serving(&w->lc, w->truth + w->error);
  int64_t clock = w->truth + skew;

  if (slot == NULL) {
    return violated(w, "a client found nothing served");
  }
  if (key_of(slot) != doc->keys[0] && key_of(slot) != doc->keys[1]) {
    return violated(w, "a client did not know the hash");
  }
  if (clock < slot->not_before) {
    return violated(w, "a client with a slow clock refused");
  }
  if (clock > slot->not_after) {
    return violated(w, "a client with a fast clock refused");
  }
  w->report->connects++;
  return 0;
}

static int connect_all(world *w) {
  cm_promise promise;

  cm_profile_promise(&promise, w->options->profile);
  promise.slow += w->options->slower;
  promise.fast += w->options->faster;
  promise.cached += w->options->older;
  if (w->error < -RIGHT || w->error > RIGHT) {
    return 0;
  }
  for (size_t i = 0; i < DOCUMENTS; i++) {
    const document *doc = &w->documents[i];
    int64_t slow = promise.slow, fast = promise.fast;

    if (!doc->known || w->truth - doc->fetched > promise.cached ||
        w->truth >= doc->valid_until + w->options->older || !doc->regular ||
        doc->revocations != w->revocations ||
        w->rotations - doc->rotations > 1 ||
        doc->long_faults != w->long_faults) {
      continue;
    }
    if (w->truth - w->last_operator < AFTERMATH) {
      slow = promise.hot ? 22 * HOUR : 0;
      if (slow > promise.slow) {
        slow = promise.slow;
      }
      if (!promise.hot) {
        continue;
      }
    }
    if (w->error != 0 || w->truth - w->last_clock < AFTERMATH) {
      slow = fast = RIGHT;
    }
    if (connect_one(w, doc, -slow) != 0 || connect_one(w, doc, fast) != 0 ||
        connect_one(w, doc, between(w, -slow, fast)) != 0) {
      trace_line(w, "its document was fetched at", doc->fetched - START);
      return -1;
    }
  }
  return 0;
}

/* --- faults ------------------------------------------------------------- */

/* Lets |seconds| go by; asleep, the monotonic clock stands. */
static void pass(world *w, int64_t seconds, int asleep) {
  w->truth += seconds;
  if (!asleep) {
    w->mono += seconds;
  }
}

static int operate(world *w) {
  static const cm_command commands[] = {CM_COMMAND_ROTATE, CM_COMMAND_ROTATE,
                                        CM_COMMAND_ROTATE_FORCED,
                                        CM_COMMAND_REVOKE, CM_COMMAND_RESET};
  cm_command command = commands[between(w, 0, 4)];

  trace_line(w, "command", (int64_t)command);
  w->last_operator = w->truth;
  if (command == CM_COMMAND_REVOKE || command == CM_COMMAND_RESET) {
    w->revocations++;
  } else {
    const cm_slot *standby = cm_lifecycle_standby(&w->lc);
    w->rotations++;
    /* Hashes that were learnt before the standby's go by this. */
    for (size_t i = 0; i < DOCUMENTS; i++) {
      document *doc = &w->documents[i];
      if (standby == NULL || (key_of(standby) != doc->keys[0] &&
                              key_of(standby) != doc->keys[1])) {
        doc->known = 0;
      }
    }
  }
  return settle(w, command);
}

static int begin_fault(world *w) {
  static const unsigned kinds[] = {
      LIFECYCLE_SIM_CRASH,    LIFECYCLE_SIM_DISK,   LIFECYCLE_SIM_RANDOM,
      LIFECYCLE_SIM_CLOCK,    LIFECYCLE_SIM_SLEEP,  LIFECYCLE_SIM_OPERATOR,
      LIFECYCLE_SIM_ACTIVATE, LIFECYCLE_SIM_PUBLISH};
  unsigned kind = kinds[between(w, 0, 7)];
  int64_t length = 0;

  w->next_fault = w->truth + between(w, HOUR, 20 * DAY);
  if ((kind & w->options->faults) == 0) {
    return 0;
  }
  trace_line(w, "fault", (int64_t)kind);
  switch (kind) {
  case LIFECYCLE_SIM_CRASH:
    if (chance(w, 300)) {
      /* Switched off. */
      w->truth += spread(w, 30 * DAY);
      w->report->crashes++;
      return boot(w);
    }
    w->crash_odds = 200;
    length = spread(w, 12 * DAY);
    break;
  case LIFECYCLE_SIM_SLEEP:
    pass(w, spread(w, 30 * DAY), 1);
    return 0;
  case LIFECYCLE_SIM_OPERATOR:
    return operate(w);
  case LIFECYCLE_SIM_CLOCK:
    length = chance(w, 700) ? spread(w, 50 * MINUTE) : spread(w, 10 * DAY);
    w->is_long = length > 50 * MINUTE;
    w->long_faults += (unsigned)w->is_long;
    w->clock_error = spread(w, 50 * YEAR) * (chance(w, 500) ? 1 : -1);
    trace_line(w, "clock", w->clock_error);
    w->error = w->clock_error;
    break;
  case LIFECYCLE_SIM_ACTIVATE:
    length = spread(w, 15 * MINUTE);
    break;
  default:
    length = spread(w, 5 * DAY);
    break;
  }
  w->fault = kind;
  w->fault_end = w->truth + length;
  w->next_fault = w->fault_end + between(w, HOUR, 20 * DAY);
  return 0;
}

static void end_fault(world *w) {
  trace_line(w, "end of fault", (int64_t)w->fault);
  if (w->fault == LIFECYCLE_SIM_CLOCK) {
    w->last_clock = w->truth;
    if (w->is_long) {
      w->last_long_clock = w->truth;
    }
    w->error = 0;
  }
  w->crash_odds = 0;
  w->fault = 0;
  w->fault_end = INT64_MAX;
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

int lifecycle_sim_run(const lifecycle_sim_options *options,
                      lifecycle_sim_report *report) {
  static world w;
  int64_t end = START + options->days * DAY, next_fetch = START;

  memset(&w, 0, sizeof(w));
  memset(report, 0, sizeof(*report));
  w.options = options;
  w.report = report;
  w.prng = options->seed;
  w.truth = START;
  w.fault_end = INT64_MAX;
  w.next_fault = START + between(&w, 0, 20 * DAY);
  w.last_operator = w.last_clock = w.last_long_clock = START - 2 * AFTERMATH;
  if (boot(&w) != 0) {
    return -1;
  }
  while (w.truth < end) {
    int64_t wait, before;

    if (settle(&w, CM_COMMAND_NONE) != 0 || connect_all(&w) != 0) {
      return -1;
    }
    if (w.truth >= next_fetch) {
      fetch(&w);
      next_fetch = w.truth + between(&w, HOUR, 20 * HOUR);
    }
    if (report->violation != NULL) {
      return -1;
    }
    wait = min64(w.out.wait, w.fault_end - w.truth);
    wait = min64(wait, w.fault == 0 ? w.next_fault - w.truth : wait);
    before = w.truth;
    pass(&w, wait > 1 ? wait : 1, 0);
    if (w.lc.state == CM_STATE_HEALTHY) {
      report->healthy += w.truth - before;
    }
    if (w.truth >= w.fault_end) {
      end_fault(&w);
    } else if (w.fault == 0 && w.truth >= w.next_fault &&
               begin_fault(&w) != 0) {
      return -1;
    }
  }
  return 0;
}
