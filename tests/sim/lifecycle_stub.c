/* SPDX-License-Identifier: Apache-2.0 */
/* A host that steps the lifecycle itself; certificates and keys are numbers,
   and its disk holds one image. */
#include "certmgr/error.h"
#include "tests/sim/lifecycle_world.h"

#include <string.h>

/* So many keys are remembered at a time. */
#define KEYS 1024

typedef struct stub {
  cm_lifecycle lc;
  cm_output out;
  /* The disk; lengths are 0 if there is nothing. */
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int image_len;
  /* What has been written and not been flushed: after a crash it may be
     there. */
  uint8_t doubtful[CM_LIFECYCLE_ENCODED_MAX];
  int doubtful_len;
  uint64_t last_key;
  uint64_t alive[KEYS]; /* The number of the key that is there, or 0. */
  uint64_t max_seq;
  uint8_t last_serial[CM_LC_SERIAL_LEN];
} stub;

static uint64_t key_of(const cm_slot *slot) { return world_key(slot->sha256); }

static int is_alive(const stub *s, const cm_slot *slot) {
  return s->alive[key_of(slot) % KEYS] == key_of(slot);
}

static int boot(world *w) {
  static stub the_only;
  stub *s = &the_only;

  if (w->host == NULL) {
    memset(s, 0, sizeof(*s));
    w->host = s;
    w->lc = &s->lc;
  }
  /* The document that clients have got stays where it was published. */
  memset(s->alive, 0, sizeof(s->alive));
  if (s->doubtful_len > 0 && world_chance(w, 500)) {
    memcpy(s->image, s->doubtful, sizeof(s->image));
    s->image_len = s->doubtful_len;
  }
  s->doubtful_len = 0;
  if (s->image_len == 0) {
    cm_lifecycle_init(&s->lc, w->options->profile, BUILD_DATE,
                      sim_random_next(&w->random));
    return 0;
  }
  if (cm_lifecycle_decode(&s->lc, s->image, (size_t)s->image_len) != 0) {
    return world_violated(w, "an image that was written cannot be read");
  }
  cm_lifecycle_resume(&s->lc, w->options->profile, BUILD_DATE,
                      sim_random_next(&w->random));
  for (size_t i = 0; i < CM_SLOTS; i++) {
    if (s->lc.slots[i].state != CM_CERT_EMPTY) {
      s->alive[key_of(&s->lc.slots[i]) % KEYS] = key_of(&s->lc.slots[i]);
    }
  }
  return 0;
}

static void generate(world *w, cm_result *result) {
  stub *s = w->host;
  uint64_t key = ++s->last_key;

  memset(result->sha256, 0x5a, sizeof(result->sha256));
  memset(result->key_id, 0, sizeof(result->key_id));
  memset(result->serial, 0x11, sizeof(result->serial));
  for (int i = 0; i < 8; i++) {
    result->sha256[i] = result->key_id[i] = result->serial[i] =
        (uint8_t)(key >> (8 * i));
  }
  if (world_fault(w, LIFECYCLE_SIM_RANDOM) && world_chance(w, 500)) {
    /* A generator that is stuck. */
    memcpy(result->serial, s->last_serial, sizeof(result->serial));
  }
  memcpy(s->last_serial, result->serial, sizeof(s->last_serial));
  result->random = (uint32_t)sim_random_next(&w->random);
  s->alive[key % KEYS] = key;
  w->report->certificates++;
}

static int persist(world *w) {
  stub *s = w->host;
  uint8_t image[CM_LIFECYCLE_ENCODED_MAX];
  int len = cm_lifecycle_encode(&s->lc, image, sizeof(image));

  if (len < 0) {
    (void)world_violated(w, "the image does not fit");
    return CM_ERR_NOBUF;
  }
  if (world_fault(w, LIFECYCLE_SIM_DISK)) {
    return CM_ERR_STORE;
  }
  if (world_fault(w, LIFECYCLE_SIM_FSYNC)) {
    memcpy(s->doubtful, image, (size_t)len);
    s->doubtful_len = len;
    return CM_ERR_STORE;
  }
  memcpy(s->image, image, (size_t)len);
  s->image_len = len;
  s->doubtful_len = 0;
  return 0;
}

