/* SPDX-License-Identifier: Apache-2.0 */
#include "certmgr/text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

void cm_text_put(cm_text *text, const char *format, ...) {
  size_t room = text->len < text->destlen ? text->destlen - text->len : 0;
  va_list args;
  int n;

  va_start(args, format);
  n = vsnprintf(room > 0 ? text->dest + text->len : NULL, room, format, args);
  va_end(args);
  text->len += n > 0 ? (size_t)n : 0;
}

int cm_text_end(const cm_text *text) {
  if (text->len >= text->destlen || text->len > INT_MAX) {
    if (text->destlen > 0) {
      text->dest[0] = '\0';
    }
    return CM_ERR_NOBUF;
  }
  if (text->len == 0) {
    text->dest[0] = '\0';
  }
  return (int)text->len;
}
