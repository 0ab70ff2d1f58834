/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/3 frames (RFC 9114 section 7) for a peer that is nothing but octets. */
#ifndef TESTS_FUZZ_FIELDS_H
#define TESTS_FUZZ_FIELDS_H

#include "tests/fuzz/peer.h"

/* A field line as QPACK's literal with a literal name (RFC 9204 section
   4.5.6), no Huffman; after fuzz_put_section(). */
void fuzz_put_field(fuzz_frames *section, const uint8_t *name, size_t namelen,
                    const uint8_t *value, size_t valuelen);

/* The prefix of a field section without the dynamic table (section 4.5.1). */
void fuzz_put_section(fuzz_frames *section);

/* A frame of HTTP/3. */
void fuzz_put_h3(fuzz_frames *frames, uint64_t type, const uint8_t *payload,
                 size_t len);

/* A field section for an Extended CONNECT to |path| (RFC 9220). */
void fuzz_put_connect(fuzz_frames *section, const char *path);

/* What a client says first on its control stream, with the SETTINGS that
   WebTransport wants. */
void fuzz_put_control(fuzz_frames *frames);

#define FUZZ_H3_DATA 0x00
#define FUZZ_H3_HEADERS 0x01
#define FUZZ_H3_SETTINGS 0x04

#endif