static int publish(world *w) {
  stub *s = w->host;
  cm_document doc;

  if (world_fault(w, LIFECYCLE_SIM_PUBLISH)) {
    return CM_ERR_STORE;
  }
  cm_lifecycle_document(&s->lc, &doc);
  if (doc.seq != s->out.seq || doc.seq <= s->max_seq) {
    (void)world_violated(w, "the number of the document did not grow");
  }
  s->max_seq = doc.seq;
  world_published(
      w, &(document){.keys = {doc.active != NULL ? key_of(doc.active) : 0,
                              doc.standby != NULL ? key_of(doc.standby) : 0},
                     .refresh_after = doc.refresh_after,
                     .valid_until = doc.valid_until});
  return 0;
}

static int destroy(world *w, uint64_t id) {
  stub *s = w->host;
  const cm_slot *slot = cm_lifecycle_find(&s->lc, id);

  if (slot->state != CM_CERT_REVOKED && s->lc.doubt > 0 && !slot->doubtful &&
      slot->parked && !slot->outlived) {
    (void)world_violated(w, "a certificate was destroyed by a clock's jump");
  }
  if (slot == cm_lifecycle_active(&s->lc) ||
      slot == cm_lifecycle_standby(&s->lc)) {
    (void)world_violated(w, "a certificate in use was destroyed");
  }
  s->alive[key_of(slot) % KEYS] = 0;
  return 0;
}

static int carry_out(world *w, cm_result *result) {
  stub *s = w->host;
  const cm_slot *slot;

  switch (s->out.action) {
  case CM_ACTION_GENERATE:
    if (world_fault(w, LIFECYCLE_SIM_RANDOM) && world_chance(w, 800)) {
      return CM_ERR_RANDOM;
    }
    if (s->out.not_after - s->out.not_before > 1209599) {
      (void)world_violated(w, "a certificate would be valid for too long");
    }
    if (s->lc.wall < BUILD_DATE) {
      (void)world_violated(w, "a certificate was made before the build date");
    }
    generate(w, result);
    return 0;
  case CM_ACTION_PERSIST:
    return persist(w);
  case CM_ACTION_PUBLISH:
    return publish(w);
  case CM_ACTION_ACTIVATE:
    slot = cm_lifecycle_find(&s->lc, s->out.id);
    if (slot == NULL || !is_alive(s, slot)) {
      (void)world_violated(w, "a certificate without a key was to be served");
      return CM_ERR_SELF_CHECK;
    }
    if (world_fault(w, LIFECYCLE_SIM_ACTIVATE)) {
      return CM_ERR_NOMEM;
    }
    w->report->swaps++;
    return 0;
  case CM_ACTION_DESTROY:
    return destroy(w, s->out.id);
  default:
    return 0;
  }
}

static int serving(world *w, served *now) {
  stub *s = w->host;
  const cm_slot *slot = cm_lifecycle_serving(&s->lc, w->truth + w->error);

  if (slot == NULL) {
    return 0;
  }
  if (!is_alive(s, slot)) {
    (void)world_violated(w, "something is served whose key is gone");
  }
  *now = (served){key_of(slot), slot->not_before, slot->not_after};
  return 1;
}

static void trace_events(const world *w) {
  const stub *s = w->host;

  for (size_t i = 0; i < s->out.nevents; i++) {
    const cm_event *e = &s->out.events[i];
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
    world_trace_event(w, cm_event_name(e->kind), e->id, from, to, e->value);
  }
}

static int settle(world *w, cm_command command) {
  stub *s = w->host;
  served now;
  cm_input in;

  memset(&in, 0, sizeof(in));
  in.command = command;
  for (int n = 0; n < STEPS_AT_ONCE; n++) {
    int crash, before;

    in.wall = w->truth + w->error;
    in.mono = w->mono;
    cm_lifecycle_step(&s->lc, &in, &s->out);
    if (n == 0) {
      w->refused = s->out.refused;
    }
    if (w->options->trace != NULL) {
      trace_events(w);
    }
    (void)serving(w, &now);
    if (world_check(w) != 0) {
      return -1;
    }
    memset(&in, 0, sizeof(in));
    if (s->out.action == CM_ACTION_NONE) {
      w->wait = s->out.wait;
      return w->wait >= 1 ? 0
                          : world_violated(w, "no action and no time to wait");
    }
    crash = world_crashes(w);
    before = crash && world_chance(w, 500);
    if (!before) {
      in.result.action = s->out.action;
      in.result.status = carry_out(w, &in.result);
    }
    if (crash) {
      world_crashed(w, (int)s->out.action);
      if (boot(w) != 0) {
        return -1;
      }
      memset(&in, 0, sizeof(in));
    }
  }
  return world_violated(w, "it turns in circles");
}

static void end(world *w) { w->host = NULL; }

const host_ops lifecycle_stub = {boot, settle, serving, end};
