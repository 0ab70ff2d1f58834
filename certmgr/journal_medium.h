/* SPDX-License-Identifier: Apache-2.0 */
/* Where the lines of journal_file.c are kept: journal_posix.c, journal_web.c.
 */
#ifndef CERTMGR_JOURNAL_MEDIUM_H
#define CERTMGR_JOURNAL_MEDIUM_H

#include <stddef.h>

typedef struct cm_journal_medium cm_journal_medium;

/* Opens, or makes, what is called |path|.  0, CM_ERR_STORE, CM_ERR_NOMEM; then
   |*pmedium| is NULL. */
int cm_journal_medium_open(cm_journal_medium **pmedium, const char *path);

/* All that it holds, in memory that the caller frees.  0, CM_ERR_STORE,
   CM_ERR_NOMEM. */
int cm_journal_medium_read(cm_journal_medium *medium, char **ptext,
                           size_t *plen);

/* Puts |text| in the place of all that it holds.  0, or CM_ERR_STORE: then it
   is as before, or, if |*torn| is set to 1, anything between both. */
int cm_journal_medium_replace(cm_journal_medium *medium, const char *text,
                              size_t len, int *torn);

/* Adds |text| to the |held| octets that there are.  0, or CM_ERR_STORE: then it
   is as before. */
int cm_journal_medium_append(cm_journal_medium *medium, const char *text,
                             size_t len, size_t held);

/* Keeps |text|, which is damaged, beside it.  0, CM_ERR_STORE. */
int cm_journal_medium_set_aside(cm_journal_medium *medium, const char *text,
                                size_t len);

/* NULL is allowed. */
void cm_journal_medium_close(cm_journal_medium *medium);

#endif
