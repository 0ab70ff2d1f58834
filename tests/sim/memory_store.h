/* SPDX-License-Identifier: Apache-2.0 */
/* A store in memory, whose saves fail when a test wants them to. */
#ifndef TESTS_SIM_MEMORY_STORE_H
#define TESTS_SIM_MEMORY_STORE_H

#include "certmgr/store.h"

typedef struct memory_store {
  cm_store base;
  uint8_t body[CM_STORE_BODY_MAX];
  size_t len; /* 0: nothing was ever saved. */
  unsigned saves;
  /* CM_ERR_* with which the next saves fail; 0: they succeed. */
  int error;
  /* A save that fails reaches the disk nevertheless, as after a failed
     fsync. */
  int leaks;
} memory_store;

/* Begins empty.  There is nothing to close. */
void memory_store_init(memory_store *store);

#endif
