/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the header that wolfSSL's own build would generate: ngtcp2
 * includes it first.  All settings are in user_settings.h.
 */
#ifndef WOLFSSL_OPTIONS_H
#define WOLFSSL_OPTIONS_H

#ifndef WOLFSSL_USER_SETTINGS
#define WOLFSSL_USER_SETTINGS
#endif

#endif /* !defined(WOLFSSL_OPTIONS_H) */
