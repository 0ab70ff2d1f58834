/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of /metrics, in the text format of Prometheus, version 0.0.4. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "server/documents.h"
#include "server/text.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Adds all metrics to |t|. */
void metrics_write(text *t, const documents_source *source);

#endif
