/* SPDX-License-Identifier: Apache-2.0 */
/* A string in the making, in the caller's room. */
#ifndef CERTMGR_TEXT_H
#define CERTMGR_TEXT_H

#include "certmgr/error.h"

#include <stddef.h>

/* |len| goes on counting when the room is used up. */
typedef struct cm_text {
  char *dest;
  size_t destlen;
  size_t len;
} cm_text;

/* Appends as printf() does. */
void cm_text_put(cm_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The length without the NUL; or CM_ERR_NOBUF if it did not fit, and then
   |dest| holds the empty string if |destlen| is not 0. */
int cm_text_end(const cm_text *text);

#endif
