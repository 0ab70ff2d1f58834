/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has happened to the certificates: one JSON object a line, each with the
 * SHA-256 of the line before it,
 *
 *   {"n":7,"time":1767225600,"event":"state","from":"HEALTHY","to":"GUARD",
 *    "prev":"ba7816bf..."}
 *
 * (one line), so that none can be changed, left out or put in without all that
 * come later.  The oldest lines are dropped when there are too many; the chain
 * then begins with a "prev" that cannot be checked any more.
 *
 * The functions here only make and check text; journal_file.c keeps it in a
 * file.
 */
#ifndef CERTMGR_JOURNAL_H
#define CERTMGR_JOURNAL_H

#include "certmgr/error.h"

#include <stddef.h>
#include <stdint.h>

/* Room for any line, with its newline and a NUL. */
#define CM_JOURNAL_LINE_MAX 1280

/* The end of a chain. */
typedef struct cm_journal {
  /* The number of the next line, from 1. */
  uint64_t next;
  /* The hash of the last line, all zeros if there is none. */
  uint8_t head[32];
} cm_journal;

typedef struct cm_journal_entry {
  int64_t time; /* Seconds since 1970 UTC, by the wall clock. */
  const char *event;
  /* Of a certificate, 0 if none is meant. */
  uint64_t id;
  /* Each NULL if there is nothing to say.  ASCII; any other octet is escaped,
     and what takes more than 200 octets then is cut off. */
  const char *from;
  const char *to;
  const char *text;
  int has_value;
  int64_t value;
} cm_journal_entry;

/* Begins a chain. */
void cm_journal_init(cm_journal *journal);

/* Writes the line for |entry|, with its newline and a NUL, to |dest| of at
   least CM_JOURNAL_LINE_MAX octets, and moves |journal| on.  Returns its length
   without the NUL, or CM_ERR_NOBUF, CM_ERR_CRYPTO; then |journal| is
   unchanged. */
int cm_journal_line(cm_journal *journal, char *dest, size_t destlen,
                    const cm_journal_entry *entry);

/*
 * Checks |len| octets of |text|, which may begin anywhere in a chain, and
 * leaves its end in |journal|.  |*valid| is the length of what holds together:
 * what comes after it was cut off by a crash (no newline) or changed.  Returns
 * 0 if that is all, CM_ERR_SIGNATURE if not, CM_ERR_CRYPTO.
 */
int cm_journal_verify(cm_journal *journal, const char *text, size_t len,
                      size_t *valid);

/* The offset of the first line of |text| with which no more than |max| octets
   are left. */
size_t cm_journal_trim(const char *text, size_t len, size_t max);

/* --- in a file (journal_file.c) ----------------------------------------- */

typedef struct cm_journal_file cm_journal_file;

/*
 * Opens, or makes, the journal |path|, with mode 0600, and checks it.  What
 * does not hold together goes to |path|.bad, and |*bad| is set to 1.  It never
 * takes more than |max| octets.  Returns 0, CM_ERR_STORE (see errno),
 * CM_ERR_NOMEM, CM_ERR_CRYPTO; then |*pfile| is NULL.
 */
int cm_journal_open(cm_journal_file **pfile, const char *path, size_t max,
                    int *bad);

/* Appends |entry|.  The line is with the system when this returns 0; a crash
   of the machine may take the last lines.  CM_ERR_STORE, CM_ERR_CRYPTO. */
int cm_journal_append(cm_journal_file *file, const cm_journal_entry *entry);

/* The last line that was appended since the file was opened, with its newline
   and a NUL; "" if there is none.  |*len| is set to its length without the NUL.
   Stays until the next call that takes |file| without const. */
const char *cm_journal_last(const cm_journal_file *file, size_t *len);

/* NULL is allowed. */
void cm_journal_close(cm_journal_file *file);

#endif
