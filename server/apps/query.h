/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a request's path (RFC 3986 section 3.4). */
#ifndef SERVER_APPS_QUERY_H
#define SERVER_APPS_QUERY_H

#include <stddef.h>

/* Finds the parameter |name| in |path| and writes its value, percent-decoded
   and NUL-terminated, into |dest|.  Returns 0, or -1 if it is not there, does
   not fit, or holds a NUL. */
int query_get(char *dest, size_t destlen, const char *path, const char *name);

#endif
