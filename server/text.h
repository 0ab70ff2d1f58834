/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string that grows.  Want of memory is remembered, and asked for once at
 * the end: what is added after it is lost.
 */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stddef.h>

typedef struct text {
  char *data; /* NUL-terminated, or NULL; to be freed with free(). */
  size_t len; /* Without the NUL. */
  size_t room;
  int failed;
} text;

/* All zeros is the empty string. */

/* Adds as printf() would print. */
void text_add(text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds |string| with &, <, > and " as HTML needs them. */
void text_add_html(text *t, const char *string);

/* Adds |string| with \, " and newlines as a label of Prometheus needs them. */
void text_add_label(text *t, const char *string);

/* Adds |string| as a string of JSON, in quotation marks. */
void text_add_json(text *t, const char *string);

/* Frees the string and empties |*t|. */
void text_free(text *t);

#endif
