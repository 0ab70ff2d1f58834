/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the lifecycle share with each other, and nobody else. */
#ifndef CERTMGR_LIFECYCLE_INTERNAL_H
#define CERTMGR_LIFECYCLE_INTERNAL_H

#include "certmgr/lifecycle.h"

/* 9999-12-31T23:59:59Z less the life of a certificate. */
#define CM_WALL_MAX (INT64_C(253402300799) - 1209599)

/* Whether |wall| can be a time at all. */
int cm_wall_usable(const cm_lifecycle *lc, int64_t wall);

/* Whether |slot| is within its validity at |now|. */
int cm_slot_valid(const cm_slot *slot, int64_t now);

/* The number that the image reserves. */
uint64_t cm_seq_reserved(const cm_lifecycle *lc);

/* Whether serial, key or hash in |result| have been seen before. */
int cm_is_reuse(const cm_lifecycle *lc, const cm_result *result);

/* What the parts of a step have in common. */
typedef struct cm_step {
  cm_lifecycle *lc;
  const cm_input *in;
  cm_output *out;
} cm_step;

/* Tells of something that has happened. */
void cm_emit(cm_step *s, cm_event_kind kind, uint64_t id, int from, int to,
             int64_t value);

void cm_set_state(cm_step *s, cm_slot *slot, cm_cert_state state);

/* Puts |slot| aside because the clock has left it. */
void cm_park(cm_step *s, cm_slot *slot);

/* cm_lifecycle_active() and cm_lifecycle_standby(), to be changed. */
cm_slot *cm_get_active(cm_lifecycle *lc);
cm_slot *cm_get_standby(cm_lifecycle *lc);

/* Whether the last document that was published names |id|. */
int cm_is_in_document(const cm_lifecycle *lc, uint64_t id);

/* Puts aside what does not fit the time, and takes back what does. */
void cm_follow_time(cm_step *s);

/* Whether wall and monotonic clock have run together for long enough. */
int cm_lifecycle_trusts(const cm_lifecycle *lc);

/* Asks for the next action, if there is one to be taken now. */
void cm_step_choose(cm_step *s);

cm_manager_state cm_lifecycle_judge(const cm_lifecycle *lc);

/* The seconds until something is to be done, if nothing happens before. */
int64_t cm_lifecycle_wait(const cm_lifecycle *lc);

/* The invariants that need no time: 0, or the number of one. */
int cm_check_durable(const cm_lifecycle *lc);

#endif
