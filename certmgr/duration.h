/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time in text. */
#ifndef CERTMGR_DURATION_H
#define CERTMGR_DURATION_H

#include "certmgr/error.h"

#include <stddef.h>
#include <stdint.h>

/* Room for any of the following, with its NUL. */
#define CM_DURATION_MAX 48

/* Both take |seconds| that are not negative, and return the length without the
   NUL, or CM_ERR_NOBUF. */

/* "6d", "23h59m59s", "0s": exact, as a profile has it. */
int cm_duration_text(char *dest, size_t destlen, int64_t seconds);

/* "6 days", "1 day 3 hours", "59 seconds": the largest unit and the next,
   rounded down. */
int cm_duration_words(char *dest, size_t destlen, int64_t seconds);

#endif
