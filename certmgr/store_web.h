/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What store_web.c and journal_web.c ask of JavaScript (libstore_web.js): a
 * few files by name, in the folder that was handed in as Module.fortnightStore.
 * Nothing here suspends, and no exception comes through.
 *
 * Each function but the last returns CM_ERR_STORE, CM_ERR_STORE_LOCKED or
 * CM_ERR_STORE_PERMISSIONS if JavaScript says no; store_web_message() then
 * tells why.
 */
#ifndef CERTMGR_STORE_WEB_H
#define CERTMGR_STORE_WEB_H

#include <stddef.h>
#include <stdint.h>

/* There is no file of that name. */
#define STORE_WEB_NONE (-1)

/* Copies at most |destlen| octets of the file |name| to |dest|.  Returns the
   length of the file, which may be more, or STORE_WEB_NONE. */
int store_web_read(const char *name, void *dest, size_t destlen);

/* Makes |name| stand for |src|, durably.  Unless it returns 0 it may hold
   anything: the caller can do without what it held. */
int store_web_write(const char *name, const void *src, size_t len);

/* Appends |src| to |name|, or leaves that as it is.  The system has it when
   this returns 0; it need not be durable. */
int store_web_append(const char *name, const void *src, size_t len);

/* Gives |from| the name |to|, in the place of what |to| was. */
int store_web_rename(const char *from, const char *to);

/* What went wrong last, NUL-terminated in |dest|: UTF-8, with the place, and
   with the command that mends it if there is one. */
void store_web_message(char *dest, size_t destlen);

#endif
