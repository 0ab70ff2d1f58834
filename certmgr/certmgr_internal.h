/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the manager share with each other, and nobody else. */
#ifndef CERTMGR_CERTMGR_INTERNAL_H
#define CERTMGR_CERTMGR_INTERNAL_H

#include "certmgr/certmgr.h"
#include "certmgr/hashset_signed.h"
#include "certmgr/state.h"

#define CM_PROBLEM_MAX 640

/* A publication with the octets that it points to. */
typedef struct cm_edition {
  cm_publication publication;
  uint8_t active[CM_HASH_LEN];
  uint8_t standby[CM_HASH_LEN];
  char jws[CM_SIGNED_MAX];
} cm_edition;

struct cm_manager {
  char **hosts;
  size_t nhosts;
  const char *host; /* One of them. */
  uint16_t port;
  char *path;
  char *mirror;
  cm_random random;
  cm_store *store;
  cm_callbacks callbacks;
  void *user;

  cm_lifecycle lc;
  cm_keyring ring;
  cm_identity identity;
  char thumbprint[CM_THUMBPRINT_LEN + 1];
  int started;
  cm_manager_state told; /* The last state that the host knows of. */
  /* The action that the lifecycle waits for. */
  struct {
    cm_action action;
    uint64_t id;
    int64_t not_before;
    int64_t not_after;
  } todo;

  /* |todo| is a save that was begun. */
  int saving;

  /* The current one, and room for the next. */
  cm_edition editions[2];
  int edition;
  int has_edition;

  cm_counters counters;
  /* How each action failed last. */
  char problems[CM_ACTION_COUNT][CM_PROBLEM_MAX];
  uint8_t body[CM_STORE_BODY_MAX];
};

/* Tells the host. */
void cm_manager_tell(cm_manager *mgr, const cm_journal_entry *entry);

/* Tells the host what |out| tells, and counts it. */
void cm_manager_relay(cm_manager *mgr, const cm_output *out, int64_t wall);

/* Tells the host the state, if it is another one than it knows of: those that
   are passed through on the way mean nothing to anybody. */
void cm_manager_tell_state(cm_manager *mgr, int64_t wall);

/* Keeps in words how |action| failed. */
void cm_manager_note_failure(cm_manager *mgr, cm_action action, int status);

#endif
