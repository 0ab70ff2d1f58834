/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/profile.h"

#include <string.h>

#define HOUR 3600
#define DAY 86400

/* The longest that every browser takes: 14 days less one second. */
#define VALIDITY_MAX 1209599

/* Less than this is no allowance for anybody's clock. */
#define BACKDATE_MIN 300
#define GUARD_MIN 300
/* For as long, nothing is destroyed after the clock has jumped, and there is
   room for a few certificates only: see lifecycle.h. */
#define ACTIVE_MIN HOUR

const cm_profile cm_profile_hot_standby = {
    .backdate = DAY,
    .standby = 6 * DAY,
    .active = 6 * DAY,
    .guard = DAY - 1,
    /* What is left of the guard: 23 hours. */
    .slack = HOUR - 1,
    .jitter_min = 900,
    .jitter_max = 1800,
    .max_age = 300,
};

const cm_profile cm_profile_long = {
    .backdate = HOUR,
    .standby = 0,
    .active = VALIDITY_MAX - 3 * HOUR,
    .guard = 2 * HOUR,
    .slack = HOUR / 2,
    .jitter_min = 450,
    .jitter_max = 900,
    .max_age = 300,
};

const cm_profile cm_profile_short = {
    .backdate = DAY,
    .standby = 5 * DAY / 2,
    .active = 5 * DAY / 2,
    .guard = DAY - 1,
    .slack = HOUR - 1,
    .jitter_min = 900,
    .jitter_max = 1800,
    .max_age = 300,
};

const cm_profile *cm_profile_by_name(const char *name) {
  if (strcmp(name, "hot-standby") == 0) {
    return &cm_profile_hot_standby;
  }
  if (strcmp(name, "long") == 0) {
    return &cm_profile_long;
  }
  if (strcmp(name, "short") == 0) {
    return &cm_profile_short;
  }
  return NULL;
}

int64_t cm_profile_validity(const cm_profile *p) {
  return p->backdate + p->standby + p->active + p->guard;
}

int64_t cm_profile_settle(const cm_profile *p) { return 2 * p->max_age; }

/* 1 if |value| is a part of a life at all; keeps sums far from overflow. */
static int is_part(int64_t value) {
  return value >= 0 && value <= VALIDITY_MAX;
}

const char *cm_profile_check(const cm_profile *p) {
  if (!is_part(p->backdate) || !is_part(p->standby) || !is_part(p->active) ||
      !is_part(p->guard) || !is_part(p->slack) || !is_part(p->jitter_min) ||
      !is_part(p->jitter_max) || !is_part(p->max_age)) {
    return "a part is negative, or longer than 14 days";
  }
  if (cm_profile_validity(p) > VALIDITY_MAX) {
    return "the parts add up to more than 1209599 seconds, and browsers refuse "
           "what is valid for longer";
  }
  if (p->backdate < BACKDATE_MIN) {
    return "with less than 300 seconds of backdating, a client whose clock is "
           "slow would refuse a new certificate";
  }
  if (p->standby > p->active) {
    return "a certificate is made when the one before becomes active, so it "
           "cannot be standby for longer than that is active";
  }
  if (p->active < ACTIVE_MIN) {
    return "a certificate is active for less than an hour: nothing is "
           "destroyed for as long after the clock has jumped, and there would "
           "be no room for new ones";
  }
  if (p->jitter_min > p->jitter_max) {
    return "the jitter's minimum is above its maximum";
  }
  if (p->jitter_max >= p->slack) {
    return "the jitter uses up the slack, and a swap that has to be tried "
           "again "
           "would come in the guard";
  }
  if (p->guard < p->slack + GUARD_MIN) {
    return "the guard leaves less than 300 seconds beyond the slack, and a "
           "client whose clock is fast would refuse the old certificate";
  }
  if (p->max_age == 0) {
    return "documents with a max-age of 0 are never published for long enough";
  }
  if (p->active < 2 * cm_profile_settle(p)) {
    return "a certificate is active for less than four times the documents' "
           "max-age, and its successor's hash would not be known in time";
  }
  return NULL;
}

void cm_profile_promise(cm_promise *promise, const cm_profile *p) {
  promise->cached = p->active;
  promise->slow = p->backdate + p->standby;
  promise->fast = p->guard - p->slack;
  /* It is made |active| and the jitter before its activation. */
  promise->hot = promise->slow - p->active - p->jitter_max >= 0;
}
