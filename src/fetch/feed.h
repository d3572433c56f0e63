/* Private to the room: a body from a file. */
#pragma once
#include "fetch/fetch_i.h"

ON_CTL int feed_new(struct feed **out, struct fetch *f, int fd, uint64_t bytes); /* fd is its own when ST_OK */
ON_CTL void feed_keep_fd(struct feed *d);                                        /* it stays the caller's */
ON_CTL void feed_drop(struct feed *d);                                           /* its request is gone; NULL is fine */
ON_CTL void feed_wanted(struct fetch *f); /* what fetch_thread_ask asked for; fetch_thread_answer follows */
/* the thread's */
ANY void feed_set(struct fetch *f);
ANY bool feed_is_out(const struct fetch *f); /* a piece was asked for and is not there yet */
ANY void feed_came(struct fetch *f);
