/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes of WebTransport over HTTP/3 (draft-ietf-webtrans-http3).
 */
#ifndef SERVER_WEBTRANSPORT_ERROR_CODE_H
#define SERVER_WEBTRANSPORT_ERROR_CODE_H

#include <stdint.h>

/* HTTP/3 error codes that WebTransport registers (section 9.5). */
#define WT_BUFFERED_STREAM_REJECTED UINT64_C(0x3994bd84)
#define WT_SESSION_GONE UINT64_C(0x170d7b68)
#define WT_FLOW_CONTROL_ERROR UINT64_C(0x045d4487)
#define WT_ALPN_ERROR UINT64_C(0x0817b3dd)
#define WT_REQUIREMENTS_NOT_MET UINT64_C(0x212c0d48)

/* The range of HTTP/3 error codes that carries application error codes. */
#define WT_APPLICATION_ERROR_FIRST UINT64_C(0x52e4a40fa8db)
#define WT_APPLICATION_ERROR_LAST UINT64_C(0x52e5ac983162)

/* The code for RESET_STREAM and STOP_SENDING that carries the application's
   error |code| (section 4.4).  Every code has one. */
uint64_t wt_error_to_h3(uint32_t code);

/* The reverse: sets |*code| and returns 0, or returns -1 if |h3_code| carries
   no application error: outside of the range, or one of the codepoints that
   HTTP/3 reserves (0x1f * N + 0x21); then |*code| is unchanged. */
int h3_error_to_wt(uint64_t h3_code, uint32_t *code);

#endif
