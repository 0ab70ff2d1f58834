/* SPDX-License-Identifier: Apache-2.0 */
/* The doors by which JavaScript and its sessions meet; libappliance_web.js has
   the other side. */
#ifndef SERVER_SCRIPT_WEB_H
#define SERVER_SCRIPT_WEB_H

#include "server/apps/script.h"

#include <cjson/cJSON.h>

/* Makes the script of |paths|, an array of strings.  0; QUIC_ERR_NOMEM, or
   QUIC_ERR_STATE if they are no such thing. */
int script_web_new(script **pscript, const cJSON *paths);

/* Does what JavaScript has asked since. */
void script_web_take(script *script);

/* {"unread","requests_refused","datagrams_dropped","sessions_overrun",
   "records_ignored"}, for "status"; NULL for want of memory. */
cJSON *script_web_describe(const script *script);

/* Hands out what has happened, if JavaScript has room for it. */
void script_web_emit(script *script);

#endif
